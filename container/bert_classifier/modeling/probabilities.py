"""Probabilities of classes, of which a text has one."""

import numpy as np


def softmax(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities for logits (n, classes), calibrated by a temperature: float64 (n, classes)."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares
