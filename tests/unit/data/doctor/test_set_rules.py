"""The rules about texts with several labels each: what is advised, and what of single labels is left out."""

import dataclasses
import json

import numpy as np
import pytest

from bert_classifier.data.doctor.doctor import examine
from bert_classifier.data.doctor.label_sets import LabelCounts, set_numbers, together
from bert_classifier.data.doctor.stats import ChannelStats
from bert_classifier.data.examples import Examples
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.job.config import TrainConfig
from support.clear_text import assert_clear_text
from support.fakes import make_tokenizer

LABELS = ("late", "praise", "rude")
CONFIG = TrainConfig(max_seq_length=32)
# Of texts in turn: nothing about them is odd.
SETS = ([1, 0, 1], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 1, 1])


@pytest.fixture(scope="module")
def encoder():
    """Return an encoder of the toy tokenizer."""
    return TextEncoder(make_tokenizer().backend_tokenizer, 0, 32)


@pytest.fixture
def examined(encoder):
    """Return a function that examines channels of (labels, text) rows."""

    def run(labels=LABELS, config=CONFIG, **channels):
        stats = {}
        for name, rows in channels.items():
            texts = [text for _, text in rows]
            examples = Examples(
                texts, np.array([row for row, _ in rows], dtype=np.uint8), f"{name} {{}}".format
            )
            stats[name] = ChannelStats.of(name, examples, encoder, encoder.encode_batch(texts), 0)
        report = examine(config, stats, labels, longest=512, is_held_out=False)
        json.dumps(report.as_json())
        for finding in report.findings:
            assert_clear_text(finding.message)
            assert_clear_text(finding.remedy)
        return report

    return run


def rows(sets=SETS, count=140, word="one"):
    """Return rows of different texts, with the sets in turn."""
    return [(sets[n % len(sets)], f"{word} apple and river number {n}") for n in range(count)]


def found(report):
    """Return the messages of the findings by code."""
    return {finding.code: finding.message for finding in report.findings}


def test_labels_are_counted(examined):
    """The report says how many labels texts have; good data have no other finding, and single labels' rules none."""
    report = examined(train=rows(), validation=rows(word="two"))
    assert found(report) == {
        "labels_per_text": "The train texts have 1.71 of 3 labels on average (density 0.571), at most 3, in 7 different"
        " sets."
    }
    counts = report.channels["train"].labels
    assert counts is not None
    assert dataclasses.astuple(counts)[2:] == (3, 0, 7)
    assert report.channels["train"].classes == {"late": 80, "praise": 80, "rude": 80}


def test_texts_without_labels_are_counted(examined):
    """Few are an information with their places; where most have none, a warning."""
    few = examined(train=rows([*SETS, [0, 0, 0]]))
    assert found(few)["unlabelled_texts"].startswith("17 of 140 train texts (12.1 %) have no label.")
    most = examined(train=rows([SETS[0], [0, 0, 0], SETS[1], [0, 0, 0], [0, 0, 0]]))
    severity = {finding.code: finding.severity.name for finding in most.findings}
    assert (severity["unlabelled_texts"], severity["labels_per_text"]) == ("WARNING", "INFO")


def test_a_label_of_every_text_is_a_warning(examined):
    """It teaches nothing."""
    assert found(examined(train=rows([[1, 0, 1], [1, 1, 0], [1, 0, 0]])))["constant_labels"] == (
        "Every training text has 1 label: 'late'."
    )


def test_labels_that_always_or_never_occur_together(examined):
    """Always: perhaps the same; never although frequent: said."""
    messages = found(examined(train=rows([[1, 0, 1], [0, 1, 0], [0, 0, 0], [0, 1, 0]])))
    assert "1 pair of labels occurs ('late' and 'rude') always together" in messages["labels_always_together"]
    assert (
        "2 pairs of labels occur ('late' and 'praise'; 'praise' and 'rude') never together"
        in messages["labels_never_together"]
    )


def test_one_label_each_is_asked_about(examined):
    """By the separator where one is set, which separates nothing."""
    single = rows([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert "No training text has several labels." in found(examined(train=single))["one_label_each"]
    config = dataclasses.replace(CONFIG, label_separator="|")
    report = examined(("late", "late;rude", "rude"), config, train=single)
    (finding,) = (finding for finding in report.findings if finding.code == "unused_separator")
    assert finding.message.startswith("label_separator=| stands in no label of train")
    assert "joined by ';'" in finding.remedy


def test_a_few_lists_among_single_labels_are_named(examined):
    """A slip in one cell turns all data into texts of several labels: that is said, unless it was set."""
    train = rows([[1, 0, 0], [0, 1, 0], [0, 0, 1]], 138)
    train = [*train, ([1, 0, 1], "the only odd one")]
    report = examined(train=train)
    (finding,) = (finding for finding in report.findings if finding.code == "few_lists")
    assert finding.message.startswith("Only 1 of 139 train texts (0.7 %) have several labels")
    assert (finding.severity.name, [*finding.places]) == ("WARNING", ["train 138"])
    told = dataclasses.replace(CONFIG, task="multi")
    assert "few_lists" not in found(examined(config=told, train=train))


def test_two_numbers_for_each_text_may_be_a_range(examined):
    """(0, 18) reads as two labels; a third number somewhere, or a word, makes it a list."""
    ranges = rows([[1, 1, 0], [0, 1, 1]])
    assert found(examined(("0", "18", "25"), train=ranges))["two_numbers_each"] == (
        "Each train text has two labels, and all are numbers: '0', '18', '25'."
    )
    assert "two_numbers_each" not in found(examined(("0", "18", "25"), train=rows()))
    assert "two_numbers_each" not in found(examined(("a", "18", "25"), train=ranges))


def test_texts_without_labels_of_columns_are_not_left_out_by_a_setting(examined):
    """missing_labels=drop takes a row of zeros for a text without labels."""
    config = dataclasses.replace(CONFIG, label_columns="1..3")
    report = examined(config=config, train=rows([*SETS, [0, 0, 0]]))
    (finding,) = (finding for finding in report.findings if finding.code == "unlabelled_texts")
    assert finding.remedy.endswith("label them or remove these rows.")


def test_one_text_with_other_labels_is_a_conflict(examined):
    """However it is written; the same set in another row repeats it."""
    train = [
        *rows(),
        ([1, 0, 1], "One apple  and river number 1"),
        ([0, 1, 0], "one apple and river number 1"),
    ]
    messages = found(examined(train=train))
    assert messages["conflicting_labels"].startswith(
        "1 of 142 train texts (0.7 %) occur again with other labels."
    )
    assert "with the same labels" in messages["duplicate_texts"]


def test_labels_that_training_lacks_are_named(examined):
    """With the texts of the other channel that have them."""
    messages = found(examined(train=rows([[1, 0, 0], [0, 1, 0], [1, 1, 0]]), validation=rows(word="two")))
    assert "1 class of validation has no training text: 'rude'" in messages["untaught_classes"]
    assert "80 of 140 validation texts" in messages["untaught_classes"]


def test_labels_that_join_others_are_a_warning(examined):
    """With the sign that they have."""
    messages = found(examined(("late", "late|rude", "rude"), train=rows()))
    assert messages["joined_labels"] == "1 label looks like several in one: 'late|rude'."


def test_sets_are_numbered_and_counted():
    """Equal sets have equal numbers, of 20 labels too; counts together are those of a loop."""
    draw = np.random.Generator(np.random.Philox(1))
    targets = (draw.random((400, 20)) < 0.1).astype(np.uint8)
    numbers = set_numbers(targets)
    assert (
        len({tuple(row) for row in targets.tolist()})
        == len({*numbers.tolist()})
        == LabelCounts.of(targets).sets
    )
    pairs = {(tuple(row), number) for row, number in zip(targets.tolist(), numbers.tolist(), strict=True)}
    assert len(pairs) == len({*numbers.tolist()})
    assert together(targets).tolist() == [
        [sum(int(row[a] and row[b]) for row in targets) for b in range(20)] for a in range(20)
    ]
