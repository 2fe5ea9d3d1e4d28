"""Whether a run has learnt anything: what its losses and its scores are worth beside guessing."""

import numpy as np

from bert_classifier.evaluation.scores import Evaluation, Tally
from bert_classifier.training.history import History
from bert_classifier.training.trainer import Trainer

_HARDLY_MOVED = 0.95  # of the loss of guessing: above it nothing worth speaking of was learnt
_LAST_PART = 0.25  # of the steps: a batch alone is mostly chance


def doubts_about(trainer: Trainer, result: Evaluation) -> list[str]:
    """Return a sentence with its remedy for each sign that the model has learnt nothing.

    Args:
        result: of the model on validation.
    """
    found = [
        _of_loss(last_loss(trainer.history), loss_of_guessing(trainer)),
        _of_scores(result, trainer.positive),
    ]
    return [f"{sentence} {_remedy(trainer)}" for sentence in found if sentence]


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


def _of_scores(result: Evaluation, positive: int | None) -> str:
    counts = result.confusion.sum(axis=1)
    answer = int(counts.argmax()) if positive is None else positive
    constant = np.zeros_like(result.confusion)
    constant[:, answer] = counts
    score, same = result.score(positive), Tally(constant).score(positive)
    if not result.count or score > same:
        return ""
    name, class_ = ("accuracy", "the commonest class") if positive is None else ("F1", "the positive class")
    return f"Validation's {name} of {score:.3f} does not beat always answering {class_} ({same:.3f})."


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
