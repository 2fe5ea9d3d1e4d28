"""The floor: right by scikit-learn, the same on all ranks, computed once, and without a trace in the training."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from bert_classifier.encoding.micro_batches import pad
from bert_classifier.evaluation.floor import FloorScore
from bert_classifier.training.batching import Split
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.floor import floor_of, note_floor
from bert_classifier.training.signals import Stopped
from bert_classifier.training.state.snapshot import restore, take_snapshot
from bert_classifier.training.trainer import Trainer
from support.gloo_ranks import on_ranks
from support.toy_trainer import make_split, make_trainer, spoil

SETTINGS: dict[str, Any] = {"rows": 48, "global_batch_size": 12, "num_train_epochs": 1, "learning_rate": 2e-3}
WINDOWS = {"max_seq_length": 16, "truncation": "windows", "window_overlap": 0.25, "max_windows": 6}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an encoder, made before ranks are forked."""
    folder = tmp_path_factory.mktemp("encoder")
    make_trainer(folder)
    return folder


def splits_of(trainer: Trainer, folder: Path) -> dict[str, Split]:
    """Return the trainer's channels and a test channel."""
    test = make_split(folder, 30, seed=2, config=trainer.config)
    return {"train": trainer.train, "validation": trainer.validation, "test": test}


def mean_states(trainer: Trainer, split: Split) -> np.ndarray:
    """Return the mean over windows of the mean last hidden state of each, text by text, float64 (n, width)."""
    model: Any = trainer.model
    means = []
    for text in range(len(split.targets)):
        windows, _ = split.encoded.windows_of(np.array([text]))
        parts = []
        for window in windows:
            input_ids, _ = pad(split.encoded, np.array([window]), 0)
            with torch.inference_mode():
                parts.append(model.base_model(input_ids).last_hidden_state[0].mean(dim=0).double())
        means.append(torch.stack(parts).mean(dim=0).numpy())
    return np.stack(means)


@pytest.mark.parametrize("settings", [{}, WINDOWS, {"class_weights": "balanced"}])
def test_it_predicts_as_scikit_learn_on_the_frozen_encoder(encoder, settings):
    """Of the whole channels, text by text, with windows and with class weights."""
    trainer = make_trainer(encoder, **{**SETTINGS, **settings})
    splits = splits_of(trainer, encoder)
    note_floor(trainer, splits)
    floor = floor_of(trainer)
    assert floor is not None
    trainer.model.eval()
    balanced = settings.get("class_weights")
    oracle = LogisticRegression(tol=1e-9, max_iter=20_000, class_weight=balanced)
    oracle.fit(mean_states(trainer, trainer.train), trainer.train.targets)
    assert floor.trained_on == 48
    assert [*floor.channels] == ["validation", "test"]
    for name, score in floor.channels.items():
        assert isinstance(score, FloorScore)
        wanted = oracle.predict(mean_states(trainer, splits[name]))
        assert score.predicted == wanted.tolist()
        assert score.accuracy == pytest.approx((wanted == splits[name].targets).mean())
        assert score.accuracy > score.commonest_accuracy  # else the toy task shows nothing


def test_training_has_the_same_bits_with_and_without(encoder):
    """Weights, optimizer, evaluations, random state and modes: as if it had not been there."""
    ends = []
    for has_floor in (False, True):
        trainer = make_trainer(encoder, **SETTINGS)
        before = torch.get_rng_state(), str(np.random.get_state())
        modes = [module.training for module in trainer.model.modules()]
        if has_floor:
            note_floor(trainer, splits_of(trainer, encoder))
        assert torch.equal(before[0], torch.get_rng_state())
        assert before[1] == str(np.random.get_state())
        assert modes == [module.training for module in trainer.model.modules()]
        trainer.fit()
        ends.append(take_snapshot(trainer))
    assert ends[0].state["train"] == ends[1].state["train"]
    assert ends[0].state["history"]["floor"] is None
    assert ends[0].tensors.keys() == ends[1].tensors.keys()
    assert all(torch.equal(ends[1].tensors[name], tensor) for name, tensor in ends[0].tensors.items())


def test_a_later_attempt_has_it_from_the_checkpoint(encoder, caplog):
    """It is said again, and not computed again: the encoder is no longer the pretrained one."""
    first = make_trainer(encoder, **SETTINGS)
    note_floor(first, splits_of(first, encoder))
    first.train_step(0)
    first.state.step = 1
    checkpoint = take_snapshot(first)
    json.dumps(checkpoint.state)
    second = make_trainer(encoder, **SETTINGS)
    restore(second, checkpoint)
    caplog.clear()
    caplog.set_level("INFO")
    note_floor(second, {})
    assert floor_of(second) == floor_of(first)
    assert "floor: logistic regression on the frozen encoder is right on" in caplog.text


def test_a_run_of_an_earlier_version_goes_on_without(encoder):
    """Its checkpoints have no floor, and its encoder has changed."""
    first = make_trainer(encoder, **SETTINGS)
    first.train_step(0)
    first.state.step = 1
    checkpoint = take_snapshot(first)
    del checkpoint.state["history"]["floor"]
    second = make_trainer(encoder, **SETTINGS)
    restore(second, checkpoint)
    note_floor(second, {})
    assert floor_of(second) is None


def floor_on_a_rank(folder: Path, *, stopped: bool = False) -> Callable[[DistributedContext], Any]:
    """Return a rank's work: the floor without its time; the last rank may have got a stop signal."""

    def work(distributed: DistributedContext) -> Any:
        trainer = make_trainer(folder, distributed=distributed, max_tokens_per_micro_batch=256, **SETTINGS)
        if stopped and distributed.rank == distributed.size - 1:
            trainer.stop.number = 15
        note_floor(trainer, splits_of(trainer, folder))
        recorded = trainer.history.floor
        assert recorded is not None
        return {name: value for name, value in recorded.items() if name != "seconds"}

    return work


def test_all_ranks_have_the_floor_of_one(encoder, tmp_path):
    """They share the texts, and the first one fits."""
    alone = floor_on_a_rank(encoder)(DistributedContext())
    assert on_ranks(3, floor_on_a_rank(encoder), tmp_path) == [alone] * 3


def test_a_stop_signal_of_one_rank_stops_all(encoder, tmp_path):
    """Before the next micro-batch."""
    raised = on_ranks(2, floor_on_a_rank(encoder, stopped=True), tmp_path)
    assert [found.kind for found in raised] == [Stopped] * 2


def test_a_model_without_an_encoder_of_its_own_has_none(encoder, caplog, monkeypatch):
    """The log says why, and the training goes on."""
    caplog.set_level("INFO")
    trainer = make_trainer(encoder, **SETTINGS)
    monkeypatch.setattr(type(trainer.model), "base_model_prefix", "")
    note_floor(trainer, splits_of(trainer, encoder))
    assert floor_of(trainer) is None
    assert (
        "no floor by a logistic regression on the frozen encoder: the model has no base_model" in caplog.text
    )


def floor_of_spoilt_weights(folder: Path, task: str) -> Callable[[DistributedContext], Any]:
    """Return a rank's work: no floor, where the encoder has NaN for some texts."""

    def work(distributed: DistributedContext) -> Any:
        trainer = make_trainer(folder, distributed=distributed, task=task, **SETTINGS)
        spoil(trainer)
        note_floor(trainer, splits_of(trainer, folder))
        return trainer.history.floor

    return work


@pytest.mark.parametrize("task", ["single", "multi"])
def test_an_encoder_without_finite_values_has_none_on_all_ranks(encoder, tmp_path, caplog, task):
    """The first rank would fail alone in its fit, and the others wait for it."""
    caplog.set_level("INFO")
    work = floor_of_spoilt_weights(encoder, task)
    assert work(DistributedContext()) is None
    assert "no floor" in caplog.text
    assert re.search(r"the encoder's values are not finite for \d+ of 48 texts", caplog.text)
    assert on_ranks(2, work, tmp_path) == [None, None]
