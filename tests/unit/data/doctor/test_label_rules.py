"""The rules about how labels are written: what is warned of, and what is not."""

import numpy as np
import pytest

from bert_classifier.data.doctor.doctor import examine
from bert_classifier.data.doctor.stats import ChannelStats
from bert_classifier.data.examples import Examples
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.job.config import TrainConfig
from support.clear_text import assert_clear_text
from support.fakes import make_tokenizer

WORDS = ("river", "apple", "parcel", "window", "letter", "garden")
RULES = {
    "label_spellings",
    "placeholder_labels",
    "joined_labels",
    "listed_labels",
    "float_labels",
    "column_name_as_class",
}


@pytest.fixture(scope="module")
def tokenizer():
    """Return the toy tokenizer."""
    return make_tokenizer()


@pytest.fixture
def findings_of(tokenizer):
    """Return a function that gives the findings about the labels of (label, text) rows, by code."""

    def run(train, validation=None):
        labels = sorted({label for label, _ in train})
        encoder = TextEncoder(tokenizer.backend_tokenizer, 0, 64, "head", 1)
        stats = {}
        for name, rows in {"train": train, "validation": validation or rows_of(labels, "other")}.items():
            texts = [text for _, text in rows]
            targets = np.array([labels.index(label) for label, _ in rows])
            examples = Examples(texts, targets, f"{name}.csv line {{}}".format)
            stats[name] = ChannelStats.of(name, examples, encoder, encoder.encode_batch(texts), 0)
        report = examine(TrainConfig(max_seq_length=64), stats, labels, longest=512, is_held_out=False)
        return {finding.code: finding for finding in report.findings if finding.code in RULES}

    return run


def rows_of(labels, word="one", each=12):
    """Return different texts of eight words for each label."""
    return [
        (label, f"{word} {WORDS[n % 6]} came to us with number {at * each + n}")
        for at, label in enumerate(labels)
        for n in range(each)
    ]


@pytest.mark.parametrize(
    "labels",
    [
        ["complaint", "praise", "question"],
        ["1", "2", "3"],
        ["1.0", "1.5", "2.0"],
        ["question", "comment", "message"],
        ["[draft]", "final"],
    ],
)
def test_usual_labels_are_fine(findings_of, labels):
    """Words, numbers and names that columns also have are no finding where texts stand behind them."""
    assert findings_of(rows_of(labels)) == {}


def test_spellings_are_named_with_their_texts(findings_of):
    """All spellings of all channels with their counts, and what to do."""
    finding = findings_of([*rows_of(["praise", "complaint"]), *rows_of(["Praise"], "two", 5)])[
        "label_spellings"
    ]
    assert finding.severity == "warning"
    assert (
        finding.message
        == "One class seems to be spelt in several ways: 'Praise' (17 texts), 'praise' (24 texts)."
    )
    assert "label mapper" in finding.remedy
    assert_clear_text(f"{finding.message} {finding.remedy}")


def test_of_many_spellings_the_first_are_named(findings_of):
    """Five classes and their number are enough to see what is meant."""
    labels = [f"{name}{end}" for name in "abcdefgh" for end in ("x y", "x_y")]
    message = findings_of(rows_of(labels))["label_spellings"].message
    assert message.startswith(
        "8 classes seem to be spelt in several ways: 'ax y' (24 texts), 'ax_y' (24 texts); "
    )
    assert message.endswith("; and 3 more.")


def test_joined_labels_are_named(findings_of):
    """A class per combination is trained: that is said."""
    finding = findings_of(rows_of(["praise|question", "praise", "complaint"]))["joined_labels"]
    assert finding.message == "1 class looks like several labels in one: 'praise|question' (24 texts)."
    assert "Each combination is trained as a class of its own" in finding.remedy
    assert "multi-label" in finding.remedy
    assert_clear_text(f"{finding.message} {finding.remedy}")


@pytest.mark.parametrize(
    ("labels", "sign"),
    [
        (["entailment", "neutral", "contradiction", "-"], "-"),
        (["spam", "ham", "?"], "?"),
        (["spam", "ham", "–"], "–"),
        (["0", "1", "2", "-1"], "-1"),
        (["0.0", "1.0", "2.0", "-1.0"], "-1.0"),
        (["0", "1", "2", "-100"], "-100"),
        (["spam", "ham", "-1"], "-1"),
        (["spam", "undefined"], "undefined"),
        (["😀", "😡", "-"], "-"),
        (["spam", "Unlabeled"], "Unlabeled"),
        (["spam", "N.A."], "N.A."),
        (["spam", "#REF!"], "#REF!"),
    ],
)
def test_signs_for_no_label_are_named_with_their_rows(findings_of, labels, sign):
    """What data sets write where annotators disagreed or nobody looked is a class like any other: that is said."""
    finding = findings_of(rows_of(labels))["placeholder_labels"]
    assert finding.severity == "warning"
    assert finding.message.startswith(
        f"'{sign}' (24 texts) is trained and answered like any other label, but"
    )
    assert finding.remedy.startswith("Remove these rows if it does.")
    places = [at + 1 for at, (label, _) in enumerate(rows_of(labels)) if label == sign]
    assert [*finding.places] == [f"train.csv line {place - 1}" for place in places[:10]]
    assert_clear_text(f"{finding.message} {finding.remedy}")


@pytest.mark.parametrize(
    "labels",
    [
        ["1", "-1"],
        ["-2", "-1", "0", "1", "2"],
        ["+", "-", "neutral"],
        [".", "?", ",", "O"],
        ["yes", "-"],
        ["*", "**", "***"],
        ["unknown", "other", "spam"],
        ["-1", "-100", "0"],
    ],
)
def test_scales_and_signs_among_signs_are_classes(findings_of, labels):
    """Polarity, scales, marks of punctuation: a sign beside others like it means itself."""
    assert "placeholder_labels" not in findings_of(rows_of(labels))


def test_several_signs_for_none_are_all_named(findings_of):
    """They are no classes for being several."""
    codes = findings_of(rows_of(["yes", "no", "-", "--", "?"]))
    assert "placeholder_labels" in codes


def test_labels_between_blanks_have_a_setting(findings_of):
    """arXiv's categories: the remedy calls the blank by its name."""
    finding = findings_of(rows_of(["cs.AI", "cs.LG", "cs.AI cs.LG", "cs.LG cs.AI"]))["joined_labels"]
    assert "label_separator=space gives each text all of its labels" in finding.remedy


def test_three_steps_of_a_scale_are_no_warning(findings_of):
    """Minus one, zero and one are a scale more often than two classes and texts without a label."""
    assert findings_of(rows_of(["-1", "0", "1"]))["placeholder_labels"].severity == "info"


def test_lists_of_one_and_floats_are_named(findings_of):
    """What pandas makes of lists and of numbers beside missing values."""
    listed = findings_of(rows_of(["['joy']", "['fear']"]))
    assert listed["listed_labels"].message == "Every label is a list with one name: '['fear']', '['joy']'."
    floats = findings_of(rows_of(["0.0", "1.0", "2.0", "3.0"]))
    assert floats["float_labels"].message.startswith(
        "All labels are whole numbers with a fraction: '0.0', '1.0', '2.0' and 1 more."
    )
    for finding in (*listed.values(), *floats.values()):
        assert_clear_text(f"{finding.message} {finding.remedy}")


@pytest.mark.parametrize("row", [("label", "text"), ("Category", "your text here"), ("sentiment", "review")])
def test_header_and_template_rows_are_found(findings_of, row):
    """A rare class called like a column, with a text of a few words, is named with its places."""
    train = [*rows_of(["praise", "complaint"]), row, row]
    finding = findings_of(train, rows_of(["praise", "complaint"], "other"))["column_name_as_class"]
    assert finding.message.startswith(f"Class '{row[0]}' is called like a column and has 2 short texts: ")
    assert list(finding.places) == ["train.csv line 24", "train.csv line 25"]
    assert_clear_text(f"{finding.message} {finding.remedy}")


def test_rare_class_with_real_texts_is_no_header(findings_of):
    """A class may be called question, and have few texts."""
    train = [*rows_of(["praise", "complaint"]), ("question", "where is the parcel that I ordered in spring")]
    assert findings_of(train) == {}
