"""A run that has learnt nothing is told; a run that has learnt is not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bert_classifier.evaluation.scores import Evaluation
from bert_classifier.training.doubts import doubts_about, last_loss, loss_of_guessing
from bert_classifier.training.history import History
from bert_classifier.training.trainer import Trainer
from toy_trainer import make_trainer


def trained(folder: Path, **settings: Any) -> tuple[Trainer, list[str]]:
    """Train on toy texts; return the trainer and what is said of it."""
    trainer = make_trainer(folder, rows=48, **settings)
    trainer.fit()
    assert trainer.last_result is not None
    return trainer, doubts_about(trainer, trainer.last_result)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the first trainer makes its encoder."""
    return tmp_path_factory.mktemp("encoder")


def test_a_run_that_has_learnt_is_not_doubted(encoder):
    """The toy task, learnt well above chance."""
    trainer, told = trained(encoder, global_batch_size=8, num_train_epochs=20, learning_rate=2e-3)
    assert trainer.last_result is not None
    assert trainer.last_result.accuracy > 0.8
    assert told == []


def test_a_run_that_has_not_moved_is_doubted(encoder):
    """Three passes of batch 32 at a rate too low: the loss stays at that of guessing; the settings are named."""
    _, told = trained(encoder, global_batch_size=32, num_train_epochs=3, learning_rate=1e-6)
    assert told[0].startswith("The training loss has hardly moved: 1.")
    for part in ("num_train_epochs (3)", "learning_rate (1e-06)", "global_batch_size (32)", "or leave out"):
        assert part in told[0]


def test_where_all_was_automatic_the_data_are_looked_at_first(encoder):
    """Nothing was set by hand that could be left out."""
    trainer = make_trainer(encoder, rows=48)
    for _ in range(8):
        trainer.history.note_step(1.2)
    (told,) = doubts_about(trainer, Evaluation(np.eye(3, dtype=np.float32), np.arange(3)))
    assert "Look at the labels" in told
    assert "or leave out" not in told


@pytest.mark.parametrize(
    ("right", "is_doubted"), [([1, 1, 1, 1, 0, 0], True), ([1, 1, 1, 1, 1, 0], False), ([0] * 6, True)]
)
def test_validation_must_beat_the_commonest_class(encoder, right, is_doubted):
    """Four of six texts are of one class: 67 % is no better than always answering it, 83 % is."""
    trainer = make_trainer(encoder, rows=48)
    targets = np.array([0, 0, 0, 0, 1, 2])
    said = np.where(np.array(right) == 1, targets, (targets + 1) % 3)
    told = doubts_about(trainer, Evaluation(np.eye(3, dtype=np.float32)[said], targets))
    assert bool(told) == is_doubted
    assert not told or "does not beat always answering the commonest class (0.667)" in told[0]


def test_with_a_positive_class_its_f1_is_judged(encoder):
    """Rare spam: 90 % by never saying so is what accuracy calls good, finding it is what counts."""
    trainer = make_trainer(encoder, rows=48)
    trainer.positive = 1
    targets = np.array([0] * 9 + [1])
    never, found = np.zeros(10, dtype=int), targets.copy()
    assert "F1 of 0.000" in doubts_about(trainer, Evaluation(np.eye(3, dtype=np.float32)[never], targets))[0]
    assert doubts_about(trainer, Evaluation(np.eye(3, dtype=np.float32)[found], targets)) == []


def test_the_loss_of_guessing_is_the_entropy_of_what_the_loss_weighs(encoder):
    """ln 3 for three classes alike; less where one is rare, and ln 3 again where its texts weigh more."""
    trainer = make_trainer(encoder, rows=48)
    assert loss_of_guessing(trainer) == pytest.approx(np.log(3))
    targets = np.array([0] * 40 + [1] * 7 + [2])
    for weights, expected in (("none", 0.5133), ("balanced", np.log(3))):
        other = make_trainer(encoder, rows=48, class_weights=weights)
        object.__setattr__(other.train, "targets", targets)
        other.class_weights = other._class_weights()
        assert loss_of_guessing(other) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("steps", "start"), [(4, 0), (100, 0), (1000, 0), (40, 500)])
def test_the_last_quarter_is_the_last_quarter(steps, start):
    """Also of a long run, whose losses are kept in buckets, and of one whose first part is not known."""
    history = History(start=start)
    for step in range(steps):
        history.note_step(2.0 if step < 0.75 * steps else 1.0)
    assert last_loss(history) == pytest.approx(1.0, abs=0.05)
    assert last_loss(History()) is None
