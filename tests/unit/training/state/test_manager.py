"""A run that was interrupted and resumed is the run that was not, bit for bit."""

import dataclasses
import signal
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch

from bert_classifier.data.examples import Examples
from bert_classifier.errors import UserError
from bert_classifier.job.environment import Environment
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.exported_weights import ExportedWeights
from bert_classifier.training.prepare import PreparedData
from bert_classifier.training.signals import Stopped
from bert_classifier.training.state.fingerprint import require_same_run, run_fingerprint
from bert_classifier.training.state.manager import CheckpointManager
from bert_classifier.training.state.snapshot import restore, take_snapshot
from bert_classifier.training.state.store import CheckpointStore
from bert_classifier.training.trainer import Trainer
from support.clear_text import assert_clear
from support.fakes import CLASS_NAMES, make_pretrained
from support.toy_trainer import make_trainer

SETTINGS: dict[str, Any] = {
    "rows": 20, "global_batch_size": 8, "num_train_epochs": 3, "learning_rate": 1e-3, "eval_steps": 2,
    "early_stopping_patience": 4, "class_weights": "balanced", "max_tokens_per_micro_batch": 200,
}  # fmt: skip


def assert_same_run(one: Trainer, other: Trainer) -> None:
    """Weights, best weights, optimizer, counters and learning curve are equal in every bit; times may differ."""
    a, b = take_snapshot(one), take_snapshot(other)
    for taken in (a, b):
        for name in ("seconds", "step_seconds"):
            taken.state["history"].pop(name)
    assert a.state == b.state
    assert a.tensors.keys() == b.tensors.keys()
    assert all(torch.equal(a.tensors[name], b.tensors[name]) for name in a.tensors)
    assert one.best_weights.keys() == other.best_weights.keys()
    assert all(torch.equal(one.best_weights[name], other.best_weights[name]) for name in one.best_weights)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trainer]:
    """Return a checkpoint folder and a trainer that ran through; dropout is on."""
    folder = tmp_path_factory.mktemp("encoder")
    trainer = make_trainer(folder, **SETTINGS)
    trainer.fit()
    return folder, trainer


@pytest.fixture(scope="module")
def undisturbed_by_precision(undisturbed: tuple[Path, Trainer]) -> dict[str, Trainer]:
    """Return trainers that ran through."""
    folder, trainer = undisturbed
    other = make_trainer(folder, **SETTINGS, precision="bf16")
    other.fit()
    return {"fp32": trainer, "bf16": other}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("stop_at", range(1, 9))
def test_resuming_at_any_step_gives_the_same_bits(
    undisturbed: tuple[Path, Trainer],
    undisturbed_by_precision: dict[str, Trainer],
    tmp_path: Path,
    stop_at: int,
    precision: str,
) -> None:
    """Interrupted after any step, saved, loaded into a fresh process' trainer: the end is the same."""
    folder, expected = undisturbed[0], undisturbed_by_precision[precision]
    first = make_trainer(folder, **SETTINGS, precision=precision)
    while first.state.step < min(stop_at, expected.state.step):
        first.train_step(first.state.step)
        first.state.step += 1
        if first.state.step < stop_at and first.state.step % 2 == 0:
            first._note_evaluation(first.evaluate(first.validation))
    store = CheckpointStore(tmp_path, {"run": 1})
    store.save(take_snapshot(first))
    second = make_trainer(folder, **SETTINGS, precision=precision)
    checkpoint = store.load_newest()
    assert checkpoint is not None
    restore(second, checkpoint)
    second.fit()
    assert_same_run(second, expected)


def test_a_stop_while_evaluating_repeats_the_evaluation(undisturbed: tuple[Path, Trainer]) -> None:
    """Told to stop in an evaluation, the run leaves at once; the next attempt evaluates that step again."""
    folder, expected = undisturbed
    first = make_trainer(folder, **SETTINGS)
    first.train_step(0)
    first.train_step(1)
    first.state.step = 2
    first.stop.number = signal.SIGTERM
    with pytest.raises(Stopped):
        first.fit()
    assert first.state.evaluated_step == 0
    second = make_trainer(folder, **SETTINGS)
    restore(second, take_snapshot(first))
    second.fit()
    assert_same_run(second, expected)


@pytest.mark.parametrize("steps", [2, 3, 4])
def test_what_validation_has_said_comes_along(
    undisturbed: tuple[Path, Trainer], tmp_path: Path, steps: int
) -> None:
    """A start that is stopped at once calibrates as the one before did; a checkpoint of before gives nothing to."""
    first = make_trainer(undisturbed[0], **SETTINGS)
    while first.state.step < steps:
        first.train_step(first.state.step)
        first.state.step += 1
        if first.state.step % 2 == 0:
            first._note_evaluation(first.evaluate(first.validation))
    store = CheckpointStore(tmp_path, {"run": 1})
    store.save(take_snapshot(first))
    checkpoint = store.load_newest()
    assert checkpoint is not None
    second = make_trainer(undisturbed[0], **SETTINGS)
    restore(second, checkpoint)
    for kept in ("best", "last"):
        results = []
        for trainer in (first, second):
            trainer.config = dataclasses.replace(trainer.config, keep_weights=kept)
            results.append(ExportedWeights(trainer).result)
        assert (results[0] is None) == (results[1] is None) == (kept == "last" and steps == 3)
        if results[0] is not None and results[1] is not None:
            assert np.array_equal(results[0].logits, results[1].logits)
            assert np.array_equal(results[0].targets, results[1].targets)
    before = {name: t for name, t in checkpoint.tensors.items() if not name.startswith("validation.")}
    third = make_trainer(undisturbed[0], **SETTINGS)
    restore(third, dataclasses.replace(checkpoint, tensors=before))
    assert third.best_result is third.last_result is None


def test_other_threads_are_reported_with_their_numbers(
    undisturbed: tuple[Path, Trainer], ml_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With fewer cores than the run began with, it resumes, with other bits, and says what would keep them."""
    environment = Environment.read(ml_root, {})
    environment.prepare_outputs()
    (ml_root / "checkpoints").mkdir(exist_ok=True)
    first = make_trainer(undisturbed[0], **SETTINGS)
    resume = CheckpointManager(environment, first, {"run": 1}, 4096)
    first.train_step(0)
    first.state.step = 1
    resume.save()
    caplog.clear()
    CheckpointManager(environment, make_trainer(undisturbed[0], **SETTINGS), {"run": 1}, 1)
    assert "resumed with different threads: same data and order, but rounding may differ" in caplog.text
    assert (
        "the run started with 4096 thread(s) per process and now has 1: a machine with 4096 cores"
        in caplog.text
    )


@pytest.mark.parametrize("reproducible", ["true", "false"])
def test_the_first_attempts_threads_are_kept_only_where_bits_are(
    undisturbed: tuple[Path, Trainer], ml_root: Path, caplog: pytest.LogCaptureFixture, reproducible: str
) -> None:
    """Without the same bits, threads follow the cores that each rank has, and no number is said to bring them."""
    environment = Environment.read(ml_root, {})
    environment.prepare_outputs()
    (ml_root / "checkpoints").mkdir(exist_ok=True)
    before = torch.get_num_threads()
    kept = {}
    try:
        for first, now in ((1, 2), (4096, 1)):
            run = {"run": first}
            trainer = make_trainer(undisturbed[0], **SETTINGS, reproducible=reproducible)
            manager = CheckpointManager(environment, trainer, run, first)
            trainer.train_step(0)
            trainer.state.step = 1
            manager.save()
            torch.set_num_threads(now)
            again = make_trainer(undisturbed[0], **SETTINGS, reproducible=reproducible)
            kept[first] = (CheckpointManager(environment, again, run, now).threads, torch.get_num_threads())
    finally:
        torch.set_num_threads(before)
    assert kept == {1: (1, 1) if reproducible == "true" else (2, 2), 4096: (1, 1)}
    assert "resumed with different threads" in caplog.text
    assert ("gives the same bits" in caplog.text) == (reproducible == "true")


def test_a_snapshot_is_not_changed_by_later_steps(undisturbed: tuple[Path, Trainer]) -> None:
    """The copy that the background thread writes is a copy."""
    trainer = make_trainer(undisturbed[0], **SETTINGS)
    trainer.train_step(0)
    taken = take_snapshot(trainer)
    before = {name: tensor.clone() for name, tensor in taken.tensors.items()}
    trainer.train_step(1)
    assert all(torch.equal(before[name], tensor) for name, tensor in taken.tensors.items())


def test_settings_that_change_the_result_change_the_identity(tmp_path: Path) -> None:
    """Each setting either makes another run of it or is known not to matter; batch forms that agree are one run."""
    base = identity_of(tmp_path)
    other: dict[str, Any] = {
        "learning_rate": 1e-4, "seed": 1, "num_train_epochs": 4, "truncation": "head_tail", "layer_decay": 0.9,
        "max_tokens_per_micro_batch": 512, "global_batch_size": 16, "class_weights": "balanced",
        "early_stopping_patience": 1, "eval_steps": 3, "precision": "bf16",
        "num_gradient_groups": 2,
    }  # fmt: skip
    for name, value in other.items():
        assert identity_of(tmp_path, settings={name: value}) != base, name
    for name, value in {
        "logging_steps": 5,
        "checkpoint_interval_seconds": 9,
        "max_run_seconds": 9,
        "processes_per_host": 2,
        "peer_timeout_seconds": 9,
        "damaged_checkpoints": "set_aside",
        "keep_weights": "last",
        "global_batch_size": 8,  # these three are what is chosen without them
        "num_train_epochs": 48,
        "learning_rate": 2e-4,
    }.items():
        assert identity_of(tmp_path, settings={name: value}) == base, name


def test_other_data_labels_or_weights_change_the_identity(tmp_path: Path) -> None:
    """What a run learns from and starts with is part of what it is; its randomly made head follows from the seed."""
    base = identity_of(tmp_path)
    assert identity_of(tmp_path, labels=("a", "b", "c")) != base
    assert identity_of(tmp_path, texts=("x", "z")) != base
    assert identity_of(tmp_path / "other weights", encoder_seed=1) != base
    assert identity_of(tmp_path, head_seed=99) == base


def identity_of(
    folder: Path,
    *,
    labels: tuple[str, ...] = CLASS_NAMES[:3],
    texts: tuple[str, ...] = ("x", "y"),
    encoder_seed: int = 0,
    head_seed: int = 0,
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the fingerprint of a toy run."""
    if not (folder / "config.json").exists():
        make_pretrained(folder, seed=encoder_seed)
    trainer = make_trainer(folder, **settings)
    torch.manual_seed(head_seed)
    classifier = trainer.model.get_submodule("classifier")
    torch.nn.init.normal_(classifier.get_parameter("weight"))
    examples = Examples(texts, np.zeros(len(texts), dtype=np.int64))
    prints = {"train": examples.fingerprint(), "validation": examples.fingerprint()}
    return run_fingerprint(trainer, PreparedData(labels, None, {}, prints), load_tokenizer(str(folder)))


def test_settings_that_came_later_change_the_fingerprint_only_where_they_change_the_result(
    tmp_path: Path,
) -> None:
    """What computes as the first version did resumes its checkpoints; arithmetic that differs is another run."""
    usual = identity_of(tmp_path)
    assert identity_of(tmp_path, settings={"reproducible": "true"}) == usual
    free = identity_of(tmp_path, settings={"reproducible": "false"})
    assert free.items() - usual.items() == {("reproducible", False), ("token_budget", 0)}
    low = identity_of(tmp_path, settings={"precision": "bf16"})
    assert low.items() - usual.items() == {("precision", "bf16"), ("master_weights", True)}


@pytest.mark.parametrize(("reproducible", "expected"), [("true", 100), ("false", 200)])
def test_the_token_budget_is_the_runs_where_bits_depend_on_it_else_the_attempts(
    tmp_path: Path, reproducible: str, expected: int
) -> None:
    """Another GPU, or another max_tokens_per_micro_batch, counts where the run does not promise bits."""
    first, second = (make_trainer(tmp_path, **{**SETTINGS, "reproducible": reproducible}) for _ in range(2))
    first.state.token_budget = 100
    restore(second, take_snapshot(first))
    assert second.state.token_budget == expected


def test_ranks_with_other_data_are_named() -> None:
    """All ranks raise the same sentence: which host differs, in what, and how to mend it."""
    ours = {"seed": 1, "train_data": "abc", "labels": "x"}

    class TwoHosts(DistributedContext):
        """A world whose second rank has other data."""

        def all_gather_json(self, value: Any) -> list[Any]:
            return [value, {"host": "algo-2", "fingerprint": {**ours, "train_data": "other", "labels": "y"}}]

    with pytest.raises(
        UserError, match="Host algo-2 differs from host algo-1 in: labels, train_data"
    ) as caught:
        require_same_run(TwoHosts(), ours, "algo-1")
    assert_clear(caught.value)
    require_same_run(DistributedContext(), ours, "algo-1")
