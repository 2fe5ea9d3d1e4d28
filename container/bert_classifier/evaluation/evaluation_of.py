"""The evaluation that fits the targets: of one label per text, or of any number."""

import numpy as np

from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation
from bert_classifier.job.task import Task

AnyEvaluation = Evaluation | MultiLabelEvaluation


def evaluation_of(logits: np.ndarray, targets: np.ndarray, selects_by: str = "micro_f1") -> AnyEvaluation:
    """Return the predictions for n labelled texts.

    Args:
        logits: float32 (n, classes).
        targets: int64 (n,), or with several labels per text uint8 (n, classes).
        selects_by: with several labels per text, the metric that selects the best weights.
    """
    if Task.of(targets) is Task.MULTI:
        return MultiLabelEvaluation(logits, targets, selects_by)
    return Evaluation(logits, targets)
