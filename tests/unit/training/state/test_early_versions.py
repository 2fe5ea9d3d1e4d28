"""Runs that a version began whose last layer computed all tokens, where today's computes what the head reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bert_classifier.job.environment import Environment
from bert_classifier.modeling import packed_families
from bert_classifier.training.state.manager import CheckpointManager
from bert_classifier.training.trainer import Trainer
from support.toy_trainer import make_trainer

Begin = Callable[..., tuple[CheckpointManager, Trainer]]
FIELD = "last_layer"  # which early versions did not note


@pytest.fixture
def begin(tmp_path: Path, ml_root: Path) -> Begin:
    """Return what begins an attempt at a run with dropout."""
    environment = Environment.read(ml_root, {})
    environment.prepare_outputs()
    (ml_root / "checkpoints").mkdir(exist_ok=True)

    def attempt(run: int = 1, **settings: Any) -> tuple[CheckpointManager, Trainer]:
        trainer = make_trainer(tmp_path / "encoder", rows=20, global_batch_size=8, **settings)
        return CheckpointManager(environment, trainer, {"run": run}, torch.get_num_threads()), trainer

    return attempt


def is_full(trainer: Trainer) -> bool:
    """Return whether the last layer computes all tokens."""
    return bool(trainer.forward.is_last_layer_full)  # type: ignore[attr-defined]


@pytest.mark.parametrize("reproducible", ["true", "false"])
def test_a_run_of_an_early_version_keeps_its_last_layer(begin: Begin, reproducible: str) -> None:
    """Where bits count, attempt after attempt; else it goes on with today's."""
    manager, trainer = begin(reproducible=reproducible)
    assert (manager.attempts[0].pop(FIELD), is_full(trainer)) == ("first tokens", False)
    for _ in range(2):
        trainer.state.step += 1
        manager.save()
        manager, trainer = begin(reproducible=reproducible)
        assert is_full(trainer) == (reproducible == "true")
        assert (FIELD in manager.attempts[-1]) != is_full(trainer)


def test_todays_run_keeps_its_own(begin: Begin) -> None:
    """Its attempts note what they computed, so that it is the same in the next one."""
    manager, trainer = begin()
    trainer.state.step += 1
    manager.save()
    manager, trainer = begin()
    assert [attempt[FIELD] for attempt in manager.attempts] == ["first tokens"] * 2
    assert not is_full(trainer)


def test_a_run_of_an_early_version_ends_with_its_bits(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """With masks of dropout for all tokens, before and after the interruption; a run begun now has others."""
    with monkeypatch.context() as early:
        early.setattr(packed_families, "let_last_layer_compute_firsts", lambda _: False)
        _, expected = begin(run=2)
        expected.fit()
        manager, first = begin()
        del manager.attempts[0][FIELD]
        first.train_step(0)
        first.state.step = 1
        manager.save()
    (_, resumed), (_, anew) = begin(), begin(run=3)
    ends = []
    for trainer in (resumed, anew):
        trainer.fit()
        pairs = zip(trainer.model.parameters(), expected.model.parameters(), strict=True)
        ends.append(all(torch.equal(ours, theirs) for ours, theirs in pairs))
    assert ends == [True, False]
