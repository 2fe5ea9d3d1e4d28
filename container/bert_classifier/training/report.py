"""What a job leaves in output/data: evaluation.json in SageMaker's model-quality form, and the confusion matrix."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bert_classifier.evaluation.scores import Evaluation
from bert_classifier.manifest import write_json


def write_reports(folder: Path, channel: str, labels: Sequence[str], result: Evaluation) -> None:
    """Write evaluation.json and confusion_matrix.csv of one channel's evaluation."""
    write_json(folder / "evaluation.json", model_quality(channel, labels, result))
    with (folder / "confusion_matrix.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["true \\ predicted", *labels])
        writer.writerows([label, *row] for label, row in zip(labels, result.confusion.tolist(), strict=True))


def model_quality(channel: str, labels: Sequence[str], result: Evaluation) -> dict[str, Any]:
    """Return an evaluation in the layout of SageMaker Model Monitor's multiclass model quality."""
    scores = {
        "accuracy": result.accuracy,
        "weighted_precision": result.weighted(result.precision),
        "weighted_recall": result.weighted(result.recall),
        "weighted_f0_5": result.weighted(result.f_score(0.5)),
        "weighted_f1": result.weighted(result.f_score(1.0)),
        "weighted_f2": result.weighted(result.f_score(2.0)),
        "macro_f1": result.macro_f1,
        "loss": result.loss,
    }
    confusion = {
        label: dict(zip(labels, row, strict=True))
        for label, row in zip(labels, result.confusion.tolist(), strict=True)
    }
    metrics = {name: {"value": value, "standard_deviation": "NaN"} for name, value in scores.items()}
    return {
        "version": 0.0,
        "dataset": {"item_count": result.count, "channel": channel},
        "multiclass_classification_metrics": {"confusion_matrix": confusion, **metrics},
    }
