"""The class by which a text with several labels is sampled."""

import tracemalloc

import numpy as np

from bert_classifier.data.strata import strata_of


def test_the_rarest_label_counts_and_the_first_of_equally_rare_ones():
    """Of any texts, more than are looked at together; those without labels are a class more."""
    targets = (np.random.default_rng(0).random((20_000, 7)) < [0.4, 0.1, 0.3, 0.1, 0.05, 0.0, 0.2]).astype(
        np.uint8
    )
    targets[:, 3] = np.roll(targets[:, 1], 1)  # as often as another
    counts = targets.sum(axis=0)
    expected = [
        min((int(counts[label]), label) for label in np.flatnonzero(row))[1] if row.any() else 7
        for row in targets
    ]
    assert strata_of(targets).tolist() == expected
    assert strata_of(targets).dtype == np.int64


def test_memory_grows_with_texts_and_not_with_texts_times_classes():
    """Targets have a byte for each; nothing else may be as large."""
    targets = np.zeros((50_000, 400), dtype=np.uint8)
    targets[np.arange(50_000), np.arange(50_000) % 400] = 1
    tracemalloc.start()
    strata_of(targets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < targets.nbytes
