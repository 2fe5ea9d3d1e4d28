"""The training loop: repeatable to the bit, the best weights kept, stopped when it should and not before."""

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bert_classifier.errors import UserError
from bert_classifier.modeling.pretrained import freeze_encoder
from bert_classifier.training.optimizer import build_optimizer, learning_rate_factor
from bert_classifier.training.train_state import copies
from bert_classifier.training.trainer import Trainer
from support.clear_text import assert_clear
from support.toy_trainer import evaluated, make_trainer

# Three steps an epoch: 8, 8 and 4 texts.
SETTINGS: dict[str, Any] = {"rows": 20, "global_batch_size": 8, "num_train_epochs": 2, "learning_rate": 2e-3}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the first trainer makes its encoder; later ones find it."""
    return tmp_path_factory.mktemp("encoder")


def trainer_of(encoder: Path, **settings: Any) -> Trainer:
    """Return a trainer with SETTINGS, save for what is given."""
    return make_trainer(encoder, **{**SETTINGS, **settings})


def weights_of(trainer: Trainer) -> dict[str, torch.Tensor]:
    """Return a copy of all weights."""
    return copies(trainer.model.state_dict())


def is_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Say whether all bits are equal; NaN equals NaN."""
    return all(torch.equal(one[name].view(torch.uint8), other[name].view(torch.uint8)) for name in one)


def gradient_of(trainer: Trainer, step: int, rows: np.ndarray) -> torch.Tensor:
    """Return the gradient of these rows as if they were the batch of a step."""
    trainer.accumulate_gradients(rows, step)
    return torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])


def evaluated_steps(caplog: pytest.LogCaptureFixture) -> list[int]:
    """Return the steps of the evaluations in the log."""
    return [int(step) for step in re.findall(r"step=(\d+) eval_loss=", caplog.text)]


@pytest.fixture(autouse=True)
def _log_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="bert_classifier")


def test_same_seed_gives_the_same_bits(encoder):
    """Two runs of the same job end in equal weights, dropout on, whatever was drawn before."""
    first = trainer_of(encoder)
    first.fit()
    second = trainer_of(encoder)
    torch.rand(17)
    np.random.default_rng().random(5)
    second.fit()
    assert is_same(weights_of(first), weights_of(second))
    assert first.state == second.state


def test_another_seed_gives_another_run(encoder):
    """The seed decides order and dropout."""
    runs = [trainer_of(encoder, seed=seed) for seed in (1, 2)]
    for trainer in runs:
        trainer.fit()
    assert not is_same(weights_of(runs[0]), weights_of(runs[1]))


def test_dropout_differs_by_step_and_by_micro_batch(encoder):
    """The same texts at the same step have the same gradient, at another step or cut otherwise another one."""
    trainer = trainer_of(encoder)
    rows = trainer.order.batch(0)
    first, again, later = (gradient_of(trainer, step, rows) for step in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, later)
    double = np.concatenate([rows[:1]] * 4)
    trainer.state.token_budget = 1  # four micro-batches of one and the same text
    micro_batches = gradient_of(trainer, 0, double)
    assert not torch.allclose(micro_batches, gradient_of(trainer, 0, rows[:1]))


def test_without_dropout_steps_are_alike(encoder):
    """What differs by step is the dropout and nothing else."""
    trainer = trainer_of(encoder, dropout=0.0)
    rows = trainer.order.batch(0)
    assert torch.equal(gradient_of(trainer, 0, rows), gradient_of(trainer, 1, rows))


def test_evaluations_do_not_change_the_training(encoder):
    """Evaluated after every step or once, the weights at the end are the same bits."""
    often, seldom = trainer_of(encoder, eval_steps=1), trainer_of(encoder, eval_steps=1_000)
    often.fit()
    seldom.fit()
    assert is_same(weights_of(often), weights_of(seldom))


@pytest.mark.parametrize(
    ("eval_steps", "expected"),
    [(0, [3, 6]), (1, [1, 2, 3, 4, 5, 6]), (2, [2, 4, 6]), (4, [4, 6]), (100, [6])],
)
def test_evaluations_come_when_asked_for_and_at_the_end(encoder, caplog, eval_steps, expected):
    """Once an epoch, or every eval_steps; the last step is evaluated in any case, once."""
    trainer_of(encoder, eval_steps=eval_steps).fit()
    assert evaluated_steps(caplog) == expected


def test_best_weights_are_given_back(encoder):
    """After a run that got worse at its end, the weights are those of the best evaluation, to the bit."""
    trainer = trainer_of(encoder, learning_rate=0.05, warmup_ratio=1.0, num_train_epochs=4, eval_steps=1)
    trainer.fit()
    state = trainer.state
    assert 0 < state.best_step < state.step == trainer.total_steps
    assert evaluated(trainer, trainer.validation).loss != state.best_loss
    trainer.use_best_weights()
    result = evaluated(trainer, trainer.validation)
    assert (result.score(None), result.loss) == (state.best_score, state.best_loss)


def test_best_is_the_highest_score_and_then_the_lowest_loss(encoder, caplog):
    """best_step is the first of the evaluations that no other beats."""
    trainer = trainer_of(encoder, num_train_epochs=4, eval_steps=1)
    trainer.fit()
    found = re.findall(r"step=(\d+) eval_loss=([\d.]+) eval_accuracy=([\d.]+)", caplog.text)
    ranked = sorted(found, key=lambda line: (-float(line[2]), float(line[1])))
    assert len(found) == 12
    assert trainer.state.best_step == int(ranked[0][0])
    assert trainer.state.best_score == pytest.approx(float(ranked[0][2]), abs=1e-4)


def test_positive_class_decides_which_weights_are_best(encoder):
    """With a positive label the score is the F1 of its class."""
    trainer = trainer_of(encoder, num_train_epochs=1)
    trainer.positive = 2
    trainer.fit()
    assert trainer.state.best_score == evaluated(trainer, trainer.validation).f_score(1.0)[2]


# So small a rate changes no weight, hence no evaluation after the first is better.
STANDSTILL: dict[str, Any] = {
    "learning_rate": 1e-30,
    "weight_decay": 0.0,
    "num_train_epochs": 4,
    "eval_steps": 1,
}


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_early_stopping_waits_for_its_patience(encoder, caplog, patience):
    """After the first evaluation, as many without improvement as patience says end the run, no more and no fewer."""
    trainer = trainer_of(encoder, early_stopping_patience=patience, **STANDSTILL)
    trainer.fit()
    assert evaluated_steps(caplog) == list(range(1, patience + 2))
    assert trainer.state.step == 1 + patience
    assert trainer.state.best_step == 1
    assert f"no improvement for {patience} evaluation(s): stopping early" in caplog.text


def test_patience_0_never_stops(encoder, caplog):
    """Early stopping is off unless asked for."""
    trainer = trainer_of(encoder, early_stopping_patience=0, **STANDSTILL)
    trainer.fit()
    assert trainer.state.step == trainer.total_steps == 12
    assert "stopping early" not in caplog.text


@pytest.mark.parametrize("budget", [1, 70, 333, 100_000])
def test_evaluation_does_not_depend_on_the_token_budget(encoder, budget):
    """Cut into any micro-batches, the predictions are the same and the loss is within 1e-6."""
    trainer = trainer_of(encoder)
    reference = evaluated(trainer, trainer.validation)
    trainer.state.token_budget = budget
    result = evaluated(trainer, trainer.validation)
    assert result.confusion.tolist() == reference.confusion.tolist()
    assert result.loss == pytest.approx(reference.loss, abs=1e-6)
    assert result.count == len(trainer.validation.targets)


def test_evaluation_turns_dropout_off(encoder):
    """The same weights give the same evaluation, and training goes on with dropout afterwards."""
    trainer = trainer_of(encoder)
    losses = {evaluated(trainer, trainer.validation).loss for _ in range(3)}
    assert len(losses) == 1
    trainer.accumulate_gradients(trainer.order.batch(0), 0)
    assert trainer.model.training


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_loss_that_is_not_finite_stops_the_run(encoder, poison):
    """The message says where and what to do, and no weight has been touched by the bad gradient."""
    trainer = trainer_of(encoder)
    trainer.train_step(0)
    with torch.no_grad():
        trainer.model.get_parameter("classifier.bias")[0] = poison
    before = weights_of(trainer)
    with pytest.raises(UserError, match=r"^Training diverged: at step 2 the loss is ") as caught:
        trainer.train_step(1)
    assert_clear(caught.value)
    assert "learning_rate (it is 0.002)" in caught.value.remedy
    assert is_same(before, weights_of(trainer))


@pytest.mark.parametrize("architecture", ["bert", "distilbert"])
def test_head_alone_learns_when_the_encoder_is_frozen(tmp_path, architecture):
    """Not a bit of the encoder changes, moments and decay included; the head does."""
    trainer = trainer_of(tmp_path, architecture=architecture, weight_decay=0.1)
    freeze_encoder(trainer.model)  # type: ignore[arg-type]
    trainer.optimizer = build_optimizer(trainer.model, 2e-3, 0.1, 1.0)
    before = weights_of(trainer)
    trainer.fit()
    after = weights_of(trainer)
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert changed
    assert all("classifier" in name or "pooler" in name for name in changed)


def test_learning_rates_follow_the_schedule(encoder):
    """At every step each group has the scheduled share of the peak rate, scaled by its layer."""
    trainer = trainer_of(encoder, layer_decay=0.5, warmup_ratio=0.5)
    for step in range(trainer.total_steps):
        reported = trainer.train_step(step).learning_rate
        expected = 2e-3 * learning_rate_factor(step, trainer.total_steps, 0.5)
        assert reported == pytest.approx(expected)
        for group in trainer.optimizer.param_groups:
            assert group["lr"] == pytest.approx(expected * group["lr_scale"])


@pytest.mark.parametrize(("limit", "is_clipped"), [(0.01, True), (0.0, False), (1e9, False)])
def test_gradient_is_clipped_to_its_norm(encoder, limit, is_clipped):
    """The norm returned is the one before; 0 turns clipping off."""
    trainer = trainer_of(encoder, max_grad_norm=limit)
    before = gradient_of(trainer, 0, trainer.order.batch(0)).norm().item()
    reported = float(trainer._clip_gradients())
    after = (
        torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]).norm().item()
    )
    assert reported == pytest.approx(before, rel=1e-5)
    assert after == pytest.approx(limit if is_clipped else before, rel=1e-3)


def test_a_step_reports_what_it_computed(encoder):
    """Texts, tokens and padded tokens are those of the batch; the last batch of an epoch is the smaller one."""
    trainer = trainer_of(encoder, max_tokens_per_micro_batch=100_000)
    for step, texts in ((0, 8), (2, 4)):
        lengths = trainer.train.encoded.lengths[trainer.order.batch(step)]
        reported = trainer.train_step(step)
        assert (reported.examples, reported.tokens) == (texts, lengths.sum())
        assert lengths.sum() <= reported.padded_tokens <= texts * lengths.max()


def test_bfloat16_trains_near_float32(encoder):
    """In bf16 the weights stay float32, and the first loss differs by its rounding only."""
    losses = []
    for precision in ("fp32", "bf16"):
        trainer = trainer_of(encoder, precision=precision, dropout=0.0)
        losses.append(trainer.train_step(0).loss)
        assert {p.dtype for p in trainer.model.parameters()} == {torch.float32}
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def test_float16_needs_a_gpu(encoder):
    """On a CPU fp16 is refused before anything is computed."""
    with pytest.raises(UserError, match="precision=fp16 needs a GPU") as caught:
        trainer_of(encoder, precision="fp16")
    assert_clear(caught.value)
