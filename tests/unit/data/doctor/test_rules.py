"""The rules: what is advised, warned of or refused, and what is not."""

import logging

import numpy as np
import pytest

from bert_classifier.data.doctor.doctor import examine, log_findings
from bert_classifier.data.doctor.stats import ChannelStats
from bert_classifier.data.examples import Examples
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from support.clear_text import assert_clear, assert_clear_text
from support.fakes import make_tokenizer

LABELS = ["Alpha", "Beta", "Gamma"]


@pytest.fixture(scope="module")
def tokenizer():
    """Return the toy tokenizer."""
    return make_tokenizer()


@pytest.fixture
def examined(tokenizer):
    """Return a function that examines channels of (class index, text) rows."""

    def run(config=None, *, longest=512, is_held_out=False, num_empty=0, **channels):
        config = config or TrainConfig(max_seq_length=32)
        encoder = TextEncoder(
            tokenizer.backend_tokenizer, 0, config.max_seq_length, config.truncation, config.max_windows
        )
        stats = {}
        for name, rows in channels.items():
            texts, targets = (
                [text for _, text in rows],
                np.array([label for label, _ in rows], dtype=np.int64),
            )
            examples = Examples(texts, targets, f"{name} {{}}".format, num_empty if name == "train" else 0)
            encoded = encoder.encode_batch(texts)
            stats[name] = ChannelStats.of(name, examples, encoder, encoded, tokenizer.unk_token_id)
        return examine(config, stats, LABELS, longest=longest, is_held_out=is_held_out)

    return run


def rows(count, classes=3, word="one"):
    """Return rows of different good texts, classes in turn."""
    return [(n % classes, f"{word} apple and river number {n}") for n in range(count)]


def found(report):
    """Return the findings' severities by code."""
    return {finding.code: finding.severity for finding in report.findings}


def test_nothing_is_found_in_good_data(examined):
    """Distinct texts, enough of each class in every channel: no finding."""
    report = examined(train=rows(120), validation=rows(120, word="two"), test=rows(30, word="three"))
    assert report.findings == []
    assert report.leakage == {"validation": 0, "test": 0}


def test_empty_rows_are_counted(examined):
    """Rows without a text are left out: a warning if there are many."""
    good = {"train": rows(120), "validation": rows(120, word="two")}
    assert found(examined(**good, num_empty=1)) == {"empty_texts": "info"}
    report = examined(**good, num_empty=2)
    assert found(report) == {"empty_texts": "warning"}
    assert report.findings[0].message == "2 train rows without a text are left out."
    assert report.channels["train"].empty == 2


def test_validation_that_is_all_in_train_is_refused(examined):
    """Scores of texts that were learnt say nothing: such a job is not started."""
    report = examined(train=rows(120), validation=rows(100))
    assert found(report) == {"leakage": "error"}
    with pytest.raises(
        UserError, match=r"100 of 100 validation texts \(100\.0 %\) also occur in train"
    ) as caught:
        log_findings(report)
    assert_clear(caught.value)
    assert "validation 0 stands in train 0; " in caught.value.cause
    assert caught.value.remedy == "Remove them from train or validation."


def test_one_new_validation_text_is_enough(examined, caplog):
    """What is doubtful is warned of and left to the user."""
    report = examined(train=rows(120), validation=[*rows(99), (0, "quite another text")])
    assert found(report) == {"leakage": "warning"}
    with caplog.at_level(logging.WARNING, logger="bert_classifier"):
        log_findings(report)
    assert_clear_text(caplog.messages[0])


def test_leak_of_a_part_split_off_has_its_own_remedy(examined):
    """Without a validation channel it is the repeated texts of train that leak."""
    report = examined(
        train=[*rows(120), *rows(3)], validation=[*rows(3), *rows(97, word="two")], is_held_out=True
    )
    (leak,) = [finding for finding in report.findings if finding.code == "leakage"]
    assert leak.remedy == "Remove the repeated texts from train."


def test_test_channel_may_be_all_in_train(examined):
    """That wastes no training: a warning."""
    report = examined(train=rows(120), validation=rows(100, word="two"), test=rows(20))
    assert found(report) == {"leakage": "warning"}


def test_constant_text_is_refused(examined):
    """Texts that are all the same cannot be told apart, however many there are."""
    report = examined(train=[(n % 3, "the same") for n in range(60)], validation=rows(100))
    assert found(report)["constant_text"] == "error"
    with pytest.raises(UserError, match="All training texts are the same") as caught:
        log_findings(report)
    assert_clear(caught.value)


def test_classes_that_are_nowhere_are_named(examined):
    """A class of classes.txt without any text is a warning."""
    report = examined(train=rows(120, classes=2), validation=rows(120, classes=2, word="two"))
    assert found(report) == {"absent_classes": "warning"}
    assert report.findings[0].message == "1 class has no text anywhere: 'Gamma'."
    assert report.channels["train"].classes == {"Alpha": 60, "Beta": 60, "Gamma": 0}


def test_class_without_training_text_is_refused_only_if_it_rules_validation(examined):
    """A few validation texts of an unknown class are a warning; half of the channel shows the wrong file."""
    train = rows(120, classes=2)
    few = examined(train=train, validation=[*rows(98, classes=2, word="two"), (2, "sea"), (2, "lake")])
    assert found(few) == {"untaught_classes": "warning"}
    assert few.findings[0].places == ["validation 98", "validation 99"]
    half = [(2 if n % 2 else 0, f"two {n}") for n in range(100)]
    assert found(examined(train=train, validation=half))["untaught_classes"] == "error"
    assert (
        found(examined(train=train, validation=rows(100, 2, "two"), test=half))["untaught_classes"]
        == "warning"
    )


def test_class_that_is_not_judged_is_reported(examined):
    """A class in train but not in validation is worth knowing."""
    report = examined(train=rows(120), validation=rows(120, classes=2, word="two"))
    assert found(report) == {"unjudged_classes": "info"}
    report = examined(train=rows(120), validation=rows(120, classes=1, word="two"))
    assert found(report) == {"unjudged_classes": "warning"}
    assert report.findings[0].message.startswith("Validation has texts of one class only, 'Alpha': ")


def test_rare_classes_and_imbalance(examined):
    """Nine texts are few; ten times as many of another class call for weights, unless they are set."""
    train = [*rows(180, classes=2), *((2, f"three {n}") for n in range(9))]
    validation = rows(120, word="two")
    report = examined(train=train, validation=validation)
    assert found(report) == {"rare_classes": "warning", "class_imbalance": "warning"}
    findings = {finding.code: finding for finding in report.findings}
    assert findings["rare_classes"].message == "1 class has fewer than 10 training texts: 'Gamma'."
    held_out = examined(train=train, validation=validation, is_held_out=True)
    (rare,) = [finding for finding in held_out.findings if finding.code == "rare_classes"]
    assert "fewer than 10 training texts after validation was held out: 'Gamma'." in rare.message
    assert findings["class_imbalance"].message == "Class 'Alpha' has 90 training texts, 'Gamma' only 9."
    assert "class_weights=balanced" in findings["class_imbalance"].remedy
    balanced = TrainConfig(max_seq_length=32, class_weights="balanced")
    assert found(examined(balanced, train=train, validation=validation)) == {"rare_classes": "warning"}
    assert found(examined(train=[*train, (2, "three 9")], validation=validation)) == {}


def test_small_validation_is_reported_with_its_margin(examined):
    """The share that is right of 24 texts is known to ±12 points, if it is 90 %."""
    report = examined(train=rows(120), validation=rows(24, word="two"))
    assert found(report) == {"small_validation": "info"}
    assert "±12 points" in report.findings[0].message


def test_identifiers_for_texts(examined):
    """Identifiers in the place of texts are a warning; a few among texts are none."""
    ids = [(n % 3, f"A-{n}") for n in range(120)]
    validation = rows(100, word="two")
    assert found(examined(train=ids, validation=validation)) == {"ids_for_texts": "warning"}
    assert found(examined(train=[*ids[:60], *rows(60)], validation=validation)) == {}


def test_bare_texts(examined):
    """Texts without a letter are counted."""
    report = examined(train=[*rows(118), (0, "17"), (1, "?!?")], validation=rows(100, word="two"))
    assert found(report) == {"bare_texts": "warning"}
    assert report.findings[0].places == ["train 118", "train 119"]


def test_language_that_the_tokenizer_does_not_know(examined):
    """Many unknown tokens: the model is for another language."""
    train = [(n % 3, f"слово {n} и еще слова") for n in range(120)]
    report = examined(train=train, validation=rows(100, word="two"))
    assert found(report) == {"unknown_tokens": "warning"}
    assert "are unknown to the tokenizer" in report.findings[0].message


LONG = " ".join(["apple"] * 50)


@pytest.mark.parametrize(
    ("settings", "longest", "message", "remedy"),
    [
        (
            {},
            512,
            "max_seq_length=32 and are cut",
            "Set max_seq_length=64, or truncation=windows to read all of them, or truncation=head_tail",
        ),
        (
            {},
            48,
            "max_seq_length=32 and are cut",
            "Set max_seq_length=48, the most that this model takes, which keeps 95 % of the training texts whole, or"
            " truncation=windows",
        ),
        ({}, 32, "max_seq_length=32 and are cut", "Set truncation=windows to read all of them, or"),
        ({"truncation": "head_tail"}, 32, "max_seq_length=32 and are cut", "Set truncation=windows"),
        (
            {"truncation": "windows", "max_windows": 1},
            32,
            "max_windows=1 windows with max_seq_length=32 and are cut",
            "Raise max_windows.",
        ),
    ],
)
def test_long_texts(examined, settings, longest, message, remedy):
    """What is cut is counted, and the remedy is one that the model and the settings allow."""
    config = TrainConfig(max_seq_length=32, **settings)
    train = [*rows(114), *((n % 3, f"{LONG} {n}") for n in range(6))]
    report = examined(config, longest=longest, train=train, validation=rows(100, word="two"))
    assert found(report) == {"truncated_texts": "warning"}
    assert message in report.findings[0].message
    assert report.findings[0].remedy.startswith(remedy)
    assert report.channels["train"].tokens.truncated_share == pytest.approx(0.05)
    assert report.recommended_max_seq_length == min(64, longest)
    assert report.recommended_whole_share == pytest.approx(1.0 if longest >= 64 else 0.95)
    assert report.longest_max_seq_length == longest


def test_windows_cut_nothing(examined):
    """With windows enough, long texts are read as a whole: nothing is found."""
    config = TrainConfig(max_seq_length=32, truncation="windows")
    report = examined(config, train=[*rows(119), (2, LONG)], validation=rows(100, word="two"))
    assert report.findings == []
    assert report.channels["train"].tokens.max == 52


def test_every_sentence_is_clear(examined):
    """Causes and remedies of a job with everything wrong are sentences without the insides of a program."""
    train = [
        *rows(40, classes=2),
        *rows(5, classes=2),
        (1, rows(1)[0][1]),
        (0, "\ufffd Ã© &amp;"),
        (0, LONG),
        (0, "7"),
    ]
    report = examined(train=train, validation=[(2, "sea"), *rows(5)], test=rows(3), num_empty=3)
    assert len(report.findings) > 12
    for finding in report.findings:
        assert_clear(UserError(finding.message, finding.remedy))
