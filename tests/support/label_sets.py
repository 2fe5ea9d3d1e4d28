"""Texts with any number of labels, drawn at random with hard cases: ties, labels of no text, texts without labels."""

import numpy as np

from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation


def drawn_labels(
    count: int, classes: int, seed: int = 0, *, decimals: int = 4, separation: float = 2.0
) -> MultiLabelEvaluation:
    """Return predictions for n texts; the first label is had by none, and of the last one nearly all texts.

    Args:
        decimals: of the logits; with few, many are tied.
        separation: of the logits of texts with and without a label.
    """
    rng = np.random.default_rng(seed)
    rates = np.linspace(0.0, 0.9, classes)
    targets = (rng.random((count, classes)) < rates).astype(np.uint8)
    logits = rng.standard_normal((count, classes)) + separation * (targets - 0.5)
    return MultiLabelEvaluation(logits.round(decimals).astype(np.float32), targets)
