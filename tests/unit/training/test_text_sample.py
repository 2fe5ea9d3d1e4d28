"""Samples of texts: stratified, seeded, bounded in texts and tokens."""

import numpy as np
import pytest

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.training.batching import Split
from bert_classifier.training.text_sample import sample_texts


def split_of(counts: list[int], length: int = 10) -> Split:
    """Return so many texts per class, each of the same number of tokens."""
    texts = sum(counts)
    ids = np.zeros(texts * length, dtype=np.int32)
    encoded = EncodedTexts(ids, np.arange(texts + 1) * length, np.zeros(texts, dtype=bool))
    return Split(encoded, np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts)))


def classes_of(split: Split, indices: np.ndarray) -> list[int]:
    """Return how many of the texts are of each class."""
    return np.bincount(split.targets[indices], minlength=int(split.targets.max()) + 1).tolist()


@pytest.mark.parametrize("every_class", [True, False])
def test_each_class_has_its_share(every_class):
    """Of 3,000 texts 1,000 are taken, of each class a third, once each and in order."""
    split = split_of([1500, 900, 600])
    indices = sample_texts(split, 1, 10**9, every_class=every_class)
    assert classes_of(split, indices) == pytest.approx([500, 300, 200], abs=1)
    assert len(indices) == 1000
    assert (np.diff(indices) > 0).all()


def test_small_channels_are_taken_whole():
    """There is nothing to draw."""
    assert sample_texts(split_of([30, 20]), 1, 10**9, every_class=True).tolist() == [*range(50)]


def test_tokens_bound_the_sample():
    """40 texts of 10 tokens fit into 405."""
    assert len(sample_texts(split_of([300, 300]), 1, 405, every_class=True)) == 40


def test_rare_classes_come_first_where_each_is_wanted():
    """With room for hardly any text, each of 20 classes still has one; for scoring, texts are as they occur."""
    split = split_of([2000] + [2] * 19)
    assert classes_of(split, sample_texts(split, 1, 0, every_class=True)) == [1] * 20
    assert classes_of(split, sample_texts(split, 1, 0, every_class=False))[0] == 16


def test_the_seed_draws_the_texts():
    """The same seed the same texts, another one others."""
    split = split_of([2000, 2000])
    drawn = [sample_texts(split, seed, 10**9, every_class=True).tolist() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_of_several_labels_the_rarest_decides():
    """Each label keeps its share, and so do texts without any; a label of few texts is in the smallest sample."""
    draw = np.random.default_rng(0)
    targets = (draw.random((3000, 4)) < [0.5, 0.3, 0.1, 0.002]).astype(np.uint8)
    split = Split(split_of([3000]).encoded, targets)
    shares = targets.mean(axis=0)
    indices = sample_texts(split, 1, 10**9, every_class=False)
    np.testing.assert_allclose(targets[indices].mean(axis=0), shares, atol=0.02)
    assert (~targets[indices].any(axis=1)).mean() == pytest.approx((~targets.any(axis=1)).mean(), abs=0.01)
    few = targets[sample_texts(split, 1, 1, every_class=True)]
    assert len(few) == 16
    assert few.any(axis=0).all()
