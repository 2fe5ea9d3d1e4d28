"""A run that has learned nothing gets a warning; a run that has learned gets none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bert_classifier.evaluation.calibration import Temperature
from bert_classifier.evaluation.floor import Floor, FloorScore
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.result import EvaluationResult
from bert_classifier.training import sanity_checks
from bert_classifier.training.history import History
from bert_classifier.training.optimizer import class_weights
from bert_classifier.training.sanity_checks import DataHints, last_loss, loss_of_guessing
from bert_classifier.training.trainer import Trainer
from support.toy_trainer import make_trainer


def sanity_warnings(
    trainer: Trainer, results: Mapping[str, Evaluation], hints: DataHints | None = None
) -> list[str]:
    """Return what is said of a trainer with these evaluations."""
    return sanity_checks.sanity_warnings(trainer, EvaluationResult(results, Temperature(1.0), 0.0), hints)


def trained(folder: Path, **settings: Any) -> tuple[Trainer, list[str]]:
    """Train on toy texts; return the trainer and what is said of it."""
    trainer = make_trainer(folder, rows=48, **settings)
    trainer.fit()
    assert isinstance(trainer.last_result, Evaluation)
    return trainer, sanity_warnings(trainer, {"validation": trainer.last_result})


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the first trainer makes its encoder."""
    return tmp_path_factory.mktemp("encoder")


def test_a_run_that_has_learnt_is_not_doubted(encoder):
    """The toy task, learnt well above chance."""
    trainer, warnings = trained(encoder, global_batch_size=8, num_train_epochs=20, learning_rate=2e-3)
    assert isinstance(trainer.last_result, Evaluation)
    assert trainer.last_result.accuracy > 0.8
    assert warnings == []


def test_a_run_that_has_not_moved_is_warned(encoder):
    """Three passes of batch 32 at a rate too low: the loss stays at that of guessing; the settings are named."""
    _, warnings = trained(encoder, global_batch_size=32, num_train_epochs=3, learning_rate=1e-6)
    assert warnings[0].startswith("The training loss has hardly moved: it is 1.")
    for part in ("num_train_epochs (3)", "learning_rate (1e-06)", "global_batch_size (32)", "or leave out"):
        assert part in warnings[0]


def test_where_all_was_automatic_the_data_are_looked_at_first(encoder):
    """Nothing was set by hand that could be left out."""
    trainer = make_trainer(encoder, rows=48)
    for _ in range(8):
        trainer.history.note_step(1.2)
    (warning,) = sanity_warnings(
        trainer, {"validation": Evaluation(np.eye(3, dtype=np.float32), np.arange(3))}
    )
    assert "Check the labels" in warning
    assert "or leave out" not in warning


@pytest.mark.parametrize(
    ("right", "is_warned"), [([1, 1, 1, 1, 0, 0], True), ([1, 1, 1, 1, 1, 1], False), ([0] * 6, True)]
)
def test_validation_must_beat_the_commonest_class(encoder, right, is_warned):
    """Four of six texts are of one class: 67 % is no better than always answering it, 100 % is."""
    targets = np.array([0, 0, 0, 0, 1, 2] * 5)
    said = np.where(np.array(right * 5) == 1, targets, (targets + 1) % 3)
    warnings = sanity_warnings(
        make_trainer(encoder, rows=48), {"validation": Evaluation(np.eye(3, dtype=np.float32)[said], targets)}
    )
    assert bool(warnings) == is_warned
    assert not warnings or "is no better than always predicting the commonest class (0.667)" in warnings[0]


def answers(right: int, count: int, commonest: int) -> Evaluation:
    """Return answers of which some are right, to texts of three classes with so many of the commonest one."""
    targets = np.array([0] * commonest + [1 + n % 2 for n in range(count - commonest)])
    said = np.where(np.arange(count) < right, targets, (targets + 1) % 3)
    return Evaluation(np.eye(3, dtype=np.float32)[said], targets)


CANNOT, NOT_BETTER = "are too few to tell whether this model is better", "is no better than always predicting"


@pytest.mark.parametrize(
    ("validation", "test", "warnings"),
    [
        ((3, 6, 2), None, [f"6 validation texts {CANNOT}"]),  # by luck in 32 % of cases
        ((3, 6, 2), (32, 150, 55), ["Test's accuracy of 0.213"]),
        ((3, 6, 2), (93, 150, 55), []),
        ((1, 6, 2), (93, 150, 55), []),
        ((20, 100, 40), (93, 150, 55), ["Validation's accuracy of 0.200"]),
        ((1, 6, 2), None, [f"6 validation texts {CANNOT}"]),
        ((1, 2, 1), None, [f"2 validation texts {CANNOT}"]),
        ((0, 1, 1), None, ["1 validation text of one class only cannot tell"]),
        ((90, 100, 100), None, ["100 validation texts of one class only cannot tell"]),
        ((90, 100, 100), (93, 150, 55), []),
        ((2, 28, 14), None, ["Validation's accuracy of 0.071"]),  # so few by chance: hardly ever
        ((3, 6, 2), (4, 8, 3), [f"6 validation texts {CANNOT}", f"8 test texts {CANNOT}"]),
        ((6, 6, 2), None, []),
        ((14, 18, 6), None, []),
        ((51, 100, 50), None, [f"100 validation texts {CANNOT}"]),
    ],
)
def test_each_channel_is_judged_by_what_its_texts_can_tell(encoder, validation, test, warnings):
    """A test of many texts decides over six of validation; six alone tell nothing in a good run, and a lucky one."""
    results = {"validation": answers(*validation)} | ({"test": answers(*test)} if test else {})
    found = sanity_warnings(make_trainer(encoder, rows=48), results)
    assert len(found) == len(warnings)
    for sentence, start in zip(found, warnings, strict=True):
        assert sentence.startswith(start)
        assert (NOT_BETTER in sentence) != ("tell whether this model is better" in sentence)
        assert (NOT_BETTER in sentence) != ("Evaluate on " in sentence)


@pytest.mark.parametrize(("loss", "is_expected"), [(0.04, True), (0.9, False)])
def test_what_was_learnt_by_heart_is_named(encoder, loss, is_expected):
    """A loss near 0 and answers at chance: the labels are looked at, not the number of epochs."""
    trainer = noted(make_trainer(encoder, rows=60), loss, steps=8)
    (warning,) = sanity_warnings(trainer, {"validation": answers(20, 60, 20)})
    assert ("memorized the training texts" in warning and "Check the labels first" in warning) == is_expected
    assert ("num_train_epochs (" in warning) != is_expected
    assert sanity_warnings(trainer, {"validation": answers(50, 60, 20)}) == []


@pytest.mark.parametrize(
    ("rows", "hints", "parts"),
    [
        (60, DataHints(), ("Check the labels first: ", "Then add training texts.")),
        (60, DataHints(is_held_out=False), ("Check the labels of train or validation first: ", "Then add ")),
        (48, DataHints(), ("Add training texts first: 48 are few.", "Also check the labels: ")),
        (60, DataHints(has_unknown_tokens=True), ("Use an encoder for the language", "Check the labels: ")),
    ],
)
def test_the_likeliest_reason_for_memorizing_comes_first(encoder, rows, hints, parts):
    """Few training texts, an encoder of another language, or labels: of which files, the user knows."""
    trainer = noted(make_trainer(encoder, rows=rows), 0.04, steps=8)
    (warning,) = sanity_warnings(trainer, {"validation": answers(20, 60, 20)}, hints)
    places = [warning.index(part) for part in ("learned nothing that generalizes. ", *parts)]
    assert places == sorted(places)


def test_with_a_positive_class_its_f1_is_judged(encoder):
    """Rare spam: 90 % by never saying so is what accuracy calls good, finding it is what counts."""
    trainer = make_trainer(encoder, rows=48)
    trainer.positive = 1
    targets = np.array([0] * 9 + [1])
    warnings = [
        sanity_warnings(trainer, {"validation": Evaluation(np.eye(3, dtype=np.float32)[said], of)})
        for of in (np.tile(targets, 10), targets)
        for said in (np.zeros_like(of), of)
    ]
    assert "Validation's F1 of 0.000" in warnings[0][0]
    assert "10 validation texts are too few to tell" in warnings[2][0]
    assert "the positive class: F1 is 0.000, and would be 0.182" in warnings[2][0]
    assert warnings[1] == warnings[3] == []


def test_the_loss_of_guessing_is_the_entropy_of_what_the_loss_weighs(encoder):
    """ln 3 for three classes alike; less where one is rare, and ln 3 again where its texts weigh more."""
    trainer = make_trainer(encoder, rows=48)
    assert loss_of_guessing(trainer) == pytest.approx(np.log(3))
    targets = np.array([0] * 40 + [1] * 7 + [2])
    for weights, expected in (("none", 0.5133), ("balanced", np.log(3))):
        other = make_trainer(encoder, rows=48, class_weights=weights)
        object.__setattr__(other.train, "targets", targets)
        other.class_weights = class_weights(weights, targets, other.num_classes)
        assert loss_of_guessing(other) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("steps", "start"), [(4, 0), (100, 0), (1000, 0), (40, 500)])
def test_the_last_quarter_is_the_last_quarter(steps, start):
    """Also of a long run, whose losses are kept in buckets, and of one whose first part is not known."""
    history = History(start=start)
    for step in range(steps):
        history.note_step(2.0 if step < 0.75 * steps else 1.0)
    assert last_loss(history) == pytest.approx(1.0, abs=0.05)
    assert last_loss(History()) is None


def with_floor(trainer: Trainer, result: Evaluation, right: int) -> Trainer:
    """Record a floor that is right on the first texts of validation; return the trainer."""
    predicted = np.where(np.arange(result.count) < right, result.targets, (result.targets + 1) % 3)
    score = FloorScore.of(np.arange(result.count), predicted, result.targets, 3)
    trainer.history.floor = Floor(48, 1.0, {"validation": score}).as_json()
    return trainer


def noted(trainer: Trainer, loss: float, steps: int = 120) -> Trainer:
    """Record a training loss that is the same in all steps; return the trainer."""
    for _ in range(steps):
        trainer.history.note_step(loss)
    return trainer


@pytest.mark.parametrize(("right", "is_warned"), [(68, True), (62, False), (50, False)])
def test_a_model_below_the_floor_is_warned_where_that_is_no_chance(encoder, right, is_warned):
    """60 of 100 right: 68 by the floor on the same texts are clearly more, 62 are not."""
    result = answers(60, 100, 40)
    trainer = with_floor(make_trainer(encoder, rows=48, num_train_epochs=3), result, right)
    warnings = sanity_warnings(trainer, {"validation": result})
    assert bool(warnings) == is_warned
    if is_warned:
        (warning,) = warnings
        assert warning.startswith(
            "Fine-tuning stays below the floor (p = 0.0039). Of the same 100 validation"
        )
        assert "the model is right on 60, a logistic regression on the frozen encoder on 68." in warning
        assert "Leave out num_train_epochs" in warning
        assert "head_init=logistic_regression, seeds=3 or more num_train_epochs" in warning


def test_the_floor_is_compared_on_the_channel_of_the_headline(encoder):
    """On test, if there is one: a loss on validation alone is no warning, since the first sentence would deny it."""
    result = answers(60, 100, 40)
    trainer = with_floor(make_trainer(encoder, rows=48), result, 70)
    floor = Floor.from_json(trainer.history.floor or {})
    score = floor.channels["validation"]
    same = FloorScore.of(np.arange(100), result.predicted, result.targets, 3)
    trainer.history.floor = Floor(48, 1.0, {"validation": score, "test": same}).as_json()
    assert sanity_warnings(trainer, {"validation": result, "test": result}) == []
    trainer.history.floor = Floor(48, 1.0, {"validation": same, "test": score}).as_json()
    (warning,) = sanity_warnings(trainer, {"validation": result, "test": result})
    assert "Of the same 100 test texts the model is right on 60" in warning


def test_a_head_that_trains_alone_is_told_why_it_stays_below(encoder):
    """freeze_encoder is the reason."""
    result = answers(60, 100, 40)
    trainer = with_floor(make_trainer(encoder, rows=48, freeze_encoder=True), result, 70)
    (warning,) = sanity_warnings(trainer, {"validation": result})
    assert "Leave out freeze_encoder" in warning


def one_class(count: int, commonest: int) -> Evaluation:
    """Return the same answer to all texts."""
    return Evaluation(np.eye(3, dtype=np.float32)[[0] * count], answers(0, count, commonest).targets)


@pytest.mark.parametrize("loss", [1.1, 0.9])
def test_a_collapsed_run_is_named_in_one_sentence(encoder, loss):
    """One class for all texts, with a loss at its start or below: what it is, the floor's number, what helps."""
    result = one_class(100, 40)
    trainer = with_floor(make_trainer(encoder, rows=48, learning_rate=0.01), result, 70)
    (warning,) = sanity_warnings(noted(trainer, loss), {"validation": result})
    assert warning.startswith("The run has collapsed: ")
    assert "the model answers 'Alpha' for all 100 validation texts" in warning
    assert ("its training loss is 1.100 over the last quarter" in warning) == (loss == 1.1)
    assert "the model is right on 40, a logistic regression on the frozen encoder on 70." in warning
    assert "Leave out learning_rate: it is 0.01, the automatic value 0.0002" in warning
    assert "another seed" in warning
    assert "seeds=3" in warning


@pytest.mark.parametrize(("steps", "rate"), [(40, 0.01), (120, 1e-6)])
def test_a_run_that_had_no_chance_has_not_collapsed(encoder, steps, rate):
    """Few steps or a low learning rate are the likelier reason, and lowering it would be wrong."""
    trainer = noted(make_trainer(encoder, rows=48, learning_rate=rate), 1.1, steps)
    (warning,) = sanity_warnings(trainer, {"validation": one_class(100, 40)})
    assert warning.startswith("The training loss has hardly moved: it is 1.100")


def test_one_class_is_no_collapse_where_it_is_nearly_all_there_is(encoder):
    """90 % of the texts are of it: no better than a constant answer, and no more is said."""
    trainer = noted(make_trainer(encoder, rows=48), 0.6)
    (warning,) = sanity_warnings(trainer, {"validation": one_class(100, 90)})
    assert warning.startswith("Validation's accuracy of 0.900 is no better than always predicting")


def test_where_the_frozen_encoder_finds_nothing_either_the_labels_are_doubted(encoder):
    """Neither is better than a constant answer."""
    result = answers(36, 100, 40)
    trainer = noted(with_floor(make_trainer(encoder, rows=48), result, 41), 0.9)
    (warning,) = sanity_warnings(trainer, {"validation": result})
    assert "check first whether the labels belong to the texts" in warning
    assert "right on 36, a logistic regression on the frozen encoder on 41" in warning


def test_poor_channels_are_named_together(encoder):
    """One problem is one warning."""
    results = {"validation": answers(20, 100, 40), "test": answers(32, 150, 55)}
    (warning,) = sanity_warnings(noted(make_trainer(encoder, rows=48), 0.9), results)
    assert "Validation's accuracy of 0.200" in warning
    assert "Test's accuracy of 0.213" in warning
    assert warning.count("num_train_epochs (") == 1
