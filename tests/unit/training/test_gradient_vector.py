"""The gradient as one float32 vector: every micro-batch counts, whatever the precision of its gradients."""

from collections.abc import Sequence

import pytest
import torch
from torch.nn import functional

from bert_classifier.training.gradient_vector import GradientVector

SHAPES = ((3, 2), (4,), (2, 2))


def parameters(*shapes: tuple[int, ...], kind: torch.dtype = torch.float32) -> list[torch.nn.Parameter]:
    """Return parameters of ones."""
    return [torch.nn.Parameter(torch.ones(shape, dtype=kind)) for shape in shapes]


def add_batch(vector: GradientVector, micro_batches: Sequence[Sequence[float | None]]) -> None:
    """Add micro-batches in which each parameter, in the order given to the vector, has a gradient of one value."""
    vector.clear()
    for values in micro_batches:
        for source, value in zip(reversed(vector.sources), values, strict=True):
            if value is not None:
                (source * value).sum().backward()
        vector.add()
    vector.give(vector.used)


def test_a_sum_that_bf16_would_lose():
    """64 gradients of 1 beside one of 256: bfloat16, with 8 significant bits, would add none of them."""
    sources, targets = parameters((2,), kind=torch.bfloat16), parameters((2,))
    vector = GradientVector(sources, targets)
    add_batch(vector, [[256.0]] + [[1.0]] * 64)
    assert targets[0].grad is not None
    assert targets[0].grad.dtype == torch.float32
    assert targets[0].grad.tolist() == [320.0, 320.0]
    alone = parameters((2,), kind=torch.bfloat16)[0]  # as torch itself accumulates
    for value in [256.0] + [1.0] * 64:
        (alone * value).sum().backward()
    assert alone.grad is not None
    assert alone.grad.tolist() == [256.0, 256.0]


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_each_gradient_reaches_its_own_parameter(kind: torch.dtype) -> None:
    """Also where parts are added by themselves; every target has its shape, and a second batch replaces the first."""
    sources, targets = parameters(*SHAPES, kind=kind), parameters(*SHAPES)
    vector = GradientVector(sources, targets)
    add_batch(vector, [[7.0, 7.0, 7.0]])
    add_batch(vector, [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    whole = vector.values.clone()
    for target, expected in zip(targets, (11.0, 22.0, 33.0), strict=True):
        assert target.grad is not None
        assert target.grad.shape == target.shape
        assert (target.grad == expected).all()
    vector.clear()
    for _ in range(2):
        for source, value in zip(sources, (5.5, 11.0, 16.5), strict=True):
            (source * value).sum().backward()
        vector.add_range(0, 2)
        vector.add_range(2, 3)
        vector.end_micro_batch()
    assert torch.equal(vector.give(vector.used), whole)
    assert all(source.grad is None for source in sources)


def test_parameters_that_backward_misses():
    """Never reached: no gradient, hence no weight decay. Missed by one batch or micro-batch: what the others gave."""
    sources, targets = parameters((2,), (2,), (2,), kind=torch.bfloat16), parameters((2,), (2,), (2,))
    vector = GradientVector(sources, targets)
    add_batch(vector, [[1.0, None, None], [1.0, 4.0, None]])
    always, sometimes, never = targets
    assert never.grad is None
    assert always.grad is not None
    assert sometimes.grad is not None
    assert always.grad.tolist() == [2.0, 2.0]
    assert sometimes.grad.tolist() == [4.0, 4.0]
    add_batch(vector, [[3.0, None, None]])
    assert sometimes.grad.tolist() == [0.0, 0.0]  # nothing of the batch before
    assert never.grad is None
    optimizer = torch.optim.AdamW(targets, lr=0.1, weight_decay=0.5)
    optimizer.step()
    assert never.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_sparse_gradients_are_the_dense_ones(kind: torch.dtype) -> None:
    """Rows that a micro-batch uses twice or not at all, over several micro-batches."""
    table, dense = (torch.nn.Embedding(50, 4, dtype=kind, sparse=sparse) for sparse in (True, False))
    dense.load_state_dict(table.state_dict())
    found = []
    for source in (table, dense):
        target = torch.nn.Parameter(source.weight.detach().float())
        vector = GradientVector(list(source.parameters()), [target])
        vector.clear()
        for ids in ([1, 2, 2], [49, 2], [7]):
            (source(torch.tensor(ids)) * torch.arange(1, 5)).sum().backward()
            vector.add()
        vector.give(vector.used)
        assert target.grad is not None
        found.append(target.grad)
    assert torch.equal(*found)
    assert found[0][2].tolist() == [3.0, 6.0, 9.0, 12.0]


def test_a_shared_weight_has_the_sum_of_its_uses():
    """Tied parameters are one: it comes once, with the gradient of both places."""
    first, second = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
    second.weight = first.weight
    model = torch.nn.Sequential(first, torch.nn.Tanh(), second)
    texts = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    functional.mse_loss(model(texts), texts).backward()
    assert first.weight.grad is not None
    expected = first.weight.grad.clone()
    own = list(model.parameters())
    assert len(own) == 3
    vector = GradientVector(own, own)
    vector.clear()
    functional.mse_loss(model(texts), texts).backward()
    vector.add()
    vector.give(vector.used)
    assert torch.equal(first.weight.grad, expected)
