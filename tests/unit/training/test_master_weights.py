"""bf16 trains float32 weights: what is computed follows them, and what is saved or exported is them."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file
from torch.nn import functional

from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.training.master_weights import MasterWeights
from bert_classifier.training.state.snapshot import restore, take_snapshot
from bert_classifier.training.train_state import copies
from bert_classifier.training.trainer import Trainer
from support.fakes import ARCHITECTURES, make_ml_root
from support.toy_trainer import CLASSES, evaluated, make_trainer
from support.train_process import train_in_process

SETTINGS: dict[str, Any] = {
    "rows": 20, "global_batch_size": 8, "num_train_epochs": 2, "learning_rate": 2e-3, "precision": "bf16",
}  # fmt: skip


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the first trainer makes its encoder; later ones find it."""
    return tmp_path_factory.mktemp("encoder")


def trainer_of(encoder: Path, **settings: Any) -> Trainer:
    """Return a trainer with SETTINGS, save for what is given."""
    return make_trainer(encoder, **{**SETTINGS, **settings})


def trainer_with(trainer: Trainer, model: torch.nn.Module) -> Trainer:
    """Return a trainer of another model, on the texts of a trainer."""
    return Trainer(
        model, trainer.config, trainer.train, trainer.validation,
        num_classes=CLASSES, pad_id=trainer.forward.pad_id, device=trainer.device,
    )  # fmt: skip


def computing(trainer: Trainer) -> torch.nn.Module:
    """Return the module that computes."""
    return trainer.forward.model


def assert_follows(trainer: Trainer) -> None:
    """What computes has the trainer's weights, rounded once."""
    low = computing(trainer).state_dict()
    for name, weight in trainer.model.state_dict().items():
        assert torch.equal(low[name], weight.to(low[name].dtype)), name


def gradient_of(trainer: Trainer) -> torch.Tensor:
    """Return the gradient of the first batch; a parameter without one counts as zeros."""
    trainer.accumulate_gradients(trainer.order.batch(0), 0)
    parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in trainer.model.parameters()]
    return torch.cat([part.flatten() for part in parts])


def distance(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Return the distance of two gradients, relative to the second."""
    return float((ours - theirs).norm() / theirs.norm())


def logits_of(result: Evaluation) -> np.ndarray:
    """Return the logits of an evaluation."""
    return np.asarray(result.logits)


def test_the_copy_follows_every_step(encoder):
    """After each step what computes is the new weights, rounded; the optimizer and the model keep float32."""
    trainer = trainer_of(encoder)
    assert {p.dtype for p in computing(trainer).parameters()} == {torch.bfloat16}
    assert_follows(trainer)
    for step in range(3):
        before = copies(computing(trainer).state_dict())
        trainer.train_step(step)
        assert_follows(trainer)
        after = computing(trainer).state_dict()
        assert not torch.equal(before["classifier.weight"], after["classifier.weight"])
    assert {p.dtype for p in trainer.model.parameters()} == {torch.float32}
    moments = [state["exp_avg"].dtype for state in trainer.optimizer.state.values()]
    assert set(moments) == {torch.float32}


def test_restored_weights_are_those_that_compute(encoder):
    """A checkpoint is float32 throughout; restored, it evaluates and trains on as the run that wrote it."""
    first, second = trainer_of(encoder), trainer_of(encoder)
    for step in range(2):
        first.train_step(step)
    first.state.step = 2
    taken = take_snapshot(first)
    kinds = {tensor.dtype for name, tensor in taken.tensors.items() if not name.startswith("validation.")}
    assert kinds == {torch.float32}
    restore(second, taken)
    ours, theirs = (logits_of(evaluated(trainer, trainer.validation)) for trainer in (second, first))
    assert np.array_equal(ours, theirs)
    for trainer in (first, second):
        trainer.fit()
    weights = [copies(trainer.model.state_dict()) for trainer in (first, second)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_weights_from_elsewhere_are_evaluated(encoder):
    """Such as the best ones: an evaluation is one of the model's weights, whoever has set them."""
    trained, fresh = trainer_of(encoder), trainer_of(encoder)
    for step in range(4):
        trained.train_step(step)
    before = logits_of(evaluated(fresh, fresh.validation))
    fresh.best_weights = copies(trained.model.state_dict())
    fresh.use_best_weights()
    after = logits_of(evaluated(fresh, fresh.validation))
    assert np.array_equal(after, logits_of(evaluated(trained, trained.validation)))
    assert not np.array_equal(after, before)


def test_steps_below_bf16s_resolution_add_up():
    """At a rate of 1e-5 a weight of 1 reaches 0.99 in 1,000 steps; in bfloat16 alone it would never leave 1."""
    model, alone = torch.nn.Linear(4, 4, bias=False), torch.nn.Linear(4, 4, bias=False)
    for module in (model, alone):
        torch.nn.init.ones_(module.weight)
    alone.to(torch.bfloat16)
    weights = MasterWeights(model)
    optimizers = [
        torch.optim.AdamW(module.parameters(), lr=1e-5, weight_decay=0.0) for module in (model, alone)
    ]
    for _ in range(1000):
        for module, optimizer in zip((model, alone), optimizers, strict=True):
            module.weight.grad = torch.ones_like(module.weight)
            optimizer.step()
        weights.publish()
    assert torch.allclose(model.weight, torch.tensor(0.99), atol=1e-4)
    assert torch.equal(weights.copy.get_parameter("weight"), model.weight.bfloat16())
    assert (weights.copy.get_parameter("weight") < 1).all()
    assert (alone.weight == 1).all()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_gradient_is_float32s_but_for_rounding(tmp_path, architecture):
    """Within 4 %, and as near if many micro-batches are added: their number adds no error."""
    settings = {"architecture": architecture, "dropout": 0.0, "global_batch_size": 20}
    exact = gradient_of(trainer_of(tmp_path, precision="fp32", **settings))
    one, many = (
        distance(gradient_of(trainer_of(tmp_path, max_tokens_per_micro_batch=budget, **settings)), exact)
        for budget in (100_000, 64)
    )
    assert 0 < one < 0.04
    assert many < 1.2 * one


def test_what_backward_never_reaches_does_not_decay(encoder):
    """A part of the model that no logit depends on stays as it is, in bf16 as in float32."""
    for precision in ("fp32", "bf16"):
        trainer = trainer_of(encoder, precision=precision, weight_decay=0.5)
        spare = torch.nn.Linear(3, 3)
        trainer.model.register_module("spare", spare)
        before = copies(spare.state_dict())
        trainer = trainer_with(trainer, trainer.model)
        for step in range(3):
            trainer.train_step(step)
        assert spare.weight.grad is None
        assert all(torch.equal(value, before[name]) for name, value in spare.state_dict().items())


def test_a_frozen_encoder_stays_and_its_head_learns(encoder):
    """Only the head has gradients and moments; no bit of the encoder changes."""
    trainer = trainer_of(encoder, freeze_encoder=True)
    before = copies(trainer.model.state_dict())
    trainer.fit()
    assert_follows(trainer)
    changed = {
        name for name, weight in trainer.model.state_dict().items() if not torch.equal(weight, before[name])
    }
    assert changed == {name for name, p in trainer.model.named_parameters() if p.requires_grad}
    assert not any("encoder" in name or "embeddings" in name for name in changed)


def test_a_large_table_has_the_gradient_of_a_small_one(encoder):
    """On a CPU its gradient is sparse, in bf16 too: the same bits as a dense one."""
    small = trainer_of(encoder)
    config = transformers.BertConfig(
        vocab_size=5000, hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=64,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    config.num_labels = CLASSES
    found = []
    for is_sparse in (True, False):
        torch.manual_seed(0)
        trainer = trainer_with(small, transformers.BertForSequenceClassification(config))
        table: Any = computing(trainer).get_submodule("bert.embeddings.word_embeddings")
        assert table.sparse
        table.sparse = is_sparse
        found.append(gradient_of(trainer))
    assert torch.equal(*found)


def test_a_shared_weight_stays_shared():
    """Where a model uses a weight twice so does its copy, after an update too."""
    first, second = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
    second.weight = first.weight
    weights = MasterWeights(torch.nn.Sequential(first, torch.nn.Tanh(), second))
    copied: Any = weights.copy
    assert copied[2].weight is copied[0].weight
    for publish, value in ((weights.publish, 0.5), (weights.publish_all, 0.25)):
        torch.nn.init.constant_(first.weight, value)
        publish()
        assert copied[2].weight is copied[0].weight
        assert (copied[2].weight == value).all()
    functional.mse_loss(copied(torch.ones(2, 3).bfloat16()), torch.zeros(2, 3).bfloat16()).backward()
    assert copied[2].weight.grad is not None


def modernbert() -> Any:
    """Return a tiny classifier with rotary positions."""
    config = transformers.ModernBertConfig(
        vocab_size=600, pad_token_id=0, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3,
    )  # fmt: skip
    config.num_labels = CLASSES
    return transformers.ModernBertForSequenceClassification(config)


def fnet() -> Any:
    """Return a tiny classifier that mixes tokens by Fourier transforms, which bf16 has not."""
    config = transformers.FNetConfig(
        vocab_size=600, pad_token_id=0, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        hidden_dropout_prob=0.0,
    )  # fmt: skip
    config.num_labels = CLASSES
    return transformers.FNetForSequenceClassification(config)


@pytest.mark.parametrize(("make", "is_told"), [(modernbert, False), (fnet, True)])
def test_encoders_that_cannot_compute_with_bf16_weights(
    encoder: Path, caplog: pytest.LogCaptureFixture, make: Callable[[], Any], is_told: bool
) -> None:
    """They compute under autocast instead, and the log says so; others need no fallback."""
    caplog.set_level(logging.WARNING, logger="bert_classifier")
    gradients = {}
    for precision in ("fp32", "bf16"):
        torch.manual_seed(0)
        trainer = trainer_with(trainer_of(encoder, precision=precision), make())
        gradients[precision] = gradient_of(trainer)
        trainer.train_step(0)
        evaluated(trainer, trainer.validation)
    assert (computing(trainer) is trainer.model) is is_told
    assert ("computing by autocast" in caplog.text) is is_told
    assert 0 < distance(gradients["bf16"], gradients["fp32"]) < 0.03


def test_the_exported_model_is_float32(tmp_path, capsys):
    """A whole job in bf16: the artifact has the weights that were optimised, unrounded."""
    root = make_ml_root(tmp_path, hyperparameters={"precision": "bf16"})
    outcome = train_in_process(root, capsys)
    assert outcome.code == 0, outcome.log
    weights = load_file(root / "model" / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    assert not all(torch.equal(weight, weight.bfloat16().float()) for weight in weights.values())
