"""Whether a run has learnt anything: what its losses and its scores are worth beside guessing."""

from collections.abc import Mapping

import numpy as np

from bert_classifier.evaluation.metrics import ConfusionMatrix, Evaluation, chance_of_at_least
from bert_classifier.training.history import History
from bert_classifier.training.trainer import Trainer

_HARDLY_MOVED = 0.95  # of the loss of guessing: above it nothing worth speaking of was learnt
_LEARNT_BY_HEART = 0.25  # of the loss of guessing: below it nearly all training texts are answered rightly
_CHANCE = 0.025  # of what always giving one answer would do as well: above it the texts cannot tell
_FEW_TEXTS = 30  # a channel with fewer is not heard where another one has told
_LAST_PART = 0.25  # of the steps: a batch alone is mostly chance


def sanity_warnings(trainer: Trainer, results: Mapping[str, Evaluation]) -> list[str]:
    """Return a sentence with its remedy for each sign that the model has learnt nothing.

    Args:
        results: of the model, by channel: validation, and test where there is one.
    """
    loss, guessing = last_loss(trainer.history), loss_of_guessing(trainer)
    unmoved = _of_loss(loss, guessing)
    found = [f"{unmoved} {_remedy(trainer)}"] if unmoved else []
    by_heart = _of_learning_by_heart(loss, guessing)
    at_chance = _of_scores(results, trainer.positive)
    found += [f"{sentence} {by_heart or _remedy(trainer)}" for sentence in at_chance]
    return found or _of_few_texts(results, trainer.positive)


def last_loss(history: History) -> float | None:
    """Return the mean training loss of the last quarter of the steps; None where there is none."""
    first = history.start + (1 - _LAST_PART) * history.steps
    losses = [loss for middle, loss in history.training_losses() if middle > first]
    return float(np.mean(losses)) if losses else None


def loss_of_guessing(trainer: Trainer) -> float:
    """Return the loss of answering every text with the classes' shares: their entropy, weighted as the loss is."""
    counts = np.bincount(trainer.train.targets, minlength=trainer.num_classes)
    shares = counts * trainer.class_weights.cpu().numpy().astype(np.float64)
    shares = shares[shares > 0] / shares.sum()
    return float(-(shares * np.log(shares)).sum())


def _of_loss(loss: float | None, guessing: float) -> str:
    if loss is None or loss < _HARDLY_MOVED * guessing:
        return ""
    return (
        f"The training loss has hardly moved: {loss:.3f} over the last quarter of the steps, where guessing by the"
        f" classes' shares gives {guessing:.3f}."
    )


def _of_learning_by_heart(loss: float | None, guessing: float) -> str:
    if loss is None or loss > _LEARNT_BY_HEART * guessing:
        return ""
    return (
        f"The training loss is {loss:.3f} all the same, where guessing gives {guessing:.3f}: the training texts were"
        " learnt by heart, and nothing that holds for others. Look at the labels first: such as do not follow from"
        " the texts end like this; then give more training texts."
    )


def _of_scores(results: Mapping[str, Evaluation], positive: int | None) -> list[str]:
    """Return what each channel says against the model; few texts are not heard where another channel is for it."""
    is_shown = positive is None and any(_beats_one_answer(result) for result in results.values())
    heard = {name: result for name, result in results.items() if not (is_shown and result.count < _FEW_TEXTS)}
    told = [_of_score(name, result, positive) for name, result in heard.items()]
    return [sentence for sentence in told if sentence]


def _beats_one_answer(result: Evaluation) -> bool:
    """Say whether a channel has the texts to show that the model beats always giving the commonest class."""
    right, most = int(result.confusion.trace()), int(result.confusion.sum(axis=1).max())
    return bool(result.count) and chance_of_at_least(right, result.count, most / result.count) <= _CHANCE


def _of_few_texts(results: Mapping[str, Evaluation], positive: int | None) -> list[str]:
    """Return a sentence where the model did better than one answer everywhere, but nowhere so that it is no chance."""
    if positive is not None or any(_beats_one_answer(result) for result in results.values()):
        return []
    return [
        f"{result.count} {name} texts cannot tell whether this model is better than always answering the commonest"
        f" class: {int(result.confusion.trace())} are right, and that answer would be right in"
        f" {int(result.confusion.sum(axis=1).max())}. Judge it by more texts, such as with a test channel."
        for name, result in results.items()
        if result.count
    ]


def _of_score(channel: str, result: Evaluation, positive: int | None) -> str:
    counts = result.confusion.sum(axis=1)
    answer = int(counts.argmax()) if positive is None else positive
    constant = np.zeros_like(result.confusion)
    constant[:, answer] = counts
    score, same = result.score(positive), ConfusionMatrix(constant).score(positive)
    if not result.count or score > same:
        return ""
    name, class_ = ("accuracy", "the commonest class") if positive is None else ("F1", "the positive class")
    return f"{channel.capitalize()}'s {name} of {score:.3f} does not beat always answering {class_} ({same:.3f})."


def _remedy(trainer: Trainer) -> str:
    recipe = trainer.recipe
    settings = {
        "num_train_epochs": recipe.num_train_epochs,
        "learning_rate": f"{recipe.learning_rate:g}",
        "global_batch_size": recipe.global_batch_size,
    }
    by_hand = [name for name in settings if name not in recipe.automatic]
    told = ", ".join(f"{name} ({value})" for name, value in settings.items())
    if by_hand:
        return f"Change {told}, or leave out {', '.join(by_hand)}: what is left out follows from data and encoder."
    return f"Look at the labels and at model_name first; then change {told}."
