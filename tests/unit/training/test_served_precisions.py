"""What other precisions change is measured at the end of a job, beside the model and never at its cost."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bert_classifier.artifact.agreement import Agreement
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.evaluation.precisions import Reading
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.training import served_precisions
from bert_classifier.training.served_precisions import choose_texts, measure_precisions
from bert_classifier.training.trainer import Trainer
from support.toy_trainer import make_trainer


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trainer]:
    """Return an encoder's folder and a trainer that has run through."""
    folder = tmp_path_factory.mktemp("encoder")
    trainer = make_trainer(folder, rows=40, num_train_epochs=3, learning_rate=3e-3, global_batch_size=8)
    trainer.fit()
    return folder, trainer


def measured(trained: tuple[Path, Trainer], **settings: Any) -> dict[str, Any]:
    """Return what is measured on validation."""
    folder, trainer = trained
    tokenizer = load_tokenizer(str(folder))
    encoder = TextEncoder(tokenizer.backend_tokenizer, tokenizer.pad_token_id, 64)
    return measure_precisions(trainer, trainer.validation, "validation", encoder, Reading(**settings))


def test_int8_is_measured_with_8_and_7_bits(trained, caplog):
    """On all of these few texts; float32's own accuracy is that of the evaluation."""
    caplog.set_level("INFO")
    found = measured(trained)
    assert (found["precisions"]["texts"], found["precisions"]["channel"]) == (40, "validation")
    accuracy = trained[1].evaluate(trained[1].validation).accuracy
    assert found["precisions"]["fp32"]["accuracy"] == pytest.approx(accuracy)
    for name in ("int8", "int8_7_bits"):
        agreement = Agreement.of(found, name)
        assert agreement is not None
        assert agreement.accuracy_in_fp32 == pytest.approx(accuracy)
        assert agreement.sentence in caplog.text
        assert 0 < agreement.probe_distance < 0.2
    assert "coverage" not in found["precisions"]["int8"]


def test_bf16_is_measured_where_the_hardware_has_it(trained, monkeypatch):
    """And nowhere else: elsewhere a CPU would take many times as long."""
    for has_it in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda has_it=has_it: has_it)
        assert ("bf16" in measured(trained)["precisions"]) == has_it


def test_with_a_threshold_its_coverage_is_measured_in_each_precision(trained):
    """A threshold is a point where near-ties matter."""
    found = measured(trained, abstain_below=0.5)["precisions"]
    for name in ("fp32", "int8", "int8_7_bits"):
        assert 0 <= found[name]["coverage"] <= 1
        assert 0 <= found[name]["accuracy_of_answered"] <= 1


def test_a_promise_is_proved_for_int8_only(trained, monkeypatch):
    """In bf16 scores move no farther than between two machines."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    found = measured(trained, abstain_below=0.5, target_accuracy=0.9)["precisions"]
    assert [name for name in ("fp32", "int8", "int8_7_bits", "bf16") if "threshold" in found[name]] == [
        "int8",
        "int8_7_bits",
    ]


def test_the_model_is_not_touched(trained):
    """Not a bit of its weights, its random numbers or what it computes; and a second time gives the same figures."""
    trainer = trained[1]
    before, draw = copy.deepcopy(trainer.model.state_dict()), torch.random.get_rng_state()
    logits = trainer.evaluate(trainer.validation).logits
    assert measured(trained) == measured(trained)
    assert torch.equal(draw, torch.random.get_rng_state())
    assert all(torch.equal(before[name], tensor) for name, tensor in trainer.model.state_dict().items())
    np.testing.assert_array_equal(trainer.evaluate(trainer.validation).logits, logits)


def test_a_stop_signal_costs_the_figures_and_nothing_else(trained, monkeypatch, caplog):
    """The export that follows must not wait for them."""
    caplog.set_level("INFO")
    monkeypatch.setattr(trained[1].stop, "number", 15)
    assert measured(trained) == {}
    assert "not measured: the job was told to stop" in caplog.text


def test_a_failure_costs_the_figures_and_nothing_else(trained, monkeypatch, caplog):
    """Such as memory that does not suffice for the copy."""

    def fail(*_arguments: Any) -> None:
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(served_precisions, "rounded_to_int8", fail)
    assert measured(trained) == {}
    assert "cannot be measured (OutOfMemoryError: no memory)" in caplog.text


def test_other_families_are_not_measured_in_int8(tmp_path, monkeypatch):
    """transformers serves them, with torch's own int8."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    trainer = make_trainer(tmp_path, rows=8, num_train_epochs=1)
    model: Any = trainer.model
    model.config.hidden_act = "relu"
    assert measured((tmp_path, trainer)) == {}


@pytest.mark.parametrize(("count", "most", "expected"), [(10, 20, 10), (1000, 300, 300), (5, 0, 0)])
def test_texts_are_chosen_from_everywhere(count, most, expected):
    """A file may be sorted by class; the same ones at every attempt."""
    chosen = choose_texts(count, most)
    assert len(np.unique(chosen)) == len(chosen) == expected
    np.testing.assert_array_equal(chosen, choose_texts(count, most))
    if 0 < expected < count:
        thirds = np.histogram(chosen, bins=3, range=(0, count))[0]
        assert thirds.min() > expected / 5


def test_the_cost_follows_that_of_training(trained, monkeypatch):
    """A twentieth of the texts trained on, where that is more than what is cheap in any case."""
    trainer = trained[1]
    monkeypatch.setattr(served_precisions, "_CHEAP", 0)
    monkeypatch.setattr(trainer.state, "step", 30)  # of 8 texts
    assert measured(trained)["precisions"]["texts"] == 12
    monkeypatch.setattr(trainer.state, "step", 0)
    assert measured(trained) == {}
