"""A step's numbers are read late on a GPU: in their order, before anything that depends on them."""

from pathlib import Path
from typing import Any

import pytest
import torch

from bert_classifier.errors import UserError
from bert_classifier.training.batch_feed import BatchFeed
from bert_classifier.training.batch_plan import BatchPlan
from bert_classifier.training.pending_step import PendingStep
from bert_classifier.training.signals import Stopped
from bert_classifier.training.state.snapshot import take_snapshot
from bert_classifier.training.trainer import Trainer
from support.toy_trainer import make_trainer

SETTINGS: dict[str, Any] = {"rows": 20, "global_batch_size": 4, "num_train_epochs": 2, "learning_rate": 1e-3}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the first trainer makes its encoder; later ones find it."""
    return tmp_path_factory.mktemp("encoder")


def late_trainer(encoder: Path, **settings: Any) -> Trainer:
    """Return a trainer that reads its numbers one step late, as on a GPU, though it computes on the CPU."""
    trainer = make_trainer(encoder, **{**SETTINGS, **settings})
    trainer.reads_late = True
    return trainer


def test_late_numbers_are_the_same_numbers(encoder):
    """Weights, losses and evaluations do not depend on when the numbers are read."""
    at_once, late = make_trainer(encoder, **SETTINGS), late_trainer(encoder)
    at_once.fit()
    late.fit()
    assert late.history.buckets == at_once.history.buckets
    assert late.history.steps == late.total_steps == 10
    assert late.history.evaluations == at_once.history.evaluations
    weights = zip(late.model.parameters(), at_once.model.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in weights)


def test_the_next_step_begins_before_the_numbers_are_read(encoder, monkeypatch):
    """Reading waits for the GPU: by then it must have its next work."""
    events: list[str] = []
    start, report = Trainer.start_step, PendingStep.report

    def starting(self: Trainer, step: int) -> Any:
        events.append(f"start {step}")
        return start(self, step)

    def reading(self: PendingStep) -> Any:
        events.append("read")
        return report(self)

    monkeypatch.setattr(Trainer, "start_step", starting)
    monkeypatch.setattr(PendingStep, "report", reading)
    late_trainer(encoder, num_train_epochs=1).fit()
    assert events == [
        "start 0",
        "start 1",
        "read",
        "start 2",
        "read",
        "start 3",
        "read",
        "start 4",
        "read",
        "read",
    ]


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_loss_that_is_not_finite_ends_the_run_a_step_later(encoder, is_stopped):
    """It names its own step, and a stop signal meanwhile does not hide it."""
    trainer = late_trainer(encoder)
    spoil_at(trainer, step=2, then_stop=is_stopped)
    with pytest.raises(UserError, match=r"^Training diverged: at step 3 the loss is nan"):
        trainer.fit()
    assert trainer.state.step == 3
    assert trainer.history.steps == 2


def spoil_at(trainer: Trainer, step: int, *, then_stop: bool) -> None:
    """Let the model answer NaN at a step (counted from 0), and let a stop signal come right after it."""

    def spoil(_module: Any, _inputs: Any, output: Any) -> Any:
        if trainer.state.step == step and trainer.model.training:
            output.logits = output.logits * float("nan")
            trainer.stop.number = 15 if then_stop else 0
        return output

    trainer.model.register_forward_hook(spoil)


def test_a_stop_is_after_a_step_whose_numbers_are_recorded(encoder):
    """What the checkpoint of a stopped run holds is complete."""
    trainer = late_trainer(encoder)

    def stop(_module: Any, _inputs: Any, output: Any) -> Any:
        trainer.stop.number = 15 if trainer.state.step == 3 else 0
        return output

    trainer.model.register_forward_hook(stop)
    with pytest.raises(Stopped):
        trainer.fit()
    assert trainer.state.step == trainer.history.steps == 4
    assert take_snapshot(trainer).state["history"]["steps"] == 4


class Plans:
    """Plans batches as a recording does: which ones were asked for, and in which thread."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int]] = []

    def __call__(self, *key: int) -> Any:
        self.asked.append(key)  # type: ignore[arg-type]
        return Staging(key)


class Staging:
    """A plan that knows whether it was staged."""

    def __init__(self, key: tuple[int, ...]) -> None:
        self.key, self.is_staged = key, False

    def stage(self) -> None:
        """Note it."""
        self.is_staged = True


def test_the_next_batch_is_prepared_ahead():
    """Each is planned once, in order, and staged; none beyond the last."""
    plans = Plans()
    feed = BatchFeed(plans, 4, is_ahead=True)
    for step in range(4):
        plan: Any = feed.get(step, 100, 1)
        assert plan.key == (step, 100, 1)
        assert plan.is_staged
    assert plans.asked == [(step, 100, 1) for step in range(4)]


def test_a_batch_for_another_budget_is_planned_anew():
    """After memory ran out, what was prepared for the larger budget is not used."""
    feed = BatchFeed(Plans(), 9, is_ahead=True)
    assert [feed.get(*key).key for key in ((0, 100, 1), (1, 50, 1), (1, 25, 1), (7, 25, 2))] == [  # type: ignore[attr-defined]
        (0, 100, 1), (1, 50, 1), (1, 25, 1), (7, 25, 2),
    ]  # fmt: skip


def test_a_failure_while_preparing_is_the_steps_own():
    """What the thread raises is raised where the batch is wanted."""

    def fail(step: int, *_: int) -> BatchPlan:
        if step == 1:
            raise OSError("the disk of the tokens is gone")
        return Staging((step,))  # type: ignore[return-value]

    feed = BatchFeed(fail, 3, is_ahead=True)
    feed.get(0, 100, 1)
    with pytest.raises(OSError, match="the disk of the tokens is gone"):
        feed.get(1, 100, 1)


def test_on_a_cpu_nothing_is_prepared_ahead():
    """The cores are the computation's own."""
    plans = Plans()
    feed = BatchFeed(plans, 4, is_ahead=False)
    plan: Any = feed.get(0, 100, 1)
    assert plans.asked == [(0, 100, 1)]
    assert not plan.is_staged
