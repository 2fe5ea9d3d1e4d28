"""Without `reproducible`, ranks exchange gradients while backward computes: the same gradient, the same failures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.gradient_modes import OverlappedGradients
from bert_classifier.training.gradient_vector import GradientVector
from bert_classifier.training.overlapped_sum import OverlappedSum
from bert_classifier.training.trainer import Trainer
from support.fakes import ARCHITECTURES
from support.gloo_ranks import Raised, on_ranks
from support.toy_trainer import gradient_of, make_trainer

# Batches of 12, the last one of 8; some micro-batches per rank.
SETTINGS: dict[str, Any] = {
    "rows": 20, "global_batch_size": 12, "num_train_epochs": 2, "learning_rate": 2e-3, "class_weights": "balanced",
    "reproducible": "false", "max_tokens_per_micro_batch": 64,
}  # fmt: skip


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an encoder, made before ranks are forked."""
    folder = tmp_path_factory.mktemp("encoder")
    make_trainer(folder)
    return folder


def distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the distance of two gradients, relative to the second."""
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def batch_gradients(
    folder: Path, settings: dict[str, Any]
) -> Callable[[DistributedContext], list[np.ndarray]]:
    """Return a rank's work: the gradients of a full and of a ragged batch."""

    def work(distributed: DistributedContext) -> list[np.ndarray]:
        trainer = make_trainer(folder, distributed=distributed, dropout=0.0, **{**SETTINGS, **settings})
        is_overlapped = isinstance(trainer.engine.accumulator.mode, OverlappedGradients)
        assert is_overlapped is (distributed.size > 1)
        gradients = []
        for step in (0, 1):
            trainer.accumulate_gradients(trainer.order.batch(step), step)
            gradients.append(gradient_of(trainer))
        return gradients

    return work


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_gradient_is_that_of_the_whole_batch(tmp_path: Path, architecture: str) -> None:
    """On 2 and 4 ranks as on one, in one micro-batch or several: relative error below 1e-5."""
    settings = {"architecture": architecture}
    whole = batch_gradients(tmp_path, {**settings, "max_tokens_per_micro_batch": 100_000})(
        DistributedContext()
    )
    for size in (2, 4):
        for rank in on_ranks(size, batch_gradients(tmp_path, settings), tmp_path):
            assert not isinstance(rank, Raised), rank
            for ours, theirs in zip(rank, whole, strict=True):
                assert distance(ours, theirs) < 1e-5


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_batch_of_fewer_texts_than_ranks(encoder: Path, tmp_path: Path, precision: str) -> None:
    """Ranks without a text take part in the exchange and end with the same gradient."""
    settings = {"rows": 5, "global_batch_size": 3, "precision": precision}
    one = batch_gradients(encoder, settings)(DistributedContext())
    for rank in on_ranks(4, batch_gradients(encoder, settings), tmp_path):
        for ours, theirs in zip(rank, one, strict=True):
            assert distance(ours, theirs) < (1e-5 if precision == "fp32" else 0.02)


def trained(folder: Path, **settings: Any) -> Callable[[DistributedContext], Any]:
    """Return a rank's work: to train to the end and tell weights and scores."""

    def work(distributed: DistributedContext) -> Any:
        trainer = make_trainer(folder, distributed=distributed, dropout=0.0, **{**SETTINGS, **settings})
        trainer.fit()
        weights = torch.cat([p.detach().flatten() for p in trainer.model.parameters()])
        result = trainer.evaluate(trainer.validation)
        return weights.numpy(), result.loss, trainer.state.token_budget

    return work


def test_training_ends_in_the_same_weights_but_for_rounding(encoder: Path, tmp_path: Path) -> None:
    """All ranks have the same weights, bit for bit; those of another number of ranks differ by rounding."""
    one, _, _ = trained(encoder)(DistributedContext())
    for size in (2, 3):
        (first, loss, _), *others = on_ranks(size, trained(encoder), tmp_path)
        assert distance(first, one) < 1e-4
        for weights, other_loss, _ in others:
            assert np.array_equal(weights, first)
            assert other_loss == loss


def test_a_rank_out_of_memory_in_backward_makes_all_repeat_the_step(encoder: Path, tmp_path: Path) -> None:
    """It fails when some gradients are already under way: nobody waits for ever, and the gradient is the batch's."""

    def work(distributed: DistributedContext) -> Any:
        settings = {**SETTINGS, "max_tokens_per_micro_batch": 1000}
        trainer = make_trainer(encoder, distributed=distributed, dropout=0.0, **settings)
        if distributed.rank == 1:
            fail_once_in_backward(trainer)
        before = trainer.state.token_budget
        trainer.accumulate_gradients(trainer.order.batch(0), 0)
        return before, trainer.state.token_budget, gradient_of(trainer)

    (whole, _) = batch_gradients(encoder, {})(DistributedContext())
    for rank in on_ranks(2, work, tmp_path):
        assert not isinstance(rank, Raised), rank
        before, after, gradient = rank
        assert after < before
        assert distance(gradient, whole) < 1e-5


def fail_once_in_backward(trainer: Trainer) -> None:
    """Let memory run out when the gradient of the first layer is computed, the last one that backward reaches."""
    failures = iter([True])

    def refuse(_gradient: torch.Tensor) -> None:
        if next(failures, False):
            raise torch.OutOfMemoryError("CUDA out of memory.")

    trainer.model.get_parameter("bert.encoder.layer.0.attention.self.query.weight").register_hook(refuse)


def test_a_rank_out_of_memory_while_it_sends_makes_the_same_calls(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sum of micro-batches takes memory too: where it fails after backward, the rest is sent all the same."""

    def work(distributed: DistributedContext) -> Any:
        trainer = make_trainer(
            encoder, distributed=distributed, dropout=0.0, **{**SETTINGS, "max_tokens_per_micro_batch": 1000}
        )
        hold_back_the_first_bucket(trainer)
        if distributed.rank == 1:
            failures = iter([True])
            add_range = GradientVector.add_range

            def adding(vector: GradientVector, begin: int, end: int) -> None:
                if next(failures, False):
                    raise torch.OutOfMemoryError("CUDA out of memory.")
                add_range(vector, begin, end)

            monkeypatch.setattr(GradientVector, "add_range", adding)
        trainer.accumulate_gradients(trainer.order.batch(0), 0)
        return gradient_of(trainer)

    (whole, _) = batch_gradients(encoder, {})(DistributedContext())
    for gradient in on_ranks(2, work, tmp_path):
        assert not isinstance(gradient, Raised), gradient
        assert distance(gradient, whole) < 1e-5


def hold_back_the_first_bucket(trainer: Trainer) -> None:
    """Send nothing before backward has ended, as where a parameter of the first bucket is not used."""
    mode = trainer.engine.accumulator.mode
    assert isinstance(mode, OverlappedGradients)
    mode.begin_micro_batch = lambda *, is_last: None  # type: ignore[method-assign]


def test_the_sum_is_that_of_torchs_own_data_parallel(tmp_path: Path) -> None:
    """On 3 ranks with other texts each, small buckets: the gradient is DistributedDataParallel's times the ranks."""

    def work(distributed: DistributedContext) -> Any:
        torch.manual_seed(0)
        model = torch.nn.Sequential(*[torch.nn.Linear(20, 20) for _ in range(6)])
        texts = torch.randn(8, 20, generator=torch.Generator().manual_seed(distributed.rank))
        parallel = DistributedDataParallel(model)
        functional.mse_loss(parallel(texts), texts).backward()
        theirs = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        theirs = theirs * distributed.size
        for parameter in model.parameters():
            parameter.grad = None
        own = torch.nn.Sequential(*[torch.nn.Linear(20, 20) for _ in range(6)])
        own.load_state_dict(model.state_dict())
        parameters = list(own.parameters())
        vector = GradientVector(parameters, parameters)
        exchange = OverlappedSum(distributed, vector, bucket_bytes=4 * 900)
        vector.clear()
        exchange.begin()
        exchange.arm()
        functional.mse_loss(own(texts), texts).backward()
        sent = exchange.num_sent
        exchange.finish(is_sound=True)
        vector.give(vector.used)
        ours = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
        return sent, ours.numpy(), theirs.numpy()

    for sent, ours, theirs in on_ranks(3, work, tmp_path):
        assert sent >= 2  # before backward had ended
        assert distance(ours, theirs) < 1e-6
