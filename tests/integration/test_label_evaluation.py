"""`evaluate` and `compare` for models with several labels per text, on artifacts of tiny models and a file."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.evaluation.command import run
from bert_classifier.evaluation.evaluate import logits_for
from bert_classifier.evaluation.multi_label.calibration import sigmoid
from support.fakes import CLASS_NAMES, toy_rows
from support.toy_artifact import make_artifact

TEXTS = [text for _, text in toy_rows(40)]
SETS = [[CLASS_NAMES[n % 3], CLASS_NAMES[(n + 1) % 3]][: n % 3] for n in range(40)]
THRESHOLDS = {CLASS_NAMES[0]: 0.45, CLASS_NAMES[1]: None, CLASS_NAMES[2]: 0.5}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an artifact with several labels per text."""
    folder = tmp_path_factory.mktemp("one") / "model"
    return make_artifact(folder, classes_from="class file", task="multi", thresholds=THRESHOLDS)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of another one, which answers at other thresholds."""
    folder = tmp_path_factory.mktemp("two") / "model"
    thresholds = dict.fromkeys(CLASS_NAMES[:3], 0.6)
    return make_artifact(folder, classes_from="class file", task="multi", thresholds=thresholds, hidden=64)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an artifact with one label per text."""
    return make_artifact(tmp_path_factory.mktemp("three") / "model", classes_from="class file")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of texts with none, one or two labels."""
    path = tmp_path_factory.mktemp("data") / "mine.jsonl"
    rows = ({"text": text, "labels": labels} for text, labels in zip(TEXTS, SETS, strict=True))
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def test_a_model_is_scored_by_its_own_thresholds(model, data, tmp_path, caplog):
    """A label with null is never predicted; the log ends with the headline and holds no text."""
    with caplog.at_level("INFO", "bert_classifier"):
        assert run(["evaluate", "--model", str(model), "--data", str(data), "--output", str(tmp_path)]) == 0
    artifact = load_artifact(model)
    scores = sigmoid(logits_for(artifact, TEXTS), artifact.temperature)
    expected = scores >= [np.inf if at is None else at for at in THRESHOLDS.values()]
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["place", "true", "predicted", "scores"]
    assert [row[1] for row in rows] == ["|".join(n for n in CLASS_NAMES if n in labels) for labels in SETS]
    assert [row[2] for row in rows] == ["|".join(np.array(CLASS_NAMES[:3])[row].tolist()) for row in expected]
    assert "Micro-F1 is " in caplog.text
    assert " on 40 texts of mine.jsonl (95 % interval " in caplog.text
    assert not any(text in caplog.text for text in TEXTS)
    assert "never answered" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_two_models_are_compared_by_paired_tests(model, other, data, tmp_path, caplog):
    """The difference in micro-F1 is that of the two scores."""
    arguments = ["--model", str(model), "--other", str(other), "--data", str(data), "--output", str(tmp_path)]
    with caplog.at_level("INFO", "bert_classifier"):
        assert run(["compare", *arguments]) == 0
    found = json.loads((tmp_path / "comparison.json").read_text())
    difference = found["second"]["micro_f1"] - found["first"]["micro_f1"]
    assert found["micro_f1_difference"] == pytest.approx(difference)
    low, high = found["micro_f1_difference_interval"]
    assert low <= difference <= high
    assert "On 40 texts, micro-F1 of the " in caplog.text
    assert (tmp_path / "comparison.html").exists()
    with (tmp_path / "changed.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file))[:4] == ["place", "true", "first", "second"]


def test_what_does_not_fit_is_refused_in_a_sentence(model, single, data, tmp_path, caplog):
    """A model with one label per text takes no file with several, and is not compared with one of the other task."""
    output = ["--data", str(data), "--output", str(tmp_path)]
    assert run(["evaluate", "--model", str(single), *output]) == 2
    assert "labels, and task=single" in caplog.text
    caplog.clear()
    assert run(["compare", "--model", str(model), "--other", str(single), *output]) == 2
    assert "One of the two models gives a text one label, the other any number of labels." in caplog.text
