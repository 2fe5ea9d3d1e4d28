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

from bert_classifier.evaluation.abstention import between, coverage_curve
from bert_classifier.evaluation.metrics import slices_of
from bert_classifier.evaluation.multi_label.calibration import LabelScores
from bert_classifier.job.wording import counted

AnyScores = np.ndarray | LabelScores  # float64 (n, classes)
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


def best_thresholds(
    probabilities: AnyScores, targets: np.ndarray, chosen: np.ndarray | None = None
) -> LabelThresholds:
    """Return the thresholds with the best F1.

    Args:
        probabilities: (n, classes), of validation texts.
        targets: uint8 (n, classes).
        chosen: the texts that choose them, int (k,); None: all.
    """
    chosen = np.arange(len(targets)) if chosen is None else chosen
    support = targets[chosen].sum(axis=0, dtype=np.int64)
    have_enough = np.minimum(support, len(chosen) - support) >= LEAST_POSITIVES
    common = _UNDECIDED if have_enough.all() else _best_in_common(probabilities, targets, chosen)
    values = [
        best_f1_threshold(probabilities[chosen, index], targets[chosen, index] == 1) if has_enough else common
        for index, has_enough in enumerate(have_enough.tolist())
    ]
    origins = tuple(Origin.OWN if has_enough else Origin.COMMON for has_enough in have_enough.tolist())
    return LabelThresholds(np.array(values, dtype=np.float64), origins)


def cross_fitted(probabilities: AnyScores, targets: np.ndarray) -> np.ndarray:
    """Return the labels answered where each text's thresholds are chosen without it, bool (n, classes).

    Texts that chose the thresholds make them look better than they are on new ones. Here each fifth of the texts, drawn
    once and for all, is answered with the thresholds of the others.
    """
    folds = np.random.Generator(np.random.Philox(0)).permutation(len(targets)) % _FOLDS
    predicted = np.zeros(targets.shape, dtype=bool)
    for fold in range(_FOLDS):
        values = best_thresholds(probabilities, targets, np.flatnonzero(folds != fold)).values
        own = np.flatnonzero(folds == fold)
        for part in slices_of(targets):
            texts = own[part]
            predicted[texts] = probabilities[texts] >= values
    return predicted


def _best_in_common(probabilities: AnyScores, targets: np.ndarray, chosen: np.ndarray) -> float:
    """Return what best_f1_threshold does for the scores of all labels together, without sorting them.

    The best F1 is at a score of a text with the label: further down, every other one lowers it. So it is enough to
    count the scores from each of these on.
    """
    parts = [chosen[part] for part in slices_of(targets) if len(chosen[part])]
    found = [probabilities[texts][targets[texts] == 1] for texts in parts]
    tried, right = np.unique(np.concatenate([*found, np.zeros(0)]), return_counts=True)
    if not len(tried):
        return _UNDECIDED
    reached = np.zeros(len(tried) + 1, dtype=np.int64)
    for texts in parts:
        at = np.searchsorted(tried, probabilities[texts].ravel(), side="right")
        reached += np.bincount(at, minlength=len(reached))
    accepted, rights = (np.cumsum(counts[::-1]) for counts in (reached[1:], right))
    is_common = 2 * int(rights[-1]) >= len(chosen) * targets.shape[1]
    f1 = 2 * rights / (accepted + int(rights[-1]))
    if not is_common:
        f1 = f1[accepted < len(chosen) * targets.shape[1]]
    if len(f1):
        upper = float(tried[::-1][int(f1.argmax())])
    else:  # all texts with the label have the lowest score
        upper = max(float(probabilities[texts].max()) for texts in parts)
    lower = max(scores[scores < upper].max(initial=-1.0) for scores in map(probabilities.__getitem__, parts))
    if lower >= 0:
        return between(upper, lower)
    return 0.0 if len(f1) else _UNDECIDED


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
