"""target_precision: the promise for a label holds on new texts in 95 of 100 runs, and else the label is never answered.

The draws are fixed. A rule that breaks its promise in exactly 5 % of runs would pass with a probability of 99.99 %.
"""

import numpy as np
import pytest
from scipy.stats import binom

from bert_classifier.evaluation.guarantee import Guarantee
from bert_classifier.evaluation.multi_label.calibration import sigmoid
from bert_classifier.evaluation.multi_label.predictions import LabelPredictions
from bert_classifier.evaluation.multi_label.promises import (
    PromisedPrecision,
    precision_kept,
    promise_precision,
)
from bert_classifier.evaluation.multi_label.thresholds import Origin, best_thresholds

RUNS = 200
RATES = np.array([0.02, 0.1, 0.3, 0.6])
LABELS = ("rare", "some", "many", "most")


def drawn(count: int, rng: np.random.Generator, noise: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Return overconfident scores and labels of n texts; hard texts are hard for all labels at once."""
    targets = (rng.random((count, len(RATES))) < RATES).astype(np.uint8)
    noises = rng.standard_normal((count, len(RATES))) * rng.choice([0.6, noise], (count, 1))
    return sigmoid(4 * (noises + 2.0 * targets - 1.0), 1.0), targets


ALL = drawn(200_000, np.random.default_rng(0))


def is_broken(thresholds: np.ndarray, target: float) -> np.ndarray:
    """Return for which labels the precision of all texts stays below the target, bool (classes,)."""
    answers = LabelPredictions(ALL[0] >= thresholds, ALL[1])
    broken: np.ndarray = (answers.answered > 0) & (answers.right < target * answers.answered)
    return broken


@pytest.mark.parametrize("target", [0.8, 0.95])
@pytest.mark.parametrize("texts", [100, 1000])
def test_the_target_holds_on_new_texts(target, texts):
    """For each label by itself, rare or common, however few the validation texts."""
    rng = np.random.default_rng(texts)
    broken = np.sum(
        [
            is_broken(promise_precision(*drawn(texts, rng), LABELS, target).thresholds.values, target)
            for _ in range(RUNS)
        ],
        axis=0,
    )
    assert broken.max() <= binom.isf(1e-4, RUNS, 0.05)


def test_thresholds_of_the_best_f1_break_it():
    """So that simulation can fail: they promise nothing."""
    rng = np.random.default_rng(1)
    broken = np.sum([is_broken(best_thresholds(*drawn(300, rng)).values, 0.95) for _ in range(20)], axis=0)
    assert broken.min() > 10


def test_a_label_without_a_promise_is_never_answered_and_named():
    """One that no text has; the others keep theirs, with their numbers."""
    scores, targets = drawn(2000, np.random.default_rng(2), noise=0.6)
    targets[:, 0] = 0
    found = promise_precision(scores, targets, LABELS, 0.6)
    assert found.thresholds.origins == (Origin.NEVER, *[Origin.PROMISED] * 3)
    assert found.thresholds.values[0] == np.inf
    assert found.facts["labels"]["rare"]["threshold"] is None
    assert found.facts["labels"]["some"]["precision_bound"] >= 0.6
    assert found.warning == (
        "target_precision=0.6 cannot be promised for 1 label ('rare'): it is never answered. 1 label is right that"
        " often at no threshold. Add validation texts that have such labels, lower"
        " target_precision, or train a better model."
    )
    assert found.sentence.startswith("target_precision=0.6 is promised for 3 of 4 labels: ")
    assert promise_precision(scores[:, 1:], targets[:, 1:], LABELS[1:], 0.6).warning == ""


def test_no_promise_at_all_is_said_plainly():
    """Not as a promise for 0 of 4 labels: with the reason, and what would be needed."""
    few = promise_precision(*drawn(20, np.random.default_rng(3)), LABELS, 0.95)
    assert few.sentence == (
        "target_precision=0.95 cannot be promised for any of 4 labels: none is ever answered. With 95% confidence it"
        " needs at least 59 validation texts even if all answers were right, and there are 20."
    )
    assert few.warning.startswith(f"{few.sentence} Add validation texts")
    needed = [500, 2100, 500, None]
    hard = PromisedPrecision(0.9, LABELS, [Guarantee(0.9, None, 400, needed=count) for count in needed])
    assert hard.sentence.endswith(
        "any of 4 labels: none is ever answered. 3 labels would need about 500 to 2,100 validation texts at this"
        " precision, and there are 400; 1 label is right that often at no threshold."
    )


def test_a_promise_broken_elsewhere_is_named():
    """A label whose answers are wrong too often; the others are within chance."""
    targets = np.ones((200, 2), dtype=np.uint8)
    predicted = np.ones((200, 2), dtype=bool)
    targets[:60, 1] = 0
    targets[:20, 0] = 0
    told = precision_kept(0.9, LabelPredictions(predicted, targets), ("kept", "broken"))
    assert "it does not hold here for 1 label ('broken')" in told
    kept = precision_kept(0.9, LabelPredictions(predicted[:, :1], targets[:, :1]), ("kept",))
    assert kept.endswith("no label stays below it here by more than chance explains.")
    assert precision_kept(0.9, LabelPredictions(predicted & False, targets), LABELS[:2]).endswith("none is.")
