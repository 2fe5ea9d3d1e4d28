"""Thresholds per label in simulation: does target_precision hold, and from how many texts on does the best F1 pay?

python tests/benchmarks/label_thresholds.py --runs 200
"""

import argparse

import numpy as np

from bert_classifier.evaluation.multi_label.calibration import sigmoid
from bert_classifier.evaluation.multi_label.promises import promise_precision
from bert_classifier.evaluation.multi_label.thresholds import best_f1_threshold, best_thresholds

RATES = np.array([0.02, 0.1, 0.3, 0.6])
LABELS = ("2 %", "10 %", "30 %", "60 %")
ALL = 100_000


def drawn(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return overconfident scores and labels of n texts; hard texts are hard for all labels at once."""
    targets = (rng.random((count, len(RATES))) < RATES).astype(np.uint8)
    noise = rng.standard_normal((count, len(RATES))) * rng.choice([0.4, 0.8], (count, 1))
    return sigmoid(4 * (noise + 2.0 * targets - 1.0), 1.0), targets


class Elsewhere:
    """Other texts, sorted by score for each label once, so that any thresholds are judged at once."""

    def __init__(self, scores: np.ndarray, targets: np.ndarray) -> None:
        order = np.argsort(scores, axis=0)
        self._ascending = np.take_along_axis(scores, order, axis=0)
        self._right = np.cumsum(np.take_along_axis(targets, order, axis=0)[::-1], axis=0, dtype=np.int64)

    def holds(self, thresholds: np.ndarray, target: float) -> list[bool]:
        """Return for each label whether its answers at a threshold have the target precision, or there are none."""
        columns = zip(self._ascending.T, self._right.T, thresholds.tolist(), strict=True)
        found = [(len(own) - int(np.searchsorted(own, value)), right) for own, right, value in columns]
        return [not answered or bool(right[answered - 1] >= target * answered) for answered, right in found]


def promises(runs: int) -> None:
    """Print for each label how often the promise and the best F1 keep a target, and how often there is a threshold."""
    elsewhere = Elsewhere(*drawn(ALL, np.random.default_rng(0)))
    print("| target | validation texts | held, by label | given | held by best F1 |\n|---|---|---|---|---|")
    for target in (0.8, 0.9, 0.95):
        for texts in (100, 1000):
            rng = np.random.default_rng(texts)
            held: list[list[bool]] = []
            given: list[np.ndarray] = []
            before: list[list[bool]] = []
            for _ in range(runs):
                validation = drawn(texts, rng)
                ours = promise_precision(*validation, LABELS, target).thresholds.values
                for found, values in ((held, ours), (before, best_thresholds(*validation).values)):
                    found.append(elsewhere.holds(values, target))
                given.append(np.isfinite(ours))
            cells = [
                ", ".join(f"{100 * share:.0f}" for share in np.mean(of, axis=0))
                for of in (held, given, before)
            ]
            print(f"| {target} | {texts:,} | {' | '.join(f'{cell} %' for cell in cells)} |", flush=True)


def own_or_shared(runs: int) -> None:
    """Print how much F1 on new texts a label gains by a threshold of its own, by its number of validation texts."""
    rng = np.random.default_rng(0)
    print("\n| texts with the label | F1 by its own threshold, less that by a shared one |\n|---|---|")
    for positives in (2, 5, 10, 20, 50, 100):
        gains = []
        for rate in (0.02, 0.1):
            for separation in (2.0, 3.0, 4.0):
                for _ in range(max(1, runs // 4)):
                    shifts = rng.normal(
                        0, 0.7, 8
                    )  # labels differ in how far their scores are from calibrated
                    seen, new = (
                        [_label(rng, n, rate, separation, s) for s in shifts]
                        for n in (int(positives / rate), 5000)
                    )
                    shared = best_f1_threshold(*(np.concatenate(of) for of in zip(*seen, strict=True)))
                    own = best_f1_threshold(*seen[0])
                    gains.append(_f1(*new[0], own) - _f1(*new[0], shared))
        print(f"| {positives} | {100 * np.mean(gains):+.1f} points |", flush=True)


def _label(
    rng: np.random.Generator, count: int, rate: float, separation: float, shift: float
) -> tuple[np.ndarray, np.ndarray]:
    actual = rng.random(count) < rate
    value = rng.standard_normal(count) + separation * actual
    logit = separation * value - separation**2 / 2 + np.log(rate / (1 - rate)) + shift
    return 1 / (1 + np.exp(-logit)), actual


def _f1(scores: np.ndarray, actual: np.ndarray, threshold: float) -> float:
    answered = scores >= threshold
    return float(2 * (answered & actual).sum() / max(1, answered.sum() + actual.sum()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    promises(options.runs)
    own_or_shared(options.runs)
