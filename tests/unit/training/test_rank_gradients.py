"""Several ranks train as one: the gradient of the whole batch, the same scores, the same bits, errors on all alike."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bert_classifier.errors import PlatformError, UserError
from bert_classifier.training.device import OVERHEAD_TOKENS
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.state.snapshot import broadcast_checkpoint, take_snapshot
from bert_classifier.training.trainer import Trainer
from support.fakes import ARCHITECTURES
from support.gloo_ranks import Raised, on_ranks
from support.toy_trainer import evaluated, gradient_of, make_trainer

# Batches of 12, the last one of 8.
SETTINGS: dict[str, Any] = {
    "rows": 20, "global_batch_size": 12, "num_train_epochs": 2, "learning_rate": 2e-3, "class_weights": "balanced",
}  # fmt: skip


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an encoder, made before ranks are forked."""
    folder = tmp_path_factory.mktemp("encoder")
    make_trainer(folder)
    return folder


def digest_of(trainer: Trainer) -> str:
    """Return a digest of all weights."""
    weights = [tensor.numpy().tobytes() for tensor in trainer.model.state_dict().values()]
    return hashlib.sha256(b"".join(weights)).hexdigest()


def batch_gradients(
    folder: Path, settings: dict[str, Any]
) -> Callable[[DistributedContext], list[np.ndarray]]:
    """Return a rank's work: the gradients of a full and of a ragged batch."""

    def work(distributed: DistributedContext) -> list[np.ndarray]:
        trainer = make_trainer(folder, distributed=distributed, dropout=0.0, **settings)
        gradients = []
        for step in (0, 1):
            trainer.accumulate_gradients(trainer.order.batch(step), step)
            gradients.append(gradient_of(trainer))
        return gradients

    return work


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_gradient_is_that_of_the_whole_batch(tmp_path: Path, architecture: str) -> None:
    """On 2 and 4 ranks as on one: relative error below 1e-5, with class weights and a ragged batch."""
    settings = {**SETTINGS, "architecture": architecture}
    one = batch_gradients(tmp_path, {**settings, "max_tokens_per_micro_batch": 100_000})(DistributedContext())
    for size in (2, 4):
        for rank in on_ranks(size, batch_gradients(tmp_path, settings), tmp_path):
            assert not isinstance(rank, Raised), rank
            for ours, theirs in zip(rank, one, strict=True):
                assert np.linalg.norm(ours - theirs) / np.linalg.norm(theirs) < 1e-5


def test_a_batch_of_fewer_texts_than_ranks(encoder: Path, tmp_path: Path) -> None:
    """Ranks without a text take part in the exchange and end with the same gradient."""
    settings = {**SETTINGS, "rows": 5, "global_batch_size": 3}
    one = batch_gradients(encoder, settings)(DistributedContext())
    for rank in on_ranks(4, batch_gradients(encoder, settings), tmp_path):
        for ours, theirs in zip(rank, one, strict=True):
            assert np.linalg.norm(ours - theirs) / np.linalg.norm(theirs) < 1e-5


def trained(folder: Path, **settings: Any) -> Callable[[DistributedContext], Any]:
    """Return a rank's work: to train to the end and tell digest, order, and scores."""

    def work(distributed: DistributedContext) -> Any:
        trainer = make_trainer(
            folder, distributed=distributed, **{**SETTINGS, "num_gradient_groups": 4, **settings}
        )
        state = trainer.fit()
        result = evaluated(trainer, trainer.validation)
        order = [trainer.order.batch(step).tolist() for step in range(trainer.total_steps)]
        return digest_of(trainer), order, result.confusion.tolist(), result.loss, state.best_score

    return work


@pytest.mark.parametrize(
    "settings",
    [{}, {"max_tokens_per_micro_batch": 64}, {"max_tokens_per_micro_batch": 64, "precision": "bf16"}],
    ids=["few micro-batches", "many micro-batches", "bf16"],
)
def test_weights_order_and_scores_do_not_depend_on_the_ranks(
    encoder: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Dropout on: with 4 gradient groups, 1 to 4 ranks end in the same bits and the same scores, on every rank."""
    one = trained(encoder, **settings)(DistributedContext())
    for size in (2, 3, 4):
        assert on_ranks(size, trained(encoder, **settings), tmp_path) == [one] * size


def test_another_number_of_gradient_groups_is_the_same_run_in_other_bits(encoder: Path) -> None:
    """What the test above holds constant does make a difference."""
    four, one = (
        trained(encoder)(DistributedContext()),
        trained(encoder, num_gradient_groups=1)(DistributedContext()),
    )
    assert four[0] != one[0]
    assert four[1] == one[1]


def test_a_frozen_encoder_stays_frozen_on_all_ranks(encoder: Path, tmp_path: Path) -> None:
    """Only the head has a gradient, and the same one on every rank."""

    def work(distributed: DistributedContext) -> Any:
        trainer = make_trainer(encoder, distributed=distributed, freeze_encoder=True, **SETTINGS)
        trainer.accumulate_gradients(trainer.order.batch(0), 0)
        learning = [name for name, p in trainer.model.named_parameters() if p.grad is not None]
        return learning, gradient_of(trainer).tolist()

    results = on_ranks(2, work, tmp_path)
    assert results[0] == results[1]
    assert [name.split(".")[-2] for name in results[0][0]] == ["dense", "dense", "classifier", "classifier"]


def out_of_memory_above(trainer: Trainer, tokens: int) -> None:
    """Let the model's forward pass fail as on a GPU without room for more than so many tokens."""

    def refuse(_: Any, _inputs: Any, named: dict[str, torch.Tensor]) -> None:
        if named["input_ids"].numel() > tokens:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    trainer.model.register_forward_pre_hook(refuse, with_kwargs=True)


def test_a_rank_out_of_memory_makes_all_repeat_the_step_in_smaller_micro_batches(
    encoder: Path, tmp_path: Path
) -> None:
    """One rank's GPU has less room: the gradient stays that of the batch, and the smaller budget is kept and saved."""

    def work(distributed: DistributedContext) -> Any:
        trainer = make_trainer(encoder, distributed=distributed, dropout=0.0, **SETTINGS)
        OVERHEAD_TOKENS["cpu"] = 10_000  # as on a GPU: as few micro-batches as fit; in this process only
        before = trainer.state.token_budget
        if distributed.rank == 1:
            out_of_memory_above(trainer, 100)
        report = trainer.accumulate_gradients(trainer.order.batch(0), 0)
        saved = take_snapshot(trainer).state["train"]["token_budget"]
        return before, trainer.state.token_budget, report.token_budget, saved, gradient_of(trainer)

    (whole,) = batch_gradients(encoder, SETTINGS)(DistributedContext())[:1]
    for before, after, reported, saved, gradient in on_ranks(2, work, tmp_path):
        assert after == reported == saved
        assert after < 200 < before
        assert np.linalg.norm(gradient - whole) / np.linalg.norm(whole) < 1e-5


def test_one_text_that_does_not_fit_ends_the_job_with_a_sentence(encoder: Path) -> None:
    """Nothing is left to halve: the message says what would help."""
    trainer = make_trainer(encoder, **SETTINGS)
    out_of_memory_above(trainer, 3)
    with pytest.raises(
        PlatformError, match=r"is too small to train on one text of \d+ tokens.*max_seq_length"
    ):
        trainer.accumulate_gradients(trainer.order.batch(0), 0)


def test_a_rank_that_diverges_ends_all_with_the_same_words(encoder: Path, tmp_path: Path) -> None:
    """A loss that is not finite on one rank is not finite on any, and no rank's weights have changed."""

    def work(distributed: DistributedContext) -> Any:
        trainer = make_trainer(encoder, distributed=distributed, **SETTINGS)
        before = digest_of(trainer)
        if distributed.rank == 1:
            trainer.model.register_forward_hook(lambda _module, _inputs, output: _spoil(output))
        try:
            trainer.train_step(0)
        except UserError as error:
            return str(error), digest_of(trainer) == before
        return None

    results = on_ranks(2, work, tmp_path)
    assert results[0] == results[1]
    assert results[0][0].startswith("Training diverged: at step 1 the loss is nan")
    assert results[0][1]


def _spoil(output: Any) -> Any:
    output.logits = output.logits * float("nan")
    return output


def test_a_checkpoint_of_the_first_rank_reaches_all(encoder: Path, tmp_path: Path) -> None:
    """Every tensor and the state arrive; the best weights stay with the rank that exports them."""

    def work(distributed: DistributedContext) -> Any:
        checkpoint = None
        if distributed.is_first:
            trainer = make_trainer(encoder, **SETTINGS)
            trainer.fit()
            trainer.state.step += 1  # so that the best weights are not the present ones
            checkpoint = take_snapshot(trainer)
        shared = broadcast_checkpoint(distributed, checkpoint)
        assert shared is not None
        names = {name for name in shared.tensors if not name.startswith("best.")}
        content = b"".join(shared.tensors[name].numpy().tobytes() for name in sorted(names))
        return (
            shared.step,
            dict(shared.state),
            hashlib.sha256(content).hexdigest(),
            len(shared.tensors) - len(names),
        )

    first, second = on_ranks(2, work, tmp_path)
    assert first[:3] == second[:3]
    assert first[3] > 0
    assert second[3] == 0


def test_without_a_checkpoint_all_begin_anew(tmp_path: Path) -> None:
    """Without one, the first rank broadcasts that there is none."""
    assert on_ranks(2, lambda distributed: broadcast_checkpoint(distributed, None), tmp_path) == [None, None]
