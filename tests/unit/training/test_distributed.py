"""What ranks tell each other: agreed flags, exact sums, equal bits in any number, and the loss of one of them."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.failures import PeerLostError
from bert_classifier.training.gradient_modes import OrderedGradients
from bert_classifier.training.gradient_sum import GradientSum
from bert_classifier.training.signals import Stopped, StopSignal
from support.gloo_ranks import Raised, on_ranks

LENGTH = 23


def group(number: int, length: int = LENGTH) -> torch.Tensor:
    """Return the vector of one gradient group, of numbers whose sum depends on the order of addition."""
    draw = torch.Generator().manual_seed(number)
    return torch.randn(length, generator=draw) * 10.0 ** (number % 4)


def total(distributed: DistributedContext, num_gradient_groups: int) -> bytes:
    """Return the bits of the sum of all gradient groups, brought by the ranks wave by wave."""
    parameters = [
        torch.nn.Parameter(torch.zeros(4, 5)),
        torch.nn.Parameter(torch.zeros(3)),
    ]  # 23: no rank's multiple
    gradients = GradientSum(distributed, parameters, num_gradient_groups)
    for number in range(
        distributed.rank, -(-num_gradient_groups // distributed.size) * distributed.size, distributed.size
    ):
        if number < num_gradient_groups:
            for parameter, part in gradients.views_of(group(number)):
                parameter.grad = part.clone()
        gradients.take()
        assert all(parameter.grad is None for parameter in parameters)
        gradients.add_round()
    return gradients.total()[:LENGTH].numpy().tobytes()


def test_the_gradient_as_one_vector_has_no_padding(tmp_path: Path) -> None:
    """Its norm is a sum, whose bits depend on the length: that must not depend on the number of ranks."""

    def work(distributed: DistributedContext) -> int:
        targets = [torch.nn.Parameter(torch.zeros(4, 5)), torch.nn.Parameter(torch.zeros(3))]
        sources = [torch.nn.Parameter(parameter.detach().bfloat16()) for parameter in targets]
        mode = OrderedGradients(distributed, sources, targets)
        mode.begin_batch(4)
        for group in range(distributed.rank, 4 + distributed.rank, distributed.size):
            mode.begin_group()
            for source in sources if group < 4 else ():
                source.grad = torch.ones_like(source)
            mode.end_micro_batch(is_last=True)
            mode.end_group(is_sound=True)
            mode.exchange()
        total = mode.finish()
        assert total is not None
        assert torch.equal(total, torch.full((23,), 4.0))
        return len(total)

    assert work(DistributedContext()) == 23
    for size in (2, 3):
        assert on_ranks(size, work, tmp_path) == [23] * size


@pytest.mark.parametrize("num_gradient_groups", [1, 2, 3, 4, 8])
def test_a_sum_has_the_same_bits_on_any_number_of_ranks(tmp_path: Path, num_gradient_groups: int) -> None:
    """Whoever computes the groups, and though there are more ranks than groups, they are added up in their order."""
    expected = group(0).clone()
    for number in range(1, num_gradient_groups):
        expected += group(number)
    assert total(DistributedContext(), num_gradient_groups) == expected.numpy().tobytes()
    for size in (2, 3, 4):
        assert (
            on_ranks(size, lambda distributed: total(distributed, num_gradient_groups), tmp_path)
            == [expected.numpy().tobytes()] * size
        )


def test_the_order_of_addition_would_show() -> None:
    """The numbers of the test above are such that another order gives other bits."""
    backwards = group(7).clone()
    for number in range(6, -1, -1):
        backwards += group(number)
    assert backwards.numpy().tobytes() != total(DistributedContext(), 8)


def test_a_parameter_without_a_gradient_counts_as_zeros() -> None:
    """Bit for bit, a zero's sign included: one gradient group may not use what another uses."""
    parameter = torch.nn.Parameter(torch.zeros(2))
    for has_gradient in ((True, False), (False, True)):
        gradients = GradientSum(DistributedContext(), [parameter], 2)
        for has_one in has_gradient:
            parameter.grad = torch.tensor([-0.0, 1.5]) if has_one else None
            gradients.take()
            gradients.add_round()
        assert gradients.total().numpy().tobytes() == torch.tensor([0.0, 1.5]).numpy().tobytes()


def test_a_world_of_one_says_nothing() -> None:
    """Without other ranks every call returns what it was given, without a process group."""
    distributed = DistributedContext()
    array = np.arange(3)
    distributed.join(1)
    distributed.all_reduce_sum(array)
    distributed.broadcast([torch.zeros(1)])
    distributed.check(StopSignal())
    assert (distributed.all_reduce_max(3), distributed.all_gather_json({"a": 1}), array.tolist()) == (
        3,
        [{"a": 1}],
        [0, 1, 2],
    )
    distributed.leave()


def test_ranks_agree_on_the_largest_flag(tmp_path: Path) -> None:
    """A flag that one rank raises is seen by all."""
    assert (
        on_ranks(
            3,
            lambda distributed: [distributed.all_reduce_max(0), distributed.all_reduce_max(distributed.rank)],
            tmp_path,
        )
        == [[0, 2]] * 3
    )


def test_a_stop_of_one_rank_stops_all(tmp_path: Path) -> None:
    """All leave from the same call, with the signal's name, though one alone has received it."""

    def work(distributed: DistributedContext) -> None:
        stop = StopSignal()
        distributed.check(stop)
        if distributed.rank == 1:
            stop.number = signal.SIGTERM
        distributed.check(stop)

    results = on_ranks(3, work, tmp_path)
    assert results == [Raised(Stopped, "SIGTERM", is_timeout=False)] * 3


def test_arrays_add_up_and_values_of_any_size_are_gathered(tmp_path: Path) -> None:
    """Each rank's rows arrive on all ranks as they are; JSON values come back in the order of the ranks."""

    def work(distributed: DistributedContext) -> Any:
        losses, counts = np.zeros(3), np.zeros(3, dtype=np.int64)
        losses[distributed.rank], counts[distributed.rank] = 0.1 + distributed.rank, 2**53 + distributed.rank
        distributed.all_reduce_sum(losses)
        distributed.all_reduce_sum(counts)
        return (
            losses.tolist(),
            counts.tolist(),
            distributed.all_gather_json({"rank": distributed.rank, "text": "ü" * distributed.rank}),
        )

    gathered = [{"rank": rank, "text": "ü" * rank} for rank in range(3)]
    expected = ([0.1, 1.1, 2.1], [2**53, 2**53 + 1, 2**53 + 2], gathered)
    assert on_ranks(3, work, tmp_path) == [expected] * 3


def test_tensors_of_the_first_rank_reach_all(tmp_path: Path) -> None:
    """Whatever their type and shape, a single number included."""
    first = [torch.tensor(7.0), torch.arange(6, dtype=torch.int64).view(2, 3), torch.tensor([True, False])]

    def work(distributed: DistributedContext) -> bool:
        tensors = [tensor.clone() if distributed.is_first else torch.zeros_like(tensor) for tensor in first]
        distributed.broadcast(tensors)
        return all(torch.equal(a, b) for a, b in zip(tensors, first, strict=True))

    assert on_ranks(2, work, tmp_path) == [True, True]


@pytest.mark.parametrize("how", ["killed", "left"])
def test_a_rank_that_is_gone_is_noticed_at_once(tmp_path: Path, how: str) -> None:
    """The others get an error of their own, which is not that of the time that they would wait for an answer."""

    def work(distributed: DistributedContext) -> None:
        distributed.all_reduce_max(0)
        if distributed.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL) if how == "killed" else os._exit(0)
        distributed.all_reduce_max(0)

    results = on_ranks(3, work, tmp_path)
    assert results[1] is None
    for rank in (0, 2):
        assert results[rank].kind is PeerLostError, results[rank]
        assert not results[rank].is_timeout
        assert "another process has ended" in results[rank].text


def test_a_frozen_rank_counts_as_lost_after_the_timeout(tmp_path: Path) -> None:
    """A process that is stopped neither ends nor answers; the others wait for the timeout, no longer."""

    def work(distributed: DistributedContext) -> None:
        distributed.all_reduce_max(0)
        if distributed.rank == 1:
            os.kill(os.getpid(), signal.SIGSTOP)
        distributed.all_reduce_max(0)

    started = time.monotonic()
    results = on_ranks(2, work, tmp_path, answer_seconds=5)
    assert time.monotonic() - started >= 5
    assert results[0].kind is PeerLostError, results[0]
    assert results[0].is_timeout
    assert "did not respond in time" in results[0].text
