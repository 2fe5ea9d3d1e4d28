"""Which precision a CPU serves in, by what training measured."""

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch

from bert_classifier.artifact.contents import Contents, read_contents
from bert_classifier.errors import UserError
from bert_classifier.serving.model.engine_artifact import in_engine
from bert_classifier.serving.model.precision import measured_int8, precision_of
from support.clear_text import assert_clear
from support.toy_artifact import make_artifact

GOOD: dict[str, Any] = {
    "same": 499, "near_ties": 0, "right": 470, "gained": 0, "lost": 1, "probe_distance": 0.05
}  # fmt: skip
WORSE = {**GOOD, "same": 480, "right": 460, "lost": 11}
HARMFUL = {**GOOD, "same": 300}

WithFigures = Callable[..., Contents]


@pytest.fixture(scope="module")
def with_figures(tmp_path_factory: pytest.TempPathFactory) -> WithFigures:
    """Return a function that returns an artifact with figures of int8, the same for 8 and 7 bits unless given."""
    contents = read_contents(make_artifact(tmp_path_factory.mktemp("gate") / "model"))

    def changed(
        figures: dict[str, Any] | None, seven: dict[str, Any] | None = None, texts: int = 500
    ) -> Contents:
        precisions = {
            "texts": texts,
            "channel": "validation",
            "int8": figures,
            "int8_7_bits": seven or figures,
        }
        return dataclasses.replace(contents, info={**contents.info, "precisions": precisions})

    return changed


def served(contents: Contents, setting: str) -> str:
    """Return the precision that the engine serves in."""
    artifact = in_engine(contents, setting)
    assert artifact is not None
    return precision_of(artifact.model)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Return the log from INFO on."""
    caplog.set_level(logging.INFO)
    return caplog


def test_auto_takes_int8_where_training_measured_that_it_is_good_enough(with_figures, log):
    """One line says so, with the numbers and how to have float32."""
    assert served(with_figures(GOOD), "auto") == "int8"
    assert (
        "served in int8, without transformers: 499 of 500 validation texts keep float32's label (99.8%), and 94.0% are"
        " right instead of 94.2%. Set SERVING_PRECISION=fp32 for"
    ) in log.text


@pytest.mark.parametrize(
    ("figures", "texts", "reason"),
    [
        (WORSE, 500, "more than 1% of the labels change that were no near-ties (480 of 500 validation texts"),
        (
            GOOD | {"same": 60, "right": 55},
            60,
            "measured on 60 validation texts only, and 100 are needed; for int8, give training 100 validation texts or"
            " more (the channel validation, or a larger validation_split), or set SERVING_PRECISION=int8",
        ),
        (None, 500, "training has not measured what int8 changes"),
    ],
)
def test_auto_stays_with_float32_elsewhere(with_figures, log, figures, texts, reason):
    """And says why."""
    assert served(with_figures(figures, texts=texts), "auto") == "fp32"
    assert "served in float32 and not in int8: " in log.text
    assert reason in log.text


def test_auto_stays_with_float32_where_the_cpu_does_not_gain(with_figures, log, monkeypatch):
    """By a flag of the CPU, so that all instances of a kind decide alike."""
    monkeypatch.setattr(torch.cpu, "_is_avx2_supported", lambda: False)
    assert served(with_figures(GOOD), "auto") == "fp32"
    assert "this CPU has no AVX2" in log.text


def test_auto_does_not_take_an_int8_that_computes_something_else(with_figures, log):
    """Here: whose probe texts are farther from float32 than they were in training."""
    assert served(with_figures(GOOD | {"probe_distance": 1e-5}), "auto") == "fp32"
    assert "off here, and were 1e-05 off in training" in log.text


@pytest.mark.parametrize(("setting", "has_hint"), [("", True), ("fp32", False)])
def test_the_default_stays_float32_and_says_what_int8_would_give(with_figures, log, setting, has_hint):
    """Users expect the scores of transformers; who asks for float32 needs no hint."""
    assert served(with_figures(GOOD), setting) == "fp32"
    assert ("(SERVING_PRECISION=auto): 499 of 500" in log.text) == has_hint


def test_without_figures_the_default_says_nothing_of_int8(with_figures, log):
    """As for artifacts of earlier versions."""
    assert served(with_figures(None), "") == "fp32"
    assert "int8" not in log.text


def test_int8_by_hand_is_served_with_a_warning_where_auto_would_not(with_figures, log):
    """Whoever asks for it sees the numbers."""
    assert served(with_figures(WORSE), "int8") == "int8"
    (warning,) = [record.getMessage() for record in log.records if record.levelname == "WARNING"]
    assert warning.startswith("int8 is not advisable here: more than 1% of the labels change")
    assert "480 of 500 validation texts" in warning


def test_int8_by_hand_is_served_with_a_warning_where_too_few_texts_were_measured(with_figures, log):
    """The dozen fixed texts decide, which say little of this model's own; the warning says what would tell more."""
    assert served(with_figures(GOOD | {"same": 60, "right": 55}, texts=60), "int8") == "int8"
    (warning,) = [record.getMessage() for record in log.records if record.levelname == "WARNING"]
    assert warning == (
        "whether int8 keeps the labels is not known: it was measured on 60 validation texts only, and 100 are needed;"
        " give training 100 validation texts or more (the channel validation, or a larger validation_split)"
    )


@pytest.mark.parametrize("figures", [HARMFUL, GOOD | {"probe_distance": 1e-5}])
def test_int8_by_hand_is_refused_where_no_rounding_explains_it(with_figures, figures):
    """In one sentence."""
    with pytest.raises(UserError, match="int8 may change predicted labels") as caught:
        in_engine(with_figures(figures), "int8")
    assert_clear(caught.value)


def test_figures_of_few_texts_leave_it_to_the_probe_texts(with_figures, log):
    """20 texts prove nothing, whatever they say."""
    assert served(with_figures(GOOD | {"same": 10, "right": 10}, texts=20), "int8") == "int8"
    assert "12 of 12 probe texts keep their label" in log.text


def test_figures_decide_and_not_the_dozen_probe_texts(with_figures):
    """Even if the probe texts, which are nobody's data, are all near-ties of the model that turn over."""
    contents = with_figures(GOOD | {"probe_distance": 1.0})
    turned = [[-value for value in row] for row in contents.info["probes"]["logits"]]
    probes = {**contents.info["probes"], "logits": turned}
    other = dataclasses.replace(contents, info={**contents.info, "probes": probes})
    assert served(other, "int8") == "int8"


@pytest.mark.parametrize(("steps", "expected"), [(255, "int8"), (127, "fp32")])
def test_a_cpu_is_judged_by_the_bits_that_it_computes_with(with_figures, monkeypatch, steps, expected):
    """Without VNNI it has 7 for values, for which training has figures of its own."""
    monkeypatch.setattr("bert_classifier.serving.model.precision.steps_of_int8", lambda: steps)
    contents = with_figures(GOOD, seven=WORSE)
    assert served(contents, "auto") == expected
    measured = measured_int8(contents.info)
    assert measured is not None
    assert measured.same == (499 if expected == "int8" else 480)


PROMISE = {"target_accuracy": 0.95, "threshold": 0.7, "answered": 400, "answered_in_fp32": 401}


@pytest.mark.parametrize(("setting", "threshold"), [("auto", 0.7), ("int8", 0.7), ("fp32", 0.6), ("", 0.6)])
def test_a_promise_is_kept_by_the_precisions_own_threshold(with_figures, log, setting, threshold):
    """What guarantees an accuracy in float32 proves nothing for other scores."""
    contents = with_figures(GOOD | PROMISE)
    artifact = in_engine(dataclasses.replace(contents, info={**contents.info, "abstain_below": 0.6}), setting)
    assert artifact is not None
    assert artifact.abstain_below == threshold
    assert ("threshold 0.7 guarantees target_accuracy=0.95, and not 0.6" in log.text) == (threshold == 0.7)


def test_a_promise_that_int8_cannot_keep_keeps_auto_from_it(with_figures, log):
    """By hand it is served with float32's threshold and a warning."""
    contents = with_figures(GOOD | PROMISE | {"threshold": None})
    assert served(contents, "auto") == "fp32"
    assert "do not prove target_accuracy=0.95" in log.text
    assert served(contents, "int8") == "int8"
    assert "int8 is not advisable here: these texts do not prove target_accuracy=0.95" in log.text
