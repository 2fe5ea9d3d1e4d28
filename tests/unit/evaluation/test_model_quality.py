"""evaluation.json and the confusion matrix: numbers worked out by hand, in the layout SageMaker reads."""

import csv
import json
import math
from pathlib import Path

import pytest
from bert_classifier.training.report import model_quality, write_reports

from evaluations import evaluation_of

LABELS = ("Größe", 'a "quoted", name', "never")
RESULT = evaluation_of([(0, 0)] * 3 + [(0, 1)] + [(1, 0)] * 2 + [(1, 1)] * 4, classes=3)


def test_evaluation_json_holds_the_scores_worked_out_by_hand(tmp_path):
    """Precision 3/5 and 4/5, recall 3/4 and 4/6, weighted by 4 and 6 texts; macro F1 over the two there."""
    write_reports(tmp_path, "test", LABELS, RESULT)
    told = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    scores = told["multiclass_classification_metrics"]
    f1 = (2 * 3 / (5 + 4), 2 * 4 / (5 + 6))
    f2 = (5 * 3 / (5 * 3 + 4 * 1 + 2), 5 * 4 / (5 * 4 + 4 * 2 + 1))
    expected = {
        "accuracy": 7 / 10,
        "weighted_precision": 0.4 * 3 / 5 + 0.6 * 4 / 5,
        "weighted_recall": 7 / 10,
        "weighted_f0_5": 0.4 * (1.25 * 3 / (1.25 * 3 + 0.25 * 1 + 2)) + 0.6 * (5 / (5 + 0.25 * 2 + 1)),
        "weighted_f1": 0.4 * f1[0] + 0.6 * f1[1],
        "weighted_f2": 0.4 * f2[0] + 0.6 * f2[1],
        "macro_f1": sum(f1) / 2,
        "loss": RESULT.loss,
    }
    assert {name: scores[name]["value"] for name in expected} == pytest.approx(expected)
    assert {scores[name]["standard_deviation"] for name in expected} == {"NaN"}
    assert set(scores) == {*expected, "confusion_matrix"}
    assert told["dataset"] == {"item_count": 10, "channel": "test"}
    assert told["version"] == 0.0


def test_confusion_matrix_is_nested_by_true_then_predicted_label():
    """SageMaker's form: the true class outside, how often which class was predicted inside."""
    confusion = model_quality("test", LABELS, RESULT)["multiclass_classification_metrics"]["confusion_matrix"]
    assert confusion["Größe"] == {"Größe": 3, 'a "quoted", name': 1, "never": 0}
    assert confusion["never"] == dict.fromkeys(LABELS, 0)
    assert list(confusion) == list(LABELS)


def test_confusion_csv_can_be_read_back(tmp_path):
    """One row a true class; labels with quotes and commas survive, and lines end plainly."""
    write_reports(tmp_path, "test", LABELS, RESULT)
    raw = (tmp_path / "confusion_matrix.csv").read_bytes()
    assert b"\r" not in raw
    header, *rows = csv.reader(raw.decode("utf-8").splitlines())
    assert header[1:] == list(LABELS)
    assert [row[0] for row in rows] == list(LABELS)
    assert [[int(cell) for cell in row[1:]] for row in rows] == RESULT.confusion.tolist()


def test_evaluation_json_is_strict(tmp_path: Path):
    """Strict readers take the file: no NaN as a number, no exponent-only surprises, UTF-8 as it is."""
    write_reports(tmp_path, "validation", LABELS, RESULT)
    text = (tmp_path / "evaluation.json").read_text(encoding="utf-8")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(text, parse_constant=refuse)
    assert "Größe" in text
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_reports(tmp_path, "validation", LABELS, evaluation_of([(0, 1)], classes=3, margin=math.nan))
