"""A threshold for each label, chosen on validation: where its F1 is best.

The F1 of a label is best at a threshold of its own, which for calibrated scores is half of that F1, and so differs from
label to label and from 0.5 (Lipton, Elkan and Naryanaswamy 2014, Optimal thresholding of classifiers to maximize F1
measure). The same paper names two traps. With few positive texts, the best of many thresholds is best by luck (their
winner's curse, section 6): labels with fewer than LEAST_POSITIVES, or as few texts without them, share one threshold,
that with the best F1 over all labels together. And where scores say nothing, answering every text is best (section 5):
that is not done for a label that fewer than half of the texts have.
"""

import dataclasses
import enum

import numpy as np

from bert_classifier.evaluation.abstention import coverage_curve
from bert_classifier.job.wording import counted

LEAST_POSITIVES = 20  # simulated: with fewer, own thresholds lose to a shared one on new texts
_UNDECIDED = 0.5  # where no validation text has a label, or all scores are equal
_FOLDS = 5


class Origin(enum.StrEnum):
    """How the threshold of a label came about, in words."""

    OWN = "its best F1"
    COMMON = "shared: too few texts"
    FIXED = "set"
    PROMISED = "promised precision"
    NEVER = "never answered"
    TRAINED = "chosen in training"


@dataclasses.dataclass(frozen=True, eq=False)
class LabelThresholds:
    """The lowest score at which each label is answered.

    Attributes:
        values: float64 (classes,), inf = the label is never answered.
        origins: of each class.
    """

    values: np.ndarray
    origins: tuple[Origin, ...]

    @property
    def sentence(self) -> str:
        """How many labels have a threshold of their own, and which one the others share."""
        own, common = (self._of(origin) for origin in (Origin.OWN, Origin.COMMON))
        parts = []
        if own:
            range_of_own = f"{min(own):.3g} to {max(own):.3g}"
            parts.append(f"{counted(len(own), 'label')} with a threshold of the best F1, {range_of_own}")
        if common:
            few = f"fewer than {LEAST_POSITIVES} validation texts with or without them"
            labels = counted(len(common), "label")
            parts.append(f"{labels} with {few} at {common[0]:.3g}, the best for all labels together")
        return "; ".join(parts)

    def _of(self, wanted: Origin) -> list[float]:
        pairs = zip(self.values.tolist(), self.origins, strict=True)
        return [value for value, origin in pairs if origin is wanted]


def fixed_thresholds(value: float, num_classes: int) -> LabelThresholds:
    """Return one threshold for all classes."""
    return LabelThresholds(np.full(num_classes, value), (Origin.FIXED,) * num_classes)


def trained_thresholds(values: np.ndarray) -> LabelThresholds:
    """Return the thresholds of a trained model, float64 (classes,); inf for a label that is never answered."""
    origins = tuple(Origin.TRAINED if known else Origin.NEVER for known in np.isfinite(values).tolist())
    return LabelThresholds(values, origins)


def best_thresholds(probabilities: np.ndarray, targets: np.ndarray) -> LabelThresholds:
    """Return the thresholds with the best F1.

    Args:
        probabilities: float64 (n, classes), of validation texts.
        targets: uint8 (n, classes).
    """
    are_actual = targets == 1
    support = are_actual.sum(axis=0)
    have_enough = np.minimum(support, len(targets) - support) >= LEAST_POSITIVES
    common = _UNDECIDED
    if not have_enough.all():  # all scores are sorted for it
        common = best_f1_threshold(probabilities.ravel(), are_actual.ravel())
    values = [
        best_f1_threshold(probabilities[:, index], are_actual[:, index]) if has_enough else common
        for index, has_enough in enumerate(have_enough.tolist())
    ]
    origins = tuple(Origin.OWN if has_enough else Origin.COMMON for has_enough in have_enough.tolist())
    return LabelThresholds(np.array(values, dtype=np.float64), origins)


def cross_fitted(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the labels answered where each text's thresholds are chosen without it, bool (n, classes).

    Texts that chose the thresholds make them look better than they are on new ones. Here each fifth of the texts, drawn
    once and for all, is answered with the thresholds of the others.
    """
    folds = np.random.Generator(np.random.Philox(0)).permutation(len(targets)) % _FOLDS
    predicted = np.zeros(targets.shape, dtype=bool)
    for fold in range(_FOLDS):
        own = folds == fold
        predicted[own] = probabilities[own] >= best_thresholds(probabilities[~own], targets[~own]).values
    return predicted


def best_f1_threshold(scores: np.ndarray, are_actual: np.ndarray) -> float:
    """Return the threshold with the best F1, the highest of several: scores, float (n,), and labels, bool (n,)."""
    positives = int(are_actual.sum())
    curve = coverage_curve(scores, are_actual)
    is_common = 2 * positives >= len(scores)
    tried = len(curve.accepted) if is_common else len(curve.accepted) - 1
    if not positives or tried < 1:
        return _UNDECIDED
    f1 = 2 * curve.right[:tried] / (curve.accepted[:tried] + positives)
    return curve.threshold_after(int(f1.argmax()))
