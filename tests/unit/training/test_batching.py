"""The order of the texts: a permutation an epoch, made of seed and epoch alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.training.batching import EpochOrder, derive_seed

SIZES = st.tuples(st.integers(1, 200), st.integers(1, 250), st.integers(0, 2**32 - 1))


def epoch_of(order: EpochOrder, epoch: int) -> list[np.ndarray]:
    """Return the batches of an epoch."""
    first = epoch * order.steps_per_epoch
    return [order.batch(first + step) for step in range(order.steps_per_epoch)]


@given(sizes=SIZES, epoch=st.integers(0, 5))
def test_an_epoch_is_a_permutation(sizes, epoch):
    """Each text is in exactly one batch of an epoch."""
    rows = np.concatenate(epoch_of(EpochOrder(*sizes), epoch))
    assert sorted(rows.tolist()) == list(range(sizes[0]))


@given(sizes=SIZES)
def test_only_the_last_batch_is_smaller(sizes):
    """All batches are full but the last, which keeps what is left."""
    number, batch, seed = sizes
    lengths = [len(rows) for rows in epoch_of(EpochOrder(number, batch, seed), 0)]
    assert lengths[:-1] == [batch] * (len(lengths) - 1)
    assert lengths[-1] == (number % batch or batch)
    assert len(lengths) == -(-number // batch)


def test_batches_are_int64():
    """Rows index arrays and tensors alike."""
    assert EpochOrder(5, 2, 0).batch(0).dtype == np.int64


@given(steps=st.lists(st.integers(0, 60), min_size=1, max_size=12))
def test_a_step_does_not_depend_on_the_steps_before(steps):
    """Asked in any order, forwards, backwards or twice, a step is the same: a resumed run needs no replay."""
    shared = EpochOrder(37, 8, 5)
    for step in steps:
        assert shared.batch(step).tolist() == EpochOrder(37, 8, 5).batch(step).tolist()


def test_order_does_not_depend_on_the_batch_size():
    """The global batch cuts the epoch's order; it does not change it."""
    orders = [np.concatenate(epoch_of(EpochOrder(50, batch, 9), 2)).tolist() for batch in (1, 7, 50, 999)]
    assert orders[0] == orders[1] == orders[2] == orders[3]


def test_epochs_and_seeds_have_orders_of_their_own():
    """Neither two epochs nor two seeds share an order."""
    orders = {
        tuple(np.concatenate(epoch_of(EpochOrder(40, 8, seed), epoch)).tolist())
        for seed in (0, 1, 2**32 - 1)
        for epoch in (0, 1, 2)
    }
    assert len(orders) == 9


def test_orders_are_those_of_earlier_versions():
    """The order is part of what a checkpoint means: a newer version must not resume into another one."""
    assert EpochOrder(8, 8, 42).batch(0).tolist() == [2, 4, 0, 7, 5, 1, 6, 3]
    assert derive_seed(42, "order", 0) == 4739343602235701392


def test_global_random_state_does_not_matter():
    """Neither reads the order torch's generator nor does it move it."""
    import torch

    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = EpochOrder(20, 4, 3).batch(0).tolist()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert EpochOrder(20, 4, 3).batch(0).tolist() == first


@given(
    seeds=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    steps=st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)),
)
def test_derived_seeds_differ_by_seed_and_purpose(seeds, steps):
    """Two purposes share a seed only if they are the same; every seed fits torch's generator."""
    one, other = (derive_seed(seed, "dropout", step, 0) for seed, step in zip(seeds, steps, strict=True))
    assert 0 <= one < 2**63
    assert (one == other) == ((seeds[0], steps[0]) == (seeds[1], steps[1]))


@pytest.mark.parametrize(
    ("one", "other"), [(("a", 1, 23), ("a", 12, 3)), (("a", 1), ("a", 1, 0)), (("a",), ("b",))]
)
def test_purposes_do_not_run_into_each_other(one, other):
    """Step 1, micro-batch 23 is not step 12, micro-batch 3."""
    assert derive_seed(7, *one) != derive_seed(7, *other)
