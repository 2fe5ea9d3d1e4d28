"""Texts with several labels are divided so that each part has its share of every label; the same for a seed."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.examples import Examples, stratified_split
from bert_classifier.data.stratified import folds_of_sets, held_out_sets
from bert_classifier.errors import UserError


def drawn(seed=0):
    """Return a generator."""
    return np.random.Generator(np.random.Philox(seed))


def some_targets(texts, shares, seed=1):
    """Return random targets in which each label has a share of the texts."""
    return (drawn(seed).random((texts, len(shares))) < np.array(shares)).astype(np.uint8)


def test_each_label_has_its_share_held_out():
    """Frequent and rare ones: to a text or two, where chance would miss by more."""
    targets = some_targets(2000, [0.5, 0.3, 0.1, 0.05, 0.01])
    held_out = held_out_sets(targets, 0.1, drawn())
    counts, out = targets.sum(axis=0), targets[held_out].sum(axis=0)
    assert np.abs(out - 0.1 * counts).max() <= 2
    assert abs(held_out.sum() - 200) <= 10


def test_folds_have_as_many_texts_and_labels():
    """Of each label, a text or two more or less."""
    targets = some_targets(1003, [0.4, 0.2, 0.1, 0.02])
    folds = folds_of_sets(targets, 5, drawn())
    assert np.ptp(np.bincount(folds, minlength=5)) <= 6
    counts = np.stack([targets[folds == fold].sum(axis=0) for fold in range(5)])
    assert np.ptp(counts, axis=0).max() <= 3


@given(
    st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=2, max_size=30),
    st.floats(0.01, 0.5),
    st.integers(0, 5),
)
def test_any_sets_are_divided(rows, share, seed):
    """Every text is in one part; a label with one text stays; the same draw gives the same."""
    targets = np.array(rows, dtype=np.uint8)
    held_out = held_out_sets(targets, share, drawn(seed))
    assert held_out.tolist() == held_out_sets(targets, share, drawn(seed)).tolist()
    assert held_out.shape == (len(rows),)
    folds = folds_of_sets(targets, 2, drawn(seed))
    assert {*folds.tolist()} <= {0, 1}
    assert np.ptp(np.bincount(folds, minlength=2)) <= len(rows) // 2 + 1


def test_split_of_examples():
    """Both parts have every label, in the original order; where nothing can be held out, that is said."""
    targets = some_targets(300, [0.3, 0.2, 0.05])
    train, validation = stratified_split(Examples([f"text {n}" for n in range(300)], targets), 0.1, 42)
    assert len(train) + len(validation) == 300
    assert train.targets.any(axis=0).all()
    assert validation.targets.any(axis=0).all()
    assert validation.targets.dtype == np.uint8
    numbers = [int(text.split()[1]) for text in validation.texts]
    assert numbers == sorted(numbers)
    assert targets[numbers].tolist() == validation.targets.tolist()
    with pytest.raises(UserError, match="nothing can be held out"):
        stratified_split(Examples(["a"], targets[:1]), 0.1, 42)


def test_a_hundred_thousand_texts_are_divided_in_seconds():
    """Of a hundred labels."""
    targets = some_targets(100_000, [0.02] * 100)
    started = time.process_time()
    held_out = held_out_sets(targets, 0.1, drawn())
    assert time.process_time() - started < 15
    assert np.abs(targets[held_out].sum(axis=0) / targets.sum(axis=0) - 0.1).max() < 0.02


def test_many_rare_labels_hold_out_more_and_the_log_says_so(caplog):
    """Of 300 labels with four texts each, one text should be held out: more than a tenth of 400 texts."""
    targets = np.zeros((400, 300), dtype=np.uint8)
    draw = drawn(3)
    for label in range(300):
        targets[draw.choice(400, 4, replace=False), label] = 1
    held_out = held_out_sets(targets, 0.1, drawn())
    assert held_out.sum() > 60
    assert f"{held_out.sum()} texts are held out for validation, where about 40 were asked for" in caplog.text
    caplog.clear()
    held_out_sets(some_targets(400, [0.3, 0.2]), 0.1, drawn())
    assert not caplog.text
