"""What each threshold costs and gives: what a person needs to choose abstain_below or target_accuracy."""

import dataclasses

from bert_classifier.evaluation.abstention import CoverageCurve
from bert_classifier.evaluation.guarantee import CONFIDENCE, Guarantee, guarantee, lower_bound

FIXED = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
TARGETS = (0.9, 0.95, 0.98, 0.99, 0.995)
_TAIL = (1 - CONFIDENCE) / 2


@dataclasses.dataclass(frozen=True)
class Threshold:
    """The texts that reach a threshold.

    Attributes:
        value: texts with a lower score get no label; None if no threshold reaches the target.
        texts: all texts.
        answered: those that reach it.
        right: correct predictions among these.
        bound: accuracy that the labels of new texts of the same kind have at least, with CONFIDENCE in each row by
            itself; None where the threshold was chosen on these very texts without a guarantee, or nothing is answered.
        target: accuracy for which it was chosen; None for a threshold fixed beforehand.
        guarantee: for a target: what it comes to on new texts.
    """

    value: float | None
    texts: int
    answered: int
    right: int
    bound: float | None
    target: float | None = None
    guarantee: Guarantee | None = None

    @property
    def coverage(self) -> float:
        """Share of the texts that get a label."""
        return self.answered / max(1, self.texts)

    @property
    def accuracy(self) -> float:
        """Share of correct predictions among them; 0 without any."""
        return self.right / max(1, self.answered)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The exact 95 % interval of the accuracy (Clopper and Pearson 1934).

        None for a threshold that these very texts suggested without a guarantee: it is the best of many, and an
        interval that ignores this would be too high.
        """
        is_suggested = self.target is not None and not self.is_guaranteed
        return None if is_suggested else exact_interval(self.right, self.answered)

    @property
    def is_guaranteed(self) -> bool:
        """Whether the target holds on new texts, with CONFIDENCE."""
        return self.guarantee is not None and self.guarantee.threshold is not None


def fixed_thresholds(curve: CoverageCurve) -> list[Threshold]:
    """Return what the thresholds FIXED come to, without those that every text reaches or none."""
    rows = [_fixed(curve, value) for value in FIXED]
    return [row for row in rows if 0 < row.answered < row.texts]


def target_thresholds(curve: CoverageCurve) -> list[Threshold]:
    """Return the threshold for each of TARGETS: the guaranteed one or else the lowest that these texts suggest.

    Without a guarantee, its accuracy on new texts is likely lower: it is the best of many on these texts.
    """
    return [_reaching(curve, target) for target in TARGETS]


def exact_interval(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, from `right` of `count`, that is never too narrow (Clopper and Pearson)."""
    if not count:
        return 0.0, 1.0
    return lower_bound(right, count, _TAIL), 1 - lower_bound(count - right, count, _TAIL)


def _texts(curve: CoverageCurve) -> int:
    return int(curve.accepted[-1]) if len(curve.accepted) else 0


def _fixed(curve: CoverageCurve, value: float) -> Threshold:
    answered, right = curve.at(value)
    bound = lower_bound(right, answered, 1 - CONFIDENCE) if answered else None
    return Threshold(value, _texts(curve), answered, right, bound)


def _reaching(curve: CoverageCurve, target: float) -> Threshold:
    found = guarantee(curve, target)
    if found.threshold is not None:
        return Threshold(
            found.threshold, found.texts, found.answered, found.right, found.bound, target, found
        )
    enough = (curve.right >= target * curve.accepted).nonzero()[0]
    if not len(enough):
        return Threshold(None, found.texts, 0, 0, None, target, found)
    last = int(enough[-1])
    answered, right = int(curve.accepted[last]), int(curve.right[last])
    return Threshold(curve.threshold_after(last), found.texts, answered, right, None, target, found)
