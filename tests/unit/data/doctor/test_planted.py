"""Damage planted into good data is found exactly: how much of it, and on which lines."""

import csv
import json
import logging
import unicodedata
from pathlib import Path

import pytest

from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.training.prepare import prepare
from bert_classifier.training.signals import StopSignal
from support.fakes import CLASS_NAMES, make_ml_root

TRAIN, VALIDATION = 1000, 200
SAME, ALIKE, CONFLICTS = 60, 40, 20  # 10 % duplicates, 2 % conflicting labels
LEAKS = 10  # 5 % of validation
DAMAGE = {
    "mojibake": ["ThÃ© noir", "itâ€™s late", "MÃ¼nchen"],
    "replacement": ["th\ufffd noir", "caf\ufffd"],
    "control": ["two\x07words", "page\x0cbreak", "next\x85line", "null\x1b[0m"],
    "bom": ["joined\ufefffiles"],
    "entity": ["salt &amp; pepper", "it&#39;s late", "Smith #39;s shop", "a &lt;b&gt; tag", "&nbsp;indented"],
}


def good_text(number: int) -> str:
    """Return a text like no other, that nothing is wrong with."""
    words = [
        ("alder", "birch", "cedar", "hazel", "maple", "rowan")[int(digit)]
        for digit in f"{number:05o}"[:6]
        if digit < "6"
    ]
    return f"The café of {' '.join(words)} has number {number}, and 5 Å is small."


def alike(text: str, number: int) -> str:
    """Return a text that only case, blanks or Unicode spelling tell from another."""
    return (text.upper(), f"  {text}".replace(" ", "  "), unicodedata.normalize("NFD", text))[number % 3]


def write(path: Path, rows: list[tuple[int, str]]) -> None:
    """Write (class, text) rows as a CSV file without a header."""
    path.unlink(missing_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows((CLASS_NAMES[label], text) for label, text in rows)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Return a job whose train and validation channels hold a known amount of everything."""
    root = make_ml_root(tmp_path_factory.mktemp("planted") / "ml")
    train = [(number % 3, good_text(number)) for number in range(TRAIN - SAME - ALIKE - CONFLICTS)]
    for number, texts in enumerate(DAMAGE.values()):
        for place, text in enumerate(texts):
            train[100 * number + place] = (0, f"{good_text(100 * number + place)} {text}")
    train += [train[500 + number] for number in range(SAME)]
    train += [(train[600 + n][0], alike(train[600 + n][1], n)) for n in range(ALIKE)]
    train += [((train[700 + n][0] + 1) % 3, train[700 + n][1]) for n in range(CONFLICTS)]
    validation = [(number % 3, good_text(5000 + number)) for number in range(VALIDATION - LEAKS)]
    validation += [(train[800 + n][0], alike(train[800 + n][1], n)) for n in range(LEAKS)]
    data = root / "input" / "data"
    write(data / "train" / "train.csv", train)
    write(data / "validation" / "validation.csv", validation)
    write(data / "test" / "test.csv", [(number % 3, good_text(9000 + number)) for number in range(50)])
    return root


@pytest.fixture(scope="module")
def report(planted, tmp_path_factory):
    """Return what the start of a training says of it."""
    scratch = tmp_path_factory.mktemp("scratch")
    return prepare(TrainConfig(), Environment.read(planted, {}), StopSignal(), scratch).data_report


def finding(report, code):
    """Return the only finding with this code."""
    (found,) = [f for f in report["findings"] if f["code"] == code]
    return found


def test_numbers_are_exact(report):
    """Texts, duplicates, conflicts, damage and leakage are counted to the last one; nothing is found in good texts."""
    train, validation, test = (report["channels"][name] for name in ("train", "validation", "test"))
    assert train["texts"] == TRAIN
    assert train["duplicates"] == SAME + ALIKE
    assert train["conflicting"] == CONFLICTS
    assert train["encoding"] == sum(map(len, DAMAGE.values()))
    assert [validation[name] for name in ("texts", "duplicates", "conflicting", "encoding")] == [
        VALIDATION,
        0,
        0,
        0,
    ]
    assert [test[name] for name in ("texts", "duplicates", "conflicting", "encoding")] == [50, 0, 0, 0]
    assert report["leakage"] == {"validation": LEAKS, "test": 0}
    assert sum(train["classes"].values()) == TRAIN


def test_places_are_exact(report):
    """Each finding names the lines, those of the other row too."""
    first = TRAIN - SAME - ALIKE - CONFLICTS
    assert (
        finding(report, "duplicate_texts")["places"][0]
        == f"train.csv line {first + 1} repeats train.csv line 501"
    )
    assert f": {SAME} exactly" in finding(report, "duplicate_texts")["message"]
    clash = f"train.csv line {TRAIN - CONFLICTS + 1} contradicts train.csv line 701"
    assert finding(report, "conflicting_labels")["places"][0] == clash
    leak = f"validation.csv line {VALIDATION - LEAKS + 1} stands in train.csv line 801"
    assert finding(report, "leakage")["places"][0] == leak
    for number, (kind, texts) in enumerate(DAMAGE.items()):
        places = [f"train.csv line {100 * number + place + 1}" for place in range(len(texts))]
        assert finding(report, f"encoding_{kind}")["places"] == places, kind


def test_severity_follows_the_share(report):
    """What touches a hundredth of a channel is a warning, and nothing here stops the job."""
    severity_of = {f["code"]: f["severity"] for f in report["findings"]}
    assert {severity_of[code] for code in ("duplicate_texts", "conflicting_labels", "leakage")} == {"warning"}
    assert severity_of["encoding_bom"] == "info"
    assert "error" not in severity_of.values()
    severities = [f["severity"] for f in report["findings"]]
    assert severities == sorted(severities, key=("error", "warning", "info").index)


def test_report_is_a_file_without_any_text(planted, report):
    """data_report.json holds the same; neither it nor a place quotes a text."""
    written = (planted / "output" / "data" / "data_report.json").read_text(encoding="utf-8")
    assert json.loads(written) == json.loads(json.dumps(report))
    for word in ("café", "alder", "birch", "pepper", "noir"):
        assert word not in written.lower()
    assert all(len(f["places"]) <= 10 for f in report["findings"])


def test_log_has_a_line_for_each_warning(planted, tmp_path, caplog):
    """A warning is one line with its remedy and the first places; what is only worth knowing stays in the file."""
    with caplog.at_level(logging.WARNING, logger="bert_classifier"):
        report = prepare(TrainConfig(), Environment.read(planted, {}), StopSignal(), tmp_path).data_report
    warnings = [f for f in report["findings"] if f["severity"] == "warning"]
    assert len(caplog.messages) == len(warnings) > 2
    for line, warning in zip(caplog.messages, warnings, strict=True):
        assert line.startswith(f"data: {warning['message'].rstrip('.')}")
        assert line.endswith(warning["remedy"])
        assert "café" not in line
