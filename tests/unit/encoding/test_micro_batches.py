"""The cut into micro-batches: nothing lost, within the budgets, and no cut is cheaper."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.encoding.micro_batches import (
    pad,
    plan_even_micro_batches,
    plan_gradient_groups,
    plan_micro_batches,
)
from bert_classifier.encoding.text_encoder import EncodedTexts

PIECE_COST = 32  # what a micro-batch costs besides its tokens; fixed, so that plans stay what they are

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=80).map(np.array)
BUDGETS = st.integers(1, 2000)
MOST_ROWS = st.none() | st.integers(1, 20)


def cost_of(lengths: np.ndarray, micro_batches: list[np.ndarray]) -> int:
    """Return the padded tokens of a plan plus the fixed cost of each micro-batch."""
    return sum(
        len(micro_batch) * int(lengths[micro_batch].max()) + PIECE_COST for micro_batch in micro_batches
    )


def fits(lengths: np.ndarray, micro_batch: np.ndarray, max_tokens: int, max_rows: int | None) -> bool:
    """Say whether a micro-batch keeps both budgets; a lone text always does."""
    within = len(micro_batch) * int(lengths[micro_batch].max()) <= max_tokens and len(micro_batch) <= (
        max_rows or len(micro_batch)
    )
    return within or len(micro_batch) == 1


def partitions(rows: list[int]) -> Iterator[list[list[int]]]:
    """Yield every way to put rows into groups, whatever their order."""
    if not rows:
        yield []
        return
    for rest in partitions(rows[1:]):
        yield [[rows[0]], *rest]
        for index, group in enumerate(rest):
            yield [*rest[:index], [rows[0], *group], *rest[index + 1 :]]


@given(lengths=LENGTHS, max_tokens=BUDGETS, max_rows=MOST_ROWS)
def test_every_text_is_in_one_micro_batch(lengths, max_tokens, max_rows):
    """The micro-batches are a partition of all rows, whatever the budgets."""
    micro_batches = plan_micro_batches(lengths, max_tokens, max_rows)
    assert sorted(np.concatenate(micro_batches).tolist()) == list(range(len(lengths)))
    assert all(micro_batch.dtype == np.int64 for micro_batch in micro_batches)


@given(lengths=LENGTHS, max_tokens=BUDGETS, max_rows=MOST_ROWS)
def test_budgets_hold(lengths, max_tokens, max_rows):
    """Rows × longest is within the budget, and so is the number of rows; only a lone text may be longer."""
    for micro_batch in plan_micro_batches(lengths, max_tokens, max_rows):
        assert fits(lengths, micro_batch, max_tokens, max_rows)


@given(lengths=LENGTHS, max_tokens=BUDGETS, max_rows=MOST_ROWS)
def test_texts_of_like_length_are_together(lengths, max_tokens, max_rows):
    """Read from the first micro-batch to the last, lengths only rise, and texts of one length keep their order."""
    order = np.concatenate(plan_micro_batches(lengths, max_tokens, max_rows))
    assert order.tolist() == sorted(range(len(lengths)), key=lambda row: lengths[row])


@given(
    lengths=st.lists(st.integers(1, 120), min_size=1, max_size=6).map(np.array),
    max_tokens=st.integers(1, 500),
    max_rows=st.none() | st.integers(1, 6),
)
def test_no_grouping_is_cheaper(lengths, max_tokens, max_rows):
    """Of all ways to group the texts within the budgets, sorted or not, none costs less."""
    plans = ([np.array(group) for group in groups] for groups in partitions(list(range(len(lengths)))))
    allowed = (p for p in plans if all(fits(lengths, micro_batch, max_tokens, max_rows) for micro_batch in p))
    best = min(cost_of(lengths, micro_batches) for micro_batches in allowed)
    assert cost_of(lengths, plan_micro_batches(lengths, max_tokens, max_rows)) == best


@given(lengths=LENGTHS, max_tokens=BUDGETS, max_rows=MOST_ROWS)
def test_without_padding_a_micro_batch_holds_the_sum_of_its_texts(lengths, max_tokens, max_rows):
    """Every text is in one micro-batch, all are within the budgets, and there are no more than it takes."""
    micro_batches = plan_micro_batches(lengths, max_tokens, max_rows, is_padded=False)
    assert sorted(np.concatenate(micro_batches).tolist()) == list(range(len(lengths)))
    for micro_batch in micro_batches:
        most = len(micro_batch) <= (max_rows or len(micro_batch))
        assert (lengths[micro_batch].sum() <= max_tokens and most) or len(micro_batch) == 1
    fewest, rest = 0, sorted(lengths)
    while rest:  # as many of the longest as fit: of cuts in order of length none has fewer
        fewest, tokens, rows = fewest + 1, 0, 0
        while rest and (not rows or (tokens + rest[-1] <= max_tokens and rows < (max_rows or len(lengths)))):
            tokens, rows = tokens + rest.pop(), rows + 1
    assert len(micro_batches) == fewest


@given(
    lengths=LENGTHS,
    max_tokens=BUDGETS,
    max_rows=MOST_ROWS,
    gradient_groups=st.integers(2, 4),
    is_padded=st.booleans(),
)
def test_gradient_groups_get_as_many_micro_batches(lengths, max_tokens, max_rows, gradient_groups, is_padded):
    """Nothing is lost, the budgets hold, and there are as many as the cheapest cut has, rounded up to the groups."""
    cheapest = plan_micro_batches(lengths, max_tokens, max_rows, is_padded=is_padded)
    micro_batches = plan_gradient_groups(lengths, max_tokens, gradient_groups, max_rows, is_padded=is_padded)
    assert sorted(np.concatenate(micro_batches).tolist()) == list(range(len(lengths)))
    assert len(micro_batches) <= -(-len(cheapest) // gradient_groups) * gradient_groups
    for micro_batch in micro_batches:
        tokens = (
            lengths[micro_batch].sum() if not is_padded else len(micro_batch) * lengths[micro_batch].max()
        )
        assert tokens <= max(max_tokens, lengths.max())  # a text cannot be cut
        assert len(micro_batch) <= (max_rows or len(micro_batch))


@given(lengths=LENGTHS, max_tokens=BUDGETS, max_rows=MOST_ROWS, gradient_groups=st.integers(1, 4))
def test_even_micro_batches_are_as_few_and_no_larger(lengths, max_tokens, max_rows, gradient_groups):
    """Nothing is lost, a budget without slack is a maximum, and none beyond the fewest, rounded up to the groups."""
    fewest = len(plan_micro_batches(lengths, max_tokens, max_rows, is_padded=False))
    even = plan_even_micro_batches(lengths, max_tokens, gradient_groups, max_rows)
    assert sorted(np.concatenate(even).tolist()) == list(range(len(lengths)))
    assert len(even) <= -(-fewest // gradient_groups) * gradient_groups
    assert all(lengths[micro_batch].sum() <= max(max_tokens, lengths.max()) for micro_batch in even)
    assert all(len(micro_batch) <= (max_rows or len(micro_batch)) for micro_batch in even)


@given(lengths=LENGTHS, max_tokens=BUDGETS)
def test_even_micro_batches_are_of_about_equal_size(lengths, max_tokens):
    """None is larger than the mean by more than the longest text, which cannot be cut."""
    even = plan_even_micro_batches(lengths, max_tokens)
    assert max(lengths[micro_batch].sum() for micro_batch in even) < lengths.sum() / len(even) + lengths.max()


@pytest.mark.parametrize(
    ("texts", "slack", "sizes"),
    [(1036, 0.125, [16576]), (1036, 0.0, [8288, 8288]), (1153, 0.125, [9216, 9232]), (1000, 0.125, [16000])],
    ids=[
        "a small rest",
        "a small rest, but the budget is a maximum",
        "beyond the slack",
        "within the budget",
    ],
)
def test_a_small_rest_of_a_batch_is_no_pass_of_its_own(texts, slack, sizes):
    """Texts of 16 tokens and a budget of 16,384: the budget is exceeded by an eighth at most to save a pass."""
    lengths = np.full(texts, 16)
    even = plan_even_micro_batches(lengths, 16_384, slack=slack)
    assert [int(lengths[micro_batch].sum()) for micro_batch in even] == sizes


def test_one_row_per_micro_batch():
    """A budget of one row, or of one token, computes the texts one by one."""
    lengths = np.array([5, 3, 9])
    for micro_batches in (plan_micro_batches(lengths, 10_000, 1), plan_micro_batches(lengths, 1)):
        assert [micro_batch.tolist() for micro_batch in micro_batches] == [[1], [0], [2]]


def test_texts_of_one_length_fill_the_budget():
    """Equal texts are cut into as few micro-batches as the budget allows."""
    micro_batches = plan_micro_batches(np.full(100, 10), 300)
    assert sorted(map(len, micro_batches)) == [10, 30, 30, 30]


def test_a_long_text_is_not_padded_to():
    """One text of 500 tokens does not blow up 40 texts of 10."""
    micro_batches = plan_micro_batches(np.array([10] * 20 + [500] + [10] * 20), 100_000)
    assert [len(micro_batch) for micro_batch in micro_batches] == [40, 1]


def test_plan_is_always_the_same():
    """The same lengths give the same plan: a resumed run computes the micro-batches of the first."""
    lengths = np.random.default_rng(0).integers(2, 200, size=500)
    plans = [[micro_batch.tolist() for micro_batch in plan_micro_batches(lengths, 2000)] for _ in range(2)]
    assert plans[0] == plans[1]


def test_no_texts_are_no_micro_batches():
    """Nothing to compute is an empty plan."""
    assert plan_micro_batches(np.zeros(0, dtype=np.int64), 100) == []
    assert plan_even_micro_batches(np.zeros(0, dtype=np.int64), 100) == []


def encoded_of(texts: list[list[int]]) -> EncodedTexts:
    """Return token ids as the encoder would."""
    offsets = np.cumsum([0, *map(len, texts)])
    flat = np.array([token for text in texts for token in text], dtype=np.int32)
    return EncodedTexts(flat, offsets, np.zeros(len(texts), dtype=bool))


TEXTS = st.lists(st.lists(st.integers(1, 2**31 - 1), min_size=1, max_size=12), min_size=1, max_size=8)


@given(texts=TEXTS, pad_id=st.integers(0, 3), data=st.data())
def test_padding_can_be_undone(texts, pad_id, data):
    """Each row holds its text's tokens, then only padding, and the mask tells the two apart."""
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, max_size=8))
    ids, mask = pad(encoded_of(texts), np.array(rows), pad_id)
    assert ids.shape == (len(rows), max(len(texts[row]) for row in rows))
    for row, line in zip(rows, ids.tolist(), strict=True):
        assert line == texts[row] + [pad_id] * (len(line) - len(texts[row]))
    if mask is not None:
        assert mask.shape == ids.shape
        assert mask.tolist() == [[int(i < len(texts[r])) for i in range(ids.shape[1])] for r in rows]
    assert (mask is None) == (len({len(texts[row]) for row in rows}) == 1)


@pytest.mark.parametrize("texts", [[[4, 5], [6]], [[4, 5], [6, 7]]])
def test_tensors_are_what_models_take(texts):
    """Ids and mask are int64, as embeddings and masks of transformers want them."""
    ids, mask = pad(encoded_of(texts), np.array([0, 1]), 0)
    assert ids.dtype == torch.int64
    assert mask is None or mask.dtype == torch.int64
