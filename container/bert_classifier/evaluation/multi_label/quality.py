"""evaluation.json with several labels per text.

The developer guide ("Model quality metrics") has a form for one label of two or of many, and none for several labels
per text. So this file has a section of its own in the same style: every metric is `{"value", "standard_deviation"}`,
and each class has the binary scores of its label.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bert_classifier.evaluation.model_quality import as_metrics
from bert_classifier.evaluation.multi_label.predictions import LabelPredictions


def label_quality(
    channel: str,
    labels: Sequence[str],
    answers: LabelPredictions,
    average_precisions: np.ndarray,
    thresholds: Mapping[str, float | None],
    scores: Mapping[str, float],
) -> dict[str, Any]:
    """Return the evaluation of one channel.

    Args:
        average_precisions: float64 (classes,), NaN where no text has the label.
        thresholds: by label; None where it is never predicted.
        scores: the metrics over all labels.
    """
    return {
        "version": 0.0,
        "dataset": {"item_count": answers.count, "channel": channel},
        "multilabel_classification_metrics": {
            **as_metrics(scores),
            "labels": {
                label: _of_label(answers, index, float(average_precisions[index]), thresholds[label])
                for index, label in enumerate(labels)
            },
        },
    }


def _of_label(
    answers: LabelPredictions, index: int, average_precision: float, threshold: float | None
) -> dict[str, Any]:
    right, answered, support = (int(of[index]) for of in (answers.right, answers.answered, answers.support))
    matrix = {
        "0": {"0": answers.count - answered - support + right, "1": answered - right},
        "1": {"0": support - right, "1": right},
    }
    scores = {
        "precision": float(answers.precision[index]),
        "recall": float(answers.recall[index]),
        "f1": float(answers.f1[index]),
        **({} if np.isnan(average_precision) else {"average_precision": average_precision}),
        **({} if threshold is None else {"threshold": threshold}),
    }
    return {"confusion_matrix": matrix, **as_metrics(scores)}
