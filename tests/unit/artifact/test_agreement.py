"""By which numbers of training a precision is served: the rule, and what other versions may have written."""

import dataclasses
import math
from typing import Any

import pytest

from bert_classifier.artifact.agreement import Agreement

GOOD = Agreement(
    texts=500, channel="validation", same=499, near_ties=0, right=470, gained=0, lost=1, probe_distance=0.01
)


def with_changes(**changes: Any) -> Agreement:
    """Return good figures with some of them changed."""
    return dataclasses.replace(GOOD, **changes)


@pytest.mark.parametrize(
    "figures",
    [
        {},
        {"channel": "test"},
        {"texts": 100, "same": 99, "right": 90},
        {"same": 495, "gained": 2, "lost": 3},
        {"same": 490, "near_ties": 5, "gained": 5, "lost": 5},
        {"same": 496, "gained": 0, "lost": 3},
    ],
    ids=[
        "one label",
        "test",
        "100 texts",
        "five labels",
        "ten with ties",
        "0.6 points, half of them its error",
    ],
)
def test_figures_that_pass(figures):
    """99 % of the labels stay, near-ties aside, and accuracy falls by no more than chance explains."""
    assert with_changes(**figures).problem == ""


@pytest.mark.parametrize(
    ("figures", "problem"),
    [
        ({"same": 494}, "more than 1% of the labels change that were no near-ties"),
        ({"same": 484, "near_ties": 16}, "more than 3% of the labels change"),
        ({"same": 495, "gained": 0, "lost": 5}, "accuracy falls by more than 0.3 points"),
        ({"texts": 99, "same": 99}, "on 99 validation texts only, and 100 are needed"),
        ({"channel": "train"}, "texts that the model was trained on"),
        ({"target_accuracy": 0.95}, "these texts do not prove target_accuracy=0.95"),
        (
            {"target_accuracy": 0.95, "threshold": 0.8, "answered": 389, "answered_in_fp32": 400},
            "389 texts would get a label, and not 400",
        ),
    ],
)
def test_figures_that_do_not(figures, problem):
    """The reason says which part of the rule."""
    assert problem in with_changes(**figures).problem


@pytest.mark.parametrize(
    ("figures", "remedy"),
    [
        ({}, ""),
        ({"channel": "train"}, "give training 100 validation texts or more"),
        ({"texts": 60, "same": 60, "channel_texts": 60}, "give training 100 validation texts or more"),
        (
            {"texts": 60, "same": 60, "channel_texts": 800},
            "here 60 of 800 validation texts: train on a GPU, or on more",
        ),
    ],
)
def test_too_few_texts_have_a_remedy(figures, remedy):
    """More validation texts; where there are enough, a training that measures more of them."""
    found = with_changes(**figures).remedy
    assert remedy in found
    assert bool(found) == bool(remedy)


@pytest.mark.parametrize(
    ("metrics", "texts"), [({"validation": {"texts": 800}}, 800), ({}, 0), ({"validation": 3}, 0), (None, 0)]
)
def test_how_many_texts_there_were_is_read_too(metrics, texts):
    """From the metrics beside the counts, as far as they are there."""
    each = {"same": 60, "near_ties": 0, "right": 50, "gained": 0, "lost": 0, "probe_distance": 0.01}
    info = {"precisions": {"texts": 60, "channel": "validation", "int8": each}, "metrics": metrics}
    found = Agreement.of(info, "int8")
    assert found is not None
    assert found.channel_texts == texts


def test_accuracies_follow_from_the_counts():
    """Of 500 texts, 470 are right in the precision; 3 only there and 5 only in float32."""
    figures = with_changes(gained=3, lost=5)
    assert (figures.accuracy, figures.accuracy_in_fp32) == (0.94, 0.944)
    assert figures.standard_error == pytest.approx((8 - 4 / 500) ** 0.5 / 500)
    assert figures.sentence == (
        "499 of 500 validation texts keep float32's label (99.8%), and 94.0% are right instead of 94.4%"
    )


def test_only_what_no_rounding_explains_is_harm():
    """Set by hand, a precision may change more than the rule for an automatic choice allows."""
    assert not with_changes(same=475).harm
    assert "474 of 500" in with_changes(same=474).harm


def test_figures_are_read_as_training_writes_them():
    """Beside others, and of the precision that is asked for."""
    each = {"same": 499, "near_ties": 0, "right": 470, "gained": 0, "lost": 1, "probe_distance": 0.01}
    written = {
        "texts": 500,
        "channel": "validation",
        "int8": {**each, "accuracy": 0.94},
        "bf16": {**each, "same": 500},
    }
    assert Agreement.of({"precisions": written}, "int8") == GOOD
    assert Agreement.of({"precisions": written}, "bf16") == with_changes(same=500)
    assert Agreement.of({"precisions": written}, "int8_7_bits") is None
    promise = {"target_accuracy": 0.95, "threshold": None, "answered": 0, "answered_in_fp32": 400}
    assert Agreement.of({"precisions": {**written, "int8": {**each, **promise}}}, "int8") == with_changes(
        **promise
    )


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"precisions": None},
        {"precisions": []},
        {"precisions": {"int8": 3}},
        {"precisions": {"texts": 500, "channel": "validation", "int8": {"same": 500}}},
        {"precisions": {**dataclasses.asdict(GOOD), "texts": "500", "int8": {}}},
        {"precisions": {**dataclasses.asdict(GOOD), "same": -1, "int8": {}}},
        {"precisions": {**dataclasses.asdict(GOOD), "same": 501, "int8": {}}},
        {"precisions": {**dataclasses.asdict(GOOD), "near_ties": 500, "int8": {}}},
        {"precisions": {**dataclasses.asdict(GOOD), "probe_distance": math.inf, "int8": {}}},
    ],
)
def test_what_says_nothing_usable_is_none(info):
    """Another version may have written it."""
    assert Agreement.of(info, "int8") is None


SETS: dict[str, Any] = {
    "texts": 500,
    "channel": "test",
    "int8": {"same": 497, "near_ties": 3, "right": 300, "gained": 1, "lost": 2, "probe_distance": 0.01},
}


def of_sets(**changes: Any) -> Agreement:
    """Return what a training.json of a model with several labels says of int8."""
    measured = {**SETS, "int8": {**SETS["int8"], **changes}}
    found = Agreement.of({"task": "multi", "precisions": measured}, "int8")
    assert found is not None
    return found


def test_a_set_of_labels_counts_as_one_label():
    """Where a text may have several: a text agrees if all of them stay, and is right if exactly these are right."""
    figures = of_sets()
    assert figures.problem == ""
    assert figures.sentence == (
        "497 of 500 test texts keep all of float32's labels (99.4%), and 60.0% have exactly the right ones instead of"
        " 60.2%"
    )
    assert figures.facts == {
        "texts": 500,
        "channel": "test",
        "agreement": 0.994,
        "subset_accuracy": 0.6,
        "subset_accuracy_in_fp32": 0.602,
    }
    assert of_sets(near_ties=0, same=490).problem == (
        "more than 1% of the texts get other labels that were no near-ties"
    )
    assert "subset accuracy falls" in of_sets(lost=9, gained=0).problem


def test_promised_thresholds_hold_for_the_precision_that_proved_them():
    """Thresholds of float32 promise nothing in int8: it needs its own, else it is not chosen automatically."""
    assert of_sets(target_precision=0.9).problem == "these texts do not prove target_precision=0.9 for it"
    own = {"Film": 0.61, "Plant": None}
    assert of_sets(target_precision=0.9, thresholds=own).thresholds == own
    assert of_sets(target_precision=0.9, thresholds=own).problem == ""
    measured = {**SETS, "int8": {**SETS["int8"], "target_precision": 0.9, "thresholds": own}}
    info = {"task": "multi", "thresholds": {"Film": 0.5, "Plant": 0.8}, "precisions": measured}
    found = Agreement.of(info, "int8")
    assert found is not None
    assert found.problem == "with target_precision=0.9 1 label would never be answered that float32 answers"
    for damaged in ({"Film": 2}, {"Film": "high"}, [0.5], 7):
        assert of_sets(target_precision=0.9, thresholds=damaged).problem
