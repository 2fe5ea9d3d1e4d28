"""Abstention with a guarantee: a threshold above which a target accuracy holds on new texts, with stated confidence.

Source: Geifman and El-Yaniv 2017, Selective classification for deep neural networks. Of the validation texts above a
threshold, a binomial number is right, so the exact bound of Clopper and Pearson (1934) holds for new texts like them.
The paper divides the risk that a bound fails among the thresholds of a binary search. Here thresholds are tested from
the highest down. That needs no division as long as each passes (fixed-sequence testing; for thresholds: Angelopoulos
et al. 2021, Learn then test). But one early mistake would end it, so a few starts share the risk: a sequence that has
failed begins anew at the next start, and one that has not takes that start's share too (the fallback procedure: Wiens
and Dmitrienko 2005). In simulation it keeps the guarantee and, on average, answers more texts than either
(tests/benchmarks/RESULTS.md).
"""

import dataclasses
import functools
import itertools
import math
from typing import Any

import numpy as np

from bert_classifier.evaluation.abstention import CoverageCurve
from bert_classifier.evaluation.metrics import chance_of_at_least, wilson_interval

CONFIDENCE = 0.95
_RISK = 0.05  # 1 - CONFIDENCE
_RATIO = 2  # of the numbers of texts at which sequences start
_HALVINGS = 50  # of the interval that holds a bound
_LEAST_COVERAGE = 0.5


@dataclasses.dataclass(frozen=True)
class Guarantee:
    """What a target accuracy comes to on validation.

    Attributes:
        target: accuracy of the labels, to hold on new texts of the same kind.
        threshold: lowest score for which it does, with CONFIDENCE; None if there is none.
        texts: validation texts.
        answered: those that reach the threshold.
        right: correct predictions among these.
        risk: probability with which the test at this threshold may fail, at most 1 - CONFIDENCE.
        needed: without a threshold: validation texts that might give one; None if no number would.
    """

    target: float
    threshold: float | None
    texts: int
    answered: int = 0
    right: int = 0
    risk: float = _RISK
    needed: int | None = None

    @functools.cached_property
    def bound(self) -> float:
        """The lower bound of the accuracy of labels at the threshold, at least the target; 0 without a threshold."""
        return 0.0 if self.threshold is None else lower_bound(self.right, self.answered, self.risk)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy of the validation texts that get a label."""
        return wilson_interval(self.right, self.answered)

    @property
    def facts(self) -> dict[str, Any]:
        """The fields of training.json; null = none."""
        is_given = self.threshold is not None
        low, high = self.interval
        return {
            "target_accuracy": self.target,
            "confidence": CONFIDENCE,
            "threshold": self.threshold,
            "validation_texts": self.texts,
            "answered": self.answered if is_given else None,
            "right": self.right if is_given else None,
            "accuracy_low": low if is_given else None,
            "accuracy_high": high if is_given else None,
            "accuracy_bound": self.bound if is_given else None,
            "needed_texts": self.needed,
        }

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of evaluation.json; a bound of 0 = no threshold."""
        return {
            "target_accuracy": self.target,
            "target_confidence": CONFIDENCE,
            "accuracy_bound": self.bound,
        }

    @property
    def sentence(self) -> str:
        """What the threshold rests on and guarantees, or why there is none."""
        if self.threshold is None:
            return f"target_accuracy={self.target:g} cannot be guaranteed: {self._shortage}. Every text gets a label."
        low, high = self.interval
        return (
            f"target_accuracy={self.target:g} gives the threshold {self.threshold:g}, which {self.answered:,} of"
            f" {self.texts:,} validation texts reach ({self.answered / self.texts:.1%}), {self.right:,} of them right:"
            f" {self.right / self.answered:.2%} (95% interval {low:.2%} to {high:.2%}, lower bound {self.bound:.2%})."
            f" On new texts of the same kind at least {100 * self.target:g}% of the labels are right, with"
            f" {CONFIDENCE:.0%} confidence."
        )

    @property
    def wish(self) -> str:
        """How many validation texts a threshold might take, in a few words."""
        if self.needed is None:
            return "not reached"
        return f"needs {'at least' if shortage_of_texts(self.target, self.texts) else 'about'} {self.needed:,} texts"

    @property
    def _shortage(self) -> str:
        if shortage := shortage_of_texts(self.target, self.texts):
            return shortage
        if self.needed is None:
            return f"at no threshold are the labels of the {self.texts:,} validation texts right that often"
        return (
            f"with {CONFIDENCE:.0%} confidence it would need about {self.needed:,} validation texts at this"
            f" accuracy, and there are {self.texts:,}"
        )

    @property
    def warning(self) -> str:
        """What to do where there is no threshold, or it costs most labels; "" otherwise."""
        if self.threshold is None:
            return f"{self.sentence} {self._remedy}"
        if self.answered >= _LEAST_COVERAGE * self.texts:
            return ""
        return (
            f"target_accuracy={self.target:g} costs most labels: {1 - self.answered / self.texts:.0%} of the"
            f" validation texts get none. {self._remedy}"
        )

    @property
    def _remedy(self) -> str:
        return "Add validation texts, lower target_accuracy, or train a better model."


def guarantee(curve: CoverageCurve, target: float) -> Guarantee:
    """Return the lowest threshold above which the target accuracy holds on new texts, with CONFIDENCE.

    It holds for texts drawn as those of the curve were, if accuracy does not rise as the threshold falls. Of 100 such
    curves, at most 5 give a threshold above which the target does not hold.
    """
    texts = int(curve.accepted[-1]) if len(curve.accepted) else 0
    last, risk = _last_passed(curve, target)
    if last < 0:
        return Guarantee(target, None, texts, needed=_needed(curve, target))
    answered, right = int(curve.accepted[last]), int(curve.right[last])
    return Guarantee(target, curve.threshold_after(last), texts, answered, right, risk)


def least_texts(target: float, risk: float = _RISK) -> int | None:
    """Return the fewest texts that, all right, show a target accuracy below 1; None for 1, which none show."""
    return None if target >= 1 else max(1, math.ceil(math.log(risk) / math.log(target)))


def shortage_of_texts(target: float, texts: int) -> str:
    """Return why so few validation texts cannot show a target accuracy, however good the model; "" if they can."""
    least = least_texts(target)
    if least is None:
        return "no number of validation texts shows that all labels are right"
    if texts >= least:
        return ""
    return (
        f"with {CONFIDENCE:.0%} confidence it needs at least {least:,} validation texts even if all answers were right,"
        f" and there are {texts:,}"
    )


def lower_bound(right: int, count: int, risk: float) -> float:
    """Return the bound below a share, from `right` of `count`, that fails with this risk (Clopper and Pearson)."""
    low, high = 0.0, right / count
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if chance_of_at_least(right, count, middle) <= risk else (low, middle)
    return low


def chances(curve: CoverageCurve, target: float) -> np.ndarray:
    """Return how likely as few mistakes are above each threshold if the true accuracy is the target, float64 (k,).

    The binomial distribution function is followed from text to text: a text that is right lowers it, a wrong one raises
    it, each by one probability. The absolute error is about 1e-16 per text.
    """
    right, wrong = (np.diff(of, prepend=0) for of in (curve.right, curve.accepted - curve.right))
    is_wrong = np.repeat(np.tile([False, True], len(right)), np.stack([right, wrong], axis=1).ravel())
    texts = np.arange(len(is_wrong))
    mistakes = np.cumsum(is_wrong)  # including this text; the probability is that of the texts before it
    logs = np.concatenate([[0.0], np.cumsum(np.log(texts + 1))])  # of the factorials
    hits = np.maximum(texts - mistakes, 0)
    ways = logs[texts] - logs[mistakes] - logs[hits]
    probability = np.exp(ways + mistakes * math.log1p(-target) + hits * math.log(target))
    probability[mistakes > texts] = 0.0
    chance: np.ndarray = 1 + np.cumsum(probability * np.where(is_wrong, target, target - 1))
    at_thresholds: np.ndarray = chance[curve.accepted - 1]
    return at_thresholds


def _starts(target: float, texts: int) -> list[int]:
    """Return the numbers of texts at which sequences start: the first that can pass, then always twice as many."""
    starts: list[int] = []
    while True:
        first = least_texts(target, _RISK / (len(starts) + 1))
        if first is None or first * _RATIO ** len(starts) > texts:
            return starts
        starts = [first * _RATIO**number for number in range(len(starts) + 1)]


def _last_passed(curve: CoverageCurve, target: float) -> tuple[int, float]:
    """Return the index of the lowest threshold that passes, and the risk it was tested at; -1 if none passes."""
    starts = _starts(target, int(curve.accepted[-1]) if len(curve.accepted) else 0)
    if not starts:
        return -1, _RISK
    chance = chances(curve, target)
    edges = [*np.searchsorted(curve.accepted, starts).tolist(), len(chance)]
    last, risk, carried = -1, _RISK, 0.0
    for begin, end in itertools.pairwise(edges):
        carried += _RISK / len(starts)
        failed = np.flatnonzero(chance[begin:end] > carried)
        passed = int(failed[0]) if len(failed) else end - begin
        if passed:
            last, risk = begin + passed - 1, carried
        if len(failed):
            carried = 0.0
    return last, risk


def _needed(curve: CoverageCurve, target: float) -> int | None:
    """Return about how many validation texts would show the target at this accuracy; None if no number would.

    By Chernoff's bound, at the threshold that needs the fewest. One mistake more than there are keeps a few lucky texts
    at the top from promising much.
    """
    least = least_texts(target)
    if least is None or not len(curve.accepted) or curve.accepted[-1] < least:
        return least
    share = curve.right / (curve.accepted + 1)
    is_above = share > target
    if not is_above.any():
        return None
    share, accepted = share[is_above], curve.accepted[is_above]
    divergence = share * np.log(share / target) + (1 - share) * np.log((1 - share) / (1 - target))
    texts, risk = int(curve.accepted[-1]), _RISK / (1 + len(_starts(target, int(curve.accepted[-1]))))
    fewest = math.ceil(-math.log(risk) * float((texts / (accepted * divergence)).min()))
    return _rounded(max(fewest, texts + 1))


def _rounded(count: int) -> int:
    """Return a count to two significant digits, rounded up."""
    unit: int = 10 ** max(0, len(str(count)) - 2)
    return math.ceil(count / unit) * unit
