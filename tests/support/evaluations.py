"""Evaluations made of (true, predicted) pairs, for tests that work scores out by hand."""

import numpy as np

from bert_classifier.evaluation.metrics import Evaluation


def evaluation_of(pairs: list[tuple[int, int]], classes: int, margin: float = 1.0) -> Evaluation:
    """Return the evaluation in which the predicted class of each pair has the logit `margin`, all others 0."""
    targets, predicted = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    logits = np.zeros((len(pairs), classes), dtype=np.float32)
    logits[np.arange(len(pairs)), predicted] = margin
    return Evaluation(logits, targets)
