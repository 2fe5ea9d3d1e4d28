"""The learning curve that checkpoints carry: small, and the same however often a run was interrupted."""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest

from bert_classifier.training.history import History
from bert_classifier.training.progress import StepReport


@pytest.mark.parametrize("steps", [1, 5, 256, 257, 300, 1023, 5000])
def test_buckets_keep_every_loss(steps):
    """However long the run, at most 256 buckets; their means, weighted by steps, are the losses' mean."""
    losses = np.random.default_rng(steps).random(steps)
    history = History()
    for loss in losses.tolist():
        history.note_step(loss)
    curve = history.training_losses()
    assert len(curve) <= 256
    assert sum(history.buckets) == pytest.approx(losses.sum())
    width = history.width
    for number, (middle, mean) in enumerate(curve):
        part = losses[number * width : (number + 1) * width]
        assert mean == pytest.approx(part.mean())
        assert middle == number * width + len(part) / 2


def test_interrupted_anywhere_it_is_the_same():
    """Written as JSON and read back after any step, it continues without a difference."""
    whole, interrupted = History(), History()
    for step in range(700):
        interrupted = History(**json.loads(json.dumps(dataclasses.asdict(interrupted))))
        for history in (whole, interrupted):
            history.note_step(1 / (step + 3))
            if step % 7 == 0:
                history.note_evaluation(step, 0.1 * step, 0.5, 0.4)
    assert interrupted == whole


def test_evaluations_are_thinned_out():
    """Of ten thousand, at most 512 stay, in order, and the last one is among them."""
    history = History()
    for step in range(10_000):
        history.note_evaluation(step, 0.0, 0.0, 0.0)
    steps = [evaluation[0] for evaluation in history.evaluations]
    assert len(steps) <= 512
    assert steps == sorted(steps)
    assert steps[-1] == 9999


def test_a_history_that_begins_late_keeps_its_place():
    """After a checkpoint that had none, the curve begins where it is known."""
    history = History(start=100)
    history.note_step(2.0)
    assert history.training_losses() == [(100.5, 2.0)]


def report_of(step: int, **changes: Any) -> StepReport:
    """Return what a step reports: loss 1, and a learning rate, norm and number of tokens that depend on it."""
    values = {"loss": 1.0, "grad_norm": 1.0 + step, "learning_rate": 0.1 * step, "tokens": 10 * (step + 1)}
    return StepReport(**{"examples": 2, "padded_tokens": 100, **values, **changes})


@pytest.mark.parametrize("steps", [3, 256, 700])
def test_rates_norms_and_throughput_are_those_of_their_steps(steps):
    """Each curve has the means of the bucket's steps: of rates and norms per step, of tokens per second."""
    history, draw = History(), np.random.default_rng(steps)
    seconds = draw.random(steps)
    for step in range(steps):
        history.note_report(report_of(step), seconds[step])
    width, numbers = history.width, np.arange(steps)
    parts = [slice(at, at + width) for at in range(0, steps, width)]
    assert len(parts) <= 256
    middles = [middle for middle, _ in history.training_losses()]
    for curve, expected in (
        (history.learning_rate_curve(), [0.1 * numbers[part].mean() for part in parts]),
        (history.gradient_norm_curve(), [1 + numbers[part].mean() for part in parts]),
        (history.throughput(), [10 * (numbers[part] + 1).sum() / seconds[part].sum() for part in parts]),
    ):
        assert [middle for middle, _ in curve] == middles
        assert [value for _, value in curve] == pytest.approx(expected)


def test_a_norm_that_is_not_finite_is_left_out():
    """In fp16 a step may overflow and be skipped: its norm counts for no mean, and no checkpoint holds infinity."""
    history = History(width=2)
    for norm in (3.0, math.inf, math.nan, math.inf):
        history.note_report(report_of(0, grad_norm=norm), 1.0)
    assert history.gradient_norm_curve() == [(1.0, 3.0)]
    assert "Infinity" not in json.dumps(dataclasses.asdict(history))


@pytest.mark.parametrize("steps_before", [1, 3, 4, 200, 300])
def test_a_checkpoint_of_an_earlier_version_goes_on(steps_before):
    """It has losses only: the curve of losses goes on, the others begin with the first bucket they know wholly."""
    whole = History()
    for _ in range(steps_before):
        whole.note_step(1.0)
    names = ("width", "buckets", "steps", "start", "evaluations", "seconds")
    history = History(**{name: getattr(whole, name) for name in names})
    for step in range(steps_before, 600):
        history.note_report(report_of(step), 1.0)
    assert len(history.training_losses()) == len(history.buckets) == 150
    curve = history.learning_rate_curve()
    assert curve[0][0] - history.width / 2 == -(-steps_before // history.width) * history.width
    assert all(rate == pytest.approx(0.1 * (middle - 0.5)) for middle, rate in curve)
    assert [middle for middle, _ in curve] == [middle for middle, _ in history.throughput()]


def test_reports_are_the_same_however_often_interrupted():
    """Written as JSON and read back after any step, the curves continue without a difference."""
    whole, interrupted = History(), History()
    for step in range(700):
        interrupted = History(**json.loads(json.dumps(dataclasses.asdict(interrupted))))
        for history in (whole, interrupted):
            history.note_report(report_of(step, grad_norm=1 / (step + 3)), 0.1)
    assert interrupted == whole
