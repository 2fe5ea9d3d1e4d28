"""Thresholds with a promised precision: of the answers with a label, at least this share is right on new texts too.

For each label by itself, this is the bound of `evaluation.guarantee`: of the validation texts above a threshold, a
binomial number has the label. A label without such a threshold is never answered.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from bert_classifier.evaluation.abstention import coverage_curve
from bert_classifier.evaluation.guarantee import CONFIDENCE, Guarantee, guarantee, shortage_of_texts
from bert_classifier.evaluation.metrics import chance_of_at_least
from bert_classifier.evaluation.multi_label.predictions import LabelPredictions
from bert_classifier.evaluation.multi_label.thresholds import AnyScores, LabelThresholds, Origin
from bert_classifier.job.wording import counted, listed

_CHANCE = 0.025  # that a kept promise looks broken, over all labels together


@dataclasses.dataclass(frozen=True)
class PromisedPrecision:
    """What a target precision comes to on validation.

    Attributes:
        target: precision of each label's answers, to hold on new texts of the same kind.
        labels: class names.
        classes: what the target comes to for each.
    """

    target: float
    labels: Sequence[str]
    classes: Sequence[Guarantee]

    @functools.cached_property
    def thresholds(self) -> LabelThresholds:
        """The lowest threshold of each class at which the target holds; inf where there is none."""
        found = [each.threshold for each in self.classes]
        values = np.array([np.inf if threshold is None else threshold for threshold in found])
        origins = tuple(Origin.NEVER if threshold is None else Origin.PROMISED for threshold in found)
        return LabelThresholds(values, origins)

    @property
    def never(self) -> list[str]:
        """The labels for which no threshold promises the target."""
        return [
            label for label, each in zip(self.labels, self.classes, strict=True) if each.threshold is None
        ]

    @property
    def facts(self) -> dict[str, Any]:
        """The field of training.json; null = none."""
        return {
            "target_precision": self.target,
            "confidence": CONFIDENCE,
            "validation_texts": self.classes[0].texts,
            "labels": {label: _facts(each) for label, each in zip(self.labels, self.classes, strict=True)},
        }

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of evaluation.json."""
        return {
            "target_precision": self.target,
            "target_confidence": CONFIDENCE,
            "promised_labels": len(self.classes) - len(self.never),
        }

    @property
    def sentence(self) -> str:
        """What is promised, and for how many labels."""
        promised = len(self.classes) - len(self.never)
        if not promised:
            labels = counted(len(self.classes), "label")
            return (
                f"target_precision={self.target:g} cannot be promised for any of {labels}: none is ever answered."
                f" {self._shortage}"
            )
        return (
            f"target_precision={self.target:g} is promised for {promised} of {counted(len(self.classes), 'label')}:"
            f" of the answers with each, at least {100 * self.target:g} % are right on new texts of the same kind, with"
            f" {100 * CONFIDENCE:g} % confidence in each label by itself."
        )

    @property
    def warning(self) -> str:
        """Which labels are never answered, and what to do; "" if all can be promised."""
        never = self.never
        if not never:
            return ""
        which = "it is" if len(never) == 1 else "they are"
        found = (
            f"target_precision={self.target:g} cannot be promised for {named(never)}: {which} never answered."
            f" {self._shortage}"
        )
        return (
            f"{found if len(never) < len(self.classes) else self.sentence} Add validation texts that have such labels,"
            " lower target_precision, or train a better model."
        )

    @property
    def _shortage(self) -> str:
        """What the labels without a promise lack."""
        without = [each for each in self.classes if each.threshold is None]
        texts = self.classes[0].texts
        if shortage := shortage_of_texts(self.target, texts):
            return f"{shortage[0].upper()}{shortage[1:]}."
        needed = sorted(each.needed for each in without if each.needed is not None)
        hopeless = len(without) - len(needed)
        parts = []
        if needed:
            span = " to ".join(f"{count:,}" for count in dict.fromkeys([needed[0], needed[-1]]))
            labels = counted(len(needed), "label")
            parts.append(
                f"{labels} would need about {span} validation texts at this precision, and there are {texts:,}"
            )
        if hopeless:
            parts.append(f"{counted(hopeless, 'label is', 'labels are')} right that often at no threshold")
        return f"{'; '.join(parts)}."


def promise_precision(
    probabilities: AnyScores, targets: np.ndarray, labels: Sequence[str], target: float
) -> PromisedPrecision:
    """Return for each label the lowest threshold at which the target precision holds on new texts.

    Args:
        probabilities: (n, classes), of validation texts.
        targets: uint8 (n, classes).
    """
    found = [
        guarantee(coverage_curve(probabilities[:, index], targets[:, index] == 1), target)
        for index in range(targets.shape[1])
    ]
    return PromisedPrecision(target, labels, found)


def precision_kept(target: float, predictions: LabelPredictions, labels: Sequence[str]) -> str:
    """Return whether the answers to other texts are right as often as target_precision promised.

    A label breaks it if chance would give so many wrong answers in no more than one of 40 cases, all labels together.
    """
    answered = predictions.answered.tolist()
    wrong = (predictions.answered - predictions.right).tolist()
    risk = _CHANCE / max(1, sum(count > 0 for count in answered))
    broken = [
        label
        for label, false, count in zip(labels, wrong, answered, strict=True)
        if count and chance_of_at_least(false, count, 1 - target) <= risk
    ]
    promised = f"target_precision={target:g} is promised for each label that is answered"
    if not any(answered):
        return f"{promised}: here, none is."
    if not broken:
        return f"{promised}: no label stays below it here by more than chance explains."
    return (
        f"{promised}: it does not hold here for {named(broken)}: these texts or their labels differ from those of"
        " validation."
    )


def named(labels: Sequence[str]) -> str:
    """Return how many labels they are, with the names of the first."""
    return f"{counted(len(labels), 'label')} ({listed(labels)})"


def _facts(each: Guarantee) -> dict[str, Any]:
    is_given = each.threshold is not None
    return {
        "threshold": each.threshold,
        "answered": each.answered if is_given else None,
        "right": each.right if is_given else None,
        "precision_bound": each.bound if is_given else None,
        "needed_texts": each.needed,
    }
