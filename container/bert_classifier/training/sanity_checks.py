"""Detect a model that has learned nothing by comparing its loss and scores with guessing."""

from collections.abc import Mapping

import numpy as np

from bert_classifier.evaluation.metrics import ConfusionMatrix, Evaluation, chance_of_at_least
from bert_classifier.training.history import History
from bert_classifier.training.trainer import Trainer

# Fractions of the loss of guessing: above the first, hardly anything was learned; below the second, the model
# classifies nearly all training texts correctly.
_HARDLY_MOVED = 0.95
_MEMORIZED = 0.25
_CHANCE = 0.025  # significance level for beating a constant answer
_FEW_TEXTS = 30  # a smaller channel is ignored if another one shows that the model is good
_LAST_PART = 0.25  # fraction of steps to average the loss over, since that of a single batch is mostly chance


def sanity_warnings(trainer: Trainer, results: Mapping[str, Evaluation]) -> list[str]:
    """Return one sentence, with its remedy, for each sign that the model has learned nothing.

    Args:
        results: by channel: validation and, if there is one, test.
    """
    loss, guessing = last_loss(trainer.history), loss_of_guessing(trainer)
    unmoved = _loss_warning(loss, guessing)
    found = [f"{unmoved} {_remedy(trainer)}"] if unmoved else []
    memorized = _memorization_note(loss, guessing)
    at_chance = _score_warnings(results, trainer.positive)
    found += [f"{sentence} {memorized or _remedy(trainer)}" for sentence in at_chance]
    return found or _few_texts_warnings(results, trainer.positive)


def is_collapsed(trainer: Trainer, result: Evaluation) -> bool:
    """Return whether a model has learned nothing: one class for all texts, or a training loss that hardly moved."""
    is_constant = len(np.unique(result.predicted)) < min(2, len(np.unique(result.targets)))
    return is_constant or bool(_loss_warning(last_loss(trainer.history), loss_of_guessing(trainer)))


def last_loss(history: History) -> float | None:
    """Return the mean training loss over the last quarter of the steps; None without any."""
    first = history.start + (1 - _LAST_PART) * history.steps
    losses = [loss for middle, loss in history.training_losses() if middle > first]
    return float(np.mean(losses)) if losses else None


def loss_of_guessing(trainer: Trainer) -> float:
    """Return the loss of predicting the class frequencies for every text: their entropy, with the class weights."""
    counts = np.bincount(trainer.train.targets, minlength=trainer.num_classes)
    shares = counts * trainer.class_weights.cpu().numpy().astype(np.float64)
    shares = shares[shares > 0] / shares.sum()
    return float(-(shares * np.log(shares)).sum())


def _loss_warning(loss: float | None, guessing: float) -> str:
    if loss is None or loss < _HARDLY_MOVED * guessing:
        return ""
    return (
        f"The training loss has hardly moved: it is {loss:.3f} over the last quarter of the steps; guessing by the"
        f" classes' shares gives {guessing:.3f}."
    )


def _memorization_note(loss: float | None, guessing: float) -> str:
    if loss is None or loss > _MEMORIZED * guessing:
        return ""
    return (
        f"Yet the training loss is {loss:.3f}, where guessing gives {guessing:.3f}: the model has memorized the"
        " training texts and learned nothing that generalizes. Check the labels first: labels unrelated to the"
        " texts have this effect. Then add training texts."
    )


def _score_warnings(results: Mapping[str, Evaluation], positive: int | None) -> list[str]:
    """Return a sentence per channel with poor scores, small ones aside if another shows that the model is good."""
    is_good = positive is None and any(_beats_constant(result) for result in results.values())
    counted = {
        name: result for name, result in results.items() if not (is_good and result.count < _FEW_TEXTS)
    }
    sentences = [_score_warning(name, result, positive) for name, result in counted.items()]
    return [sentence for sentence in sentences if sentence]


def _beats_constant(result: Evaluation) -> bool:
    """Return whether the model is significantly better than always predicting the most frequent class."""
    correct, most = int(result.confusion.trace()), int(result.confusion.sum(axis=1).max())
    return bool(result.count) and chance_of_at_least(correct, result.count, most / result.count) <= _CHANCE


def _few_texts_warnings(results: Mapping[str, Evaluation], positive: int | None) -> list[str]:
    """Return a sentence per channel if the model is significantly better than a constant answer on none."""
    if positive is not None or any(_beats_constant(result) for result in results.values()):
        return []
    return [
        f"{result.count} {name} texts are too few to tell whether this model is better than always predicting the"
        f" commonest class: {int(result.confusion.trace())} predictions are correct, and that class would be correct"
        f" {int(result.confusion.sum(axis=1).max())} times. Evaluate on more texts, such as with a test channel."
        for name, result in results.items()
        if result.count
    ]


def _score_warning(channel: str, result: Evaluation, positive: int | None) -> str:
    counts = result.confusion.sum(axis=1)
    answer = int(counts.argmax()) if positive is None else positive
    constant = np.zeros_like(result.confusion)
    constant[:, answer] = counts
    score, same = result.score(positive), ConfusionMatrix(constant).score(positive)
    if not result.count or score > same:
        return ""
    name, class_ = ("accuracy", "the commonest class") if positive is None else ("F1", "the positive class")
    return f"{channel.capitalize()}'s {name} of {score:.3f} is no better than always predicting {class_} ({same:.3f})."


def _remedy(trainer: Trainer) -> str:
    recipe = trainer.recipe
    settings = {
        "num_train_epochs": recipe.num_train_epochs,
        "learning_rate": f"{recipe.learning_rate:g}",
        "global_batch_size": recipe.global_batch_size,
    }
    by_hand = [name for name in settings if name not in recipe.automatic]
    values = ", ".join(f"{name} ({value})" for name, value in settings.items())
    if by_hand:
        return f"Change {values}, or leave out {', '.join(by_hand)}: the defaults suit data and encoder."
    return f"Check the labels and model_name first; then change {values}."
