"""Samples of a channel's texts: stratified by class (of several labels the rarest), seeded, bounded in size."""

import numpy as np
import torch

from bert_classifier.data.strata import strata_of
from bert_classifier.training.batching import Split, derive_seed

_MOST_TEXTS = 1000
_LEAST_TEXTS = 16


def sample_texts(split: Split, seed: int, max_tokens: int, *, every_class: bool) -> np.ndarray:
    """Return the indices of at most 1,000 texts, in increasing order, int64 (k,).

    Args:
        max_tokens: of the texts together; but at least 16 texts are drawn and, with `every_class`, one per class.
        every_class: whether each class gets its first text before any gets its second; else each has its share.
    """
    classes = strata_of(split.targets)
    order = _stratified_order(classes, seed, every_class=every_class)[:_MOST_TEXTS]
    fitting = int((np.cumsum(split.encoded.text_lengths[order]) <= max_tokens).sum())
    least = max(_LEAST_TEXTS, len(np.unique(classes)) if every_class else 0)
    return np.sort(order[: max(fitting, least)])


def _stratified_order(classes: np.ndarray, seed: int, *, every_class: bool) -> np.ndarray:
    """Return all indices in an order of which each beginning has about each class' share of texts."""
    draw = torch.Generator().manual_seed(derive_seed(seed, "sample"))
    shuffled = torch.randperm(len(classes), generator=draw).numpy()
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    counts = np.bincount(classes)
    counts = counts[counts > 0]
    number = np.arange(len(classes)) - np.repeat(np.cumsum(counts) - counts, counts)  # of a text in its class
    due = (number + (0.0 if every_class else 0.5)) / np.repeat(counts, counts)
    order: np.ndarray = by_class[np.argsort(due, kind="stable")]
    return order
