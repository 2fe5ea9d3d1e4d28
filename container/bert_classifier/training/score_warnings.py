"""Say which scores are no better than a constant answer, and which are of too few texts to tell."""

from collections.abc import Mapping

import numpy as np

from bert_classifier.evaluation.metrics import (
    ConfusionMatrix,
    Evaluation,
    beats_constant,
    chance_of_at_least,
)
from bert_classifier.job.wording import counted

_CHANCE = 0.025  # significance level for being worse than a constant answer
FEW_TEXTS = 30  # of fewer, only what is significant is said
_MORE_TEXTS = "Evaluate on more texts, such as with a test channel."


def score_warnings(results: Mapping[str, Evaluation], positive: int | None) -> list[str]:
    """Return a sentence per channel with poor scores, small ones aside if another shows that the model is good."""
    is_good = positive is None and any(_beats_constant(result) for result in results.values())
    judged = {name: result for name, result in results.items() if not (is_good and result.count < FEW_TEXTS)}
    sentences = [_score_warning(name, result, positive) for name, result in judged.items()]
    return [sentence for sentence in sentences if sentence]


def _score_warning(channel: str, result: Evaluation, positive: int | None) -> str:
    if not result.count or _has_one_class(result):
        return ""
    score, same = result.score(positive), _constant_score(result, positive)
    if score > same or (result.count < FEW_TEXTS and not _is_clearly_worse(result)):
        return ""
    name, class_ = ("accuracy", "the commonest class") if positive is None else ("F1", "the positive class")
    return f"{channel.capitalize()}'s {name} of {score:.3f} is no better than always predicting {class_} ({same:.3f})."


def few_texts_warnings(results: Mapping[str, Evaluation], positive: int | None) -> list[str]:
    """Return a sentence per channel if the model is significantly better than a constant answer on none."""
    if any(_beats_constant(result) for result in results.values()):
        return []
    sentences = [
        _few_texts_warning(name, result, positive) for name, result in results.items() if result.count
    ]
    return [sentence for sentence in sentences if sentence]


def _few_texts_warning(name: str, result: Evaluation, positive: int | None) -> str:
    texts = counted(result.count, f"{name} text")
    if _has_one_class(result):
        return (
            f"{texts} of one class only cannot tell whether this model is better than always predicting it. Evaluate on"
            " texts of all classes."
        )
    score, same = result.score(positive), _constant_score(result, positive)
    start = f"{texts} {'is' if result.count == 1 else 'are'} too few to tell whether this model is better than always"
    if positive is None:
        right, most = int(result.confusion.trace()), int(result.confusion.sum(axis=1).max())
        return (
            f"{start} predicting the commonest class: {counted(right, 'prediction is', 'predictions are')} correct, and"
            f" that class would be correct {counted(most, 'time')}. {_MORE_TEXTS}"
        )
    if score > same:
        return ""
    return f"{start} predicting the positive class: F1 is {score:.3f}, and would be {same:.3f}. {_MORE_TEXTS}"


def _has_one_class(result: Evaluation) -> bool:
    return int((result.confusion.sum(axis=1) > 0).sum()) == 1


def _constant_score(result: Evaluation, positive: int | None) -> float:
    """Return the score of always predicting the commonest class, or the positive one if there is one."""
    counts = result.confusion.sum(axis=1)
    constant = np.zeros_like(result.confusion)
    constant[:, int(counts.argmax()) if positive is None else positive] = counts
    return ConfusionMatrix(constant).score(positive)


def _beats_constant(result: Evaluation) -> bool:
    """Return whether the model is significantly better than always predicting the most frequent class."""
    correct, most = int(result.confusion.trace()), int(result.confusion.sum(axis=1).max())
    return beats_constant(correct, most, result.count)


def _is_clearly_worse(result: Evaluation) -> bool:
    """Return whether so few correct predictions are hardly chance for a model as good as a constant answer."""
    correct, most = int(result.confusion.trace()), int(result.confusion.sum(axis=1).max())
    return 1 - chance_of_at_least(correct + 1, result.count, most / result.count) <= _CHANCE
