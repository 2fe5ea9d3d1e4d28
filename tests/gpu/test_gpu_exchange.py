"""The ranks' exchange on a GPU: NCCL, hooks on autograd's thread, streams. One rank suffices to run all of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.gradient_modes import GradientMode, OrderedGradients, OverlappedGradients
from bert_classifier.training.timing import SyncTimer

GPU = torch.device("cuda", 0)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[DistributedContext]:
    """Return a rank that is alone in its process groups, of gloo and NCCL."""
    dist.init_process_group(
        "cpu:gloo,cuda:nccl", rank=0, world_size=1, init_method=f"file://{tmp_path}/store"
    )
    try:
        yield DistributedContext()
    finally:
        dist.destroy_process_group()


def layers() -> torch.nn.Sequential:
    """Return a model on the GPU, with weights of odd sizes."""
    torch.manual_seed(0)
    return torch.nn.Sequential(*(torch.nn.Linear(65, 65) for _ in range(8))).to(GPU)


def gradient_through(mode: GradientMode, model: torch.nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Return the gradient of two micro-batches."""
    mode.begin_batch(1)
    mode.begin_group()
    for number, part in enumerate(inputs.chunk(2)):
        mode.begin_micro_batch(is_last=number == 1)
        model(part).square().sum().backward()
        mode.end_micro_batch(is_last=number == 1)
    mode.end_group(is_sound=True)
    mode.exchange()
    mode.finish()
    return torch.cat(
        [parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None]
    )


@pytest.mark.parametrize("mode_of", [OrderedGradients, OverlappedGradients])
def test_the_gradient_is_autograds(alone, mode_of):
    """Also when the next batch begins at once: nothing is sent or overwritten too early."""
    model, reference = layers(), layers()
    parameters = list(model.parameters())
    mode = mode_of(alone, parameters, parameters)
    for seed in range(4):
        inputs = torch.randn(512, 65, device=GPU, generator=torch.Generator(GPU).manual_seed(seed))
        found = gradient_through(mode, model, inputs)
        reference.zero_grad()
        reference(inputs).square().sum().backward()
        wanted = torch.cat([p.grad.flatten() for p in reference.parameters() if p.grad is not None])
        assert float((found - wanted).norm() / wanted.norm()) < 1e-4


def test_the_time_of_an_exchange_is_the_gpus(alone):
    """Known once the GPU has passed it, and the host does not wait for it."""
    timer, tensor = SyncTimer(GPU, 2), torch.ones(1_000_000, device=GPU)
    with timer:
        alone.wait(alone.start_sum(tensor))
    torch.cuda.synchronize()
    assert timer.take() > 0
    assert timer.take() == 0
