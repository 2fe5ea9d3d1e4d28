"""The learning curve that checkpoints carry: small, and the same however often a run was interrupted."""

import dataclasses
import json

import numpy as np
import pytest

from bert_classifier.training.history import History


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
