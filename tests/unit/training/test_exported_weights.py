"""Which weights are exported, by keep_weights: a choice about the artifact, not about the training."""

import logging
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from bert_classifier.job.config import TrainConfig
from bert_classifier.training.exported_weights import ExportedWeights, resolve_keep_weights
from bert_classifier.training.state.snapshot import restore, take_snapshot
from bert_classifier.training.train_state import copies
from bert_classifier.training.trainer import Trainer
from support.toy_trainer import make_trainer

# So high a rate that the run gets worse at its end.
SETTINGS: dict[str, Any] = {
    "rows": 20, "global_batch_size": 8, "num_train_epochs": 4, "learning_rate": 0.05, "warmup_ratio": 1.0,
    "eval_steps": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trainer]:
    """Return an encoder's folder and a trainer that has run through."""
    folder = tmp_path_factory.mktemp("encoder")
    trainer = make_trainer(folder, **SETTINGS)
    trainer.fit()
    assert 0 < trainer.state.best_step < trainer.total_steps
    return folder, trainer


def taken_up(finished: tuple[Path, Trainer], **settings: Any) -> Trainer:
    """Return a fresh trainer in the state of the finished one."""
    folder, trainer = finished
    again = make_trainer(folder, **SETTINGS, **settings)
    restore(again, take_snapshot(trainer))
    return again


@pytest.mark.parametrize(
    ("keep", "texts", "patience", "kept"),
    [
        ("auto", 199, 0, "last"),
        ("auto", 200, 0, "best"),
        ("auto", 199, 1, "best"),
        ("best", 10, 0, "best"),
        ("last", 10_000, 3, "last"),
    ],
)
def test_auto_keeps_the_last_weights_where_validation_is_small(keep, texts, patience, kept):
    """Below 200 texts, unless training stops by them."""
    config = TrainConfig(keep_weights=keep, early_stopping_patience=patience)
    assert resolve_keep_weights(config, texts) == kept


@pytest.mark.parametrize("keep", ["auto", "last", "best"])
def test_a_finished_run_gives_either(finished, keep):
    """Taken up again under another keep_weights it exports the other weights; step and scores are of those."""
    trainer = taken_up(finished, keep_weights=keep)
    last = copies(trainer.model.state_dict())
    kept = ExportedWeights(trainer)
    kept.load()
    is_last = all(torch.equal(last[name], tensor) for name, tensor in trainer.model.state_dict().items())
    assert is_last == (keep != "best")
    assert kept.step == (trainer.state.best_step if keep == "best" else trainer.total_steps)
    loss = trainer.evaluate(trainer.validation).loss
    assert kept.result is not None
    assert kept.result.loss == loss  # in the checkpoint, for whichever weights are exported
    assert {int(e[0]): e[1] for e in trainer.history.evaluations}[kept.step] == loss


def test_the_scores_that_were_seen_are_those_of_the_kept_weights(finished):
    """Without evaluating again: the last evaluation, or the best one."""
    _, trainer = finished
    assert ExportedWeights(trainer).result is trainer.last_result
    assert trainer.last_result is not trainer.best_result


@pytest.mark.parametrize(("keep", "is_best"), [("auto", True), ("best", True), ("last", False)])
def test_on_its_way_a_run_keeps_the_best_so_far(finished, keep, is_best):
    """auto as well: the present weights have not had the whole schedule. Before any evaluation there is no best."""
    folder, _ = finished
    trainer = make_trainer(folder, **SETTINGS, keep_weights=keep)
    assert not ExportedWeights(trainer).are_best
    trainer.state.step, trainer.state.best_step, trainer.state.best_score = 5, 3, 0.5
    kept = ExportedWeights(trainer)
    assert (kept.are_best, kept.step) == (is_best, 3 if is_best else 5)
    assert "so far" in kept.description


@pytest.mark.parametrize("keep", ["last", "best"])
def test_the_last_scores_in_the_log_are_the_kept_ones(finished, caplog, keep):
    """Under the names of every evaluation: whoever takes the last value takes the model's."""
    caplog.set_level(logging.INFO, logger="bert_classifier")
    trainer = taken_up(finished, keep_weights=keep)
    kept = ExportedWeights(trainer)
    kept.log()
    (entry,) = (e for e in trainer.history.evaluations if e[0] == kept.step)
    assert re.findall(r" eval_(?:loss|accuracy|macro_f1)=([\d.]+)", caplog.text) == [
        f"{v:.4f}" for v in entry[1:]
    ]
    assert f"kept_step={kept.step} " in caplog.text
    assert f"keep_weights={keep}" in caplog.text


def test_without_logits_the_recorded_scores_are_logged(finished, caplog):
    """An early checkpoint holds none, but the learning curve has the scores."""
    caplog.set_level(logging.INFO, logger="bert_classifier")
    trainer = taken_up(finished, keep_weights="best")
    ExportedWeights(trainer).log()
    with_logits = caplog.messages[-1]
    trainer.best_result = None
    ExportedWeights(trainer).log()
    assert caplog.messages[-1] == with_logits
    assert "eval_macro_f1=" in with_logits
