"""The sentence that matters first where texts have any number of labels, in the words of `evaluation.headline`."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from bert_classifier.evaluation.headline import (
    FEW_TEXTS,
    cautious,
    chosen_by,
    percent,
    short_label,
    texts_of,
    undecided,
)
from bert_classifier.evaluation.multi_label.floor import LabelFloor, LabelFloorComparison
from bert_classifier.evaluation.multi_label.predictions import LabelPredictions
from bert_classifier.evaluation.multi_label.result import MultiLabelResult

_ALIKE = 2  # mistakes that make a pattern


@dataclasses.dataclass(frozen=True)
class MultiLabelHeadline:
    """How good a model is on some texts.

    Attributes:
        micro_f1: over all pairs of a text and a label.
        interval: its 95 % interval.
        exact: texts answered with exactly their labels.
        count: texts evaluated.
        texts: what they are, such as "60 test texts".
        constant: micro-F1 of answering every text with the same labels, the best ones.
        folds: of the cross-validation that predicted them; 0 = one model did.
        seeds: number of models of which these texts chose the best; 1 = none was chosen.
        floor: the model beside logistic regressions on the frozen encoder, on these texts or a sample of them; None if
            not known.
    """

    micro_f1: float
    interval: tuple[float, float]
    exact: int
    count: int
    texts: str
    constant: float = 0.0
    folds: int = 0
    seeds: int = 1
    floor: LabelFloorComparison | None = None

    @property
    def sentence(self) -> str:
        """F1 over all labels with its interval, and the texts that are right as a whole."""
        if not self.count:
            return f"There are {self.texts} to say how good the model is."
        low, high = self.interval
        f1 = (
            f"Micro-F1 is {cautious(self.micro_f1)} on {self.texts}{chosen_by(self.folds, self.seeds)}"
            f" (95 % interval {low:.2f}–{cautious(high)})"
        )
        if self.count < FEW_TEXTS:
            return f"{f1}: too few to say more; {self.exact} have exactly the predicted labels."
        return f"{f1}; {percent(self.exact, self.count)} of them have exactly the predicted labels."

    @property
    def comparison(self) -> str:
        """Whether that is better than simpler answers to the same texts; "" without texts.

        The floor by a paired test. The constant answer is not clearly different if its F1 lies in the interval.
        """
        if not self.count:
            return ""
        parts = [] if self.floor is None else [f"{_verdict_on(self.floor)} {self.floor.words(self.count)}"]
        parts.append(
            f"{self._verdict} predicting the commonest labels for every text ({cautious(self.constant)})"
        )
        text = "; ".join(parts)
        return f"{text[:1].upper()}{text[1:]}."

    @property
    def text(self) -> str:
        """The sentence and the comparison."""
        return " ".join(filter(None, (self.sentence, self.comparison)))

    @property
    def _verdict(self) -> str:
        low, high = self.interval
        if self.constant < low:
            return "better than"
        return "worse than" if self.constant > high else undecided(is_ahead=self.micro_f1 >= self.constant)


def multi_label_headline(
    evaluation: MultiLabelResult,
    *,
    is_held_out: bool = False,
    folds: int = 0,
    seeds: int = 1,
    floor: LabelFloor | None = None,
) -> MultiLabelHeadline:
    """Return the headline of the channel that reports are about; arguments as those of `headline`."""
    channel = evaluation.channel
    answers = evaluation.predictions(channel)
    return MultiLabelHeadline(
        micro_f1=answers.micro_f1,
        interval=answers.micro_f1_interval,
        exact=int(answers.are_exact.sum()),
        count=answers.count,
        texts=texts_of(channel, answers.count, is_held_out=is_held_out, folds=folds),
        constant=constant_f1(answers.support, answers.count),
        folds=folds,
        seeds=seeds if channel == "validation" else 1,
        floor=LabelFloorComparison.of(floor, channel, answers),
    )


def constant_f1(support: np.ndarray, count: int) -> float:
    """Return the highest micro-F1 of answering every one of n texts with the same labels; 0 without labels.

    Args:
        support: texts that have each label, int (classes,).
    """
    right = np.cumsum(np.sort(support)[::-1])  # of the commonest labels, one more each time
    answered = count * np.arange(1, len(support) + 1)
    whole = answered + support.sum()
    return float((2 * right / np.maximum(1, whole)).max(initial=0.0))


def most_frequent_label_mistake(answers: LabelPredictions, labels: Sequence[str]) -> str:
    """Return the mistake that is made most often; "" if no two are alike."""
    missed, false = answers.missed.sum(axis=0), answers.false.sum(axis=0)
    if max(missed.max(initial=0), false.max(initial=0)) < _ALIKE:
        return ""
    if missed.max() >= false.max():
        at = int(missed.argmax())
        return (
            f"Most frequent mistake: {int(missed[at]):,} of {int(answers.support[at]):,} texts with the label"
            f" {short_label(labels[at])} do not get it."
        )
    at = int(false.argmax())
    return (
        f"Most frequent mistake: {int(false[at]):,} of {int(answers.answered[at]):,} texts that get the label"
        f" {short_label(labels[at])} do not have it."
    )


def _verdict_on(floor: LabelFloorComparison) -> str:
    is_ahead = floor.difference >= 0
    if floor.is_significant:
        return "better than" if is_ahead else "worse than"
    return undecided(is_ahead=is_ahead)
