"""The sentence that matters first: how many texts are right, how sure that is, and what simpler answers would give.

Log, report, model card and `evaluate` say it in these words.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from bert_classifier.evaluation.floor import Floor, FloorComparison
from bert_classifier.evaluation.metrics import Evaluation, wilson_interval
from bert_classifier.evaluation.result import EvaluationResult
from bert_classifier.job.wording import counted

FEW_TEXTS = 30  # below, counts say more than percentages
_DIGITS = ((1_000, 0), (100_000, 1))  # number of texts, decimals of a percentage below it
_DIGITS_ABOVE = 2
_LONGEST_LABEL = 40  # characters
_ALIKE = 2  # mistakes that make a pattern


@dataclasses.dataclass(frozen=True)
class Headline:
    """How good a model is on some texts.

    Attributes:
        right: texts predicted correctly.
        count: texts evaluated.
        texts: what they are, such as "60 test texts".
        folds: of the cross-validation that predicted them; 0 = one model did.
        seeds: number of models of which these texts chose the best; 1 = none was chosen.
        constant: accuracy of always predicting their commonest class.
        floor: the model beside logistic regression on the frozen encoder, on these texts or a sample of them; None if
            not known.
        positive: name of the positive class; "" if there is none.
        positive_f1: its F1.
    """

    right: int
    count: int
    texts: str
    folds: int = 0
    seeds: int = 1
    constant: float = 0.0
    floor: FloorComparison | None = None
    positive: str = ""
    positive_f1: float = 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy."""
        return wilson_interval(self.right, self.count)

    @property
    def sentence(self) -> str:
        """How many texts are right, with the interval, and the F1 of the positive class if there is one."""
        if not self.count:
            return f"There are {self.texts} to say how good the model is."
        f1 = f"; F1 of class {self.positive} is {cautious(self.positive_f1)}" if self.positive else ""
        right = f"right{chosen_by(self.folds, self.seeds)}"
        interval = f"(95 % interval {interval_text(self.right, self.count)})"
        if self.count < FEW_TEXTS:
            verb = "is" if self.count == 1 else "are"
            return f"{self.right} of {self.texts} {verb} {right}{f1}: too few to say more {interval}."
        return f"{percent(self.right, self.count)} of {self.texts} are {right} {interval}{f1}."

    @property
    def comparison(self) -> str:
        """Whether that is better than simpler answers to the same texts; "" without texts.

        The floor by McNemar's test, text by text. The commonest class is not clearly different if its accuracy lies in
        the interval.
        """
        if not self.count:
            return ""
        constant = percent(round(self.constant * self.count), self.count)
        by_verdict: dict[str, list[str]] = {}
        if self.floor:
            by_verdict[_verdict_on(self.floor)] = [
                f"logistic regression on the frozen encoder ({self._floor_right(self.floor)})"
            ]
        by_verdict.setdefault(self._verdict(self.constant), []).append(
            f"always predicting the commonest class ({constant})"
        )
        parts = [
            f"{verdict} {(' or ' if 'not' in verdict else ' and ').join(names)}"
            for verdict, names in by_verdict.items()
        ]
        text = "; ".join(parts)
        return f"{text[:1].upper()}{text[1:]}."

    @property
    def text(self) -> str:
        """The sentence and the comparison."""
        return " ".join(filter(None, (self.sentence, self.comparison)))

    def _floor_right(self, floor: FloorComparison) -> str:
        """Return the floor's share, and the model's own where they are compared on a sample of the texts."""
        texts = floor.paired.count
        share = percent(floor.score.right, texts)
        if texts == self.count:
            return share
        return f"{share} on {texts:,} of them, this model {percent(floor.model_right, texts)}"

    def _verdict(self, accuracy: float) -> str:
        low, high = self.interval
        if accuracy < low:
            return "better than"
        if accuracy > high:
            return "worse than"
        return undecided(is_ahead=self.right >= accuracy * self.count)


def headline(
    evaluation: EvaluationResult,
    *,
    labels: Sequence[str] = (),
    positive: int | None = None,
    is_held_out: bool = False,
    folds: int = 0,
    seeds: int = 1,
    floor: Floor | None = None,
) -> Headline:
    """Return the headline of the channel that reports are about.

    Args:
        labels: class names; needed with `positive` alone.
        positive: index of the positive class, or None.
        is_held_out: whether validation was split off the training texts.
        folds: of the cross-validation that predicted the channel's texts, which are then training texts; 0 = none.
        seeds: number of models of which the one evaluated is the best by validation.
        floor: logistic regression on the frozen encoder, if known.
    """
    result = evaluation.results[evaluation.channel]
    has_positive = positive is not None and bool(labels)
    return Headline(
        right=int(result.confusion.trace()),
        count=result.count,
        texts=texts_of(evaluation.channel, result.count, is_held_out=is_held_out, folds=folds),
        folds=folds,
        seeds=seeds if evaluation.channel == "validation" else 1,
        constant=constant_accuracy(result),
        floor=FloorComparison.of(floor, evaluation.channel, result),
        positive=short_label(labels[positive]) if has_positive and positive is not None else "",
        positive_f1=result.score(positive) if has_positive else 0.0,
    )


def _verdict_on(floor: FloorComparison) -> str:
    is_ahead = floor.model_right >= floor.score.right
    if floor.is_significant:
        return "better than" if is_ahead else "worse than"
    return undecided(is_ahead=is_ahead)


def undecided(*, is_ahead: bool) -> str:
    """Return the words for a difference that may be chance."""
    return "not clearly better than" if is_ahead else "not better than"


def constant_accuracy(result: Evaluation) -> float:
    """Return the accuracy of always predicting the commonest class of the texts; 0 without any."""
    return float(result.confusion.sum(axis=1).max(initial=0) / max(1, result.count))


def most_frequent_mistake(result: Evaluation, labels: Sequence[str]) -> str:
    """Return the confusion that hurts most; "" if no two mistakes are alike."""
    mistakes = result.confusion - np.diag(np.diag(result.confusion))
    if mistakes.max(initial=0) < _ALIKE:
        return ""
    true, predicted = np.unravel_index(mistakes.argmax(), mistakes.shape)
    number, texts = int(mistakes[true, predicted]), int(result.confusion[true].sum())
    return (
        f"Most frequent mistake: {number:,} of {texts:,} texts of class {short_label(labels[true])} are predicted as"
        f" {short_label(labels[predicted])}."
    )


def percent(right: int, count: int) -> str:
    """Return a share such as "94 %", with decimals only where so many texts support them.

    A share of not quite all, or not quite none, has as many as it takes not to be rounded to it.
    """
    return f"{_rounded(right / max(1, count), _digits(right, count))} %"


def interval_text(right: int, count: int) -> str:
    """Return the 95 % interval of a share, such as "86–98 %", with the decimals of the share."""
    digits = _digits(right, count)
    low, high = (_rounded(share, digits) for share in wilson_interval(right, count))
    return f"{low}–{high} %"


def _digits(right: int, count: int) -> int:
    digits = next((digits for limit, digits in _DIGITS if count < limit), _DIGITS_ABOVE)
    if right in (0, count):
        return digits
    while float(_rounded(right / count, digits)) in (0.0, 100.0):
        digits += 1
    return digits


def cautious(score: float) -> str:
    """Return a score with two decimals, never rounded up to 1."""
    return f"{min(score, 0.99) if score < 1 else score:.2f}"


def _rounded(share: float, digits: int) -> str:
    return f"{100 * share:.{digits}f}"


def texts_of(channel: str, count: int, *, is_held_out: bool, folds: int) -> str:
    """Return the number of a channel's texts, and what they are."""
    if folds:
        kind = "training text"
    elif channel == "validation" and is_held_out:
        kind = "held-out text"
    elif channel in ("test", "validation"):
        kind = f"{channel} text"
    else:
        return f"{counted(count, 'text') if count else 'no texts'} of {channel}"
    return counted(count, kind) if count else f"no {kind}s"


def chosen_by(folds: int, seeds: int) -> str:
    """Return how the model was judged or chosen, for a sentence; "" for one training on a hold-out."""
    if folds:
        return f" by {folds}-fold cross-validation"
    return f" by the best of {seeds} seeds" if seeds > 1 else ""


def short_label(label: str) -> str:
    """Return a class name, cut where it is long."""
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"
