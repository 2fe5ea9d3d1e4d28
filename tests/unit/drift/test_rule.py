"""The rule of the drift report: how often it is wrong, and what it finds; by simulation, and by hand."""

import dataclasses

import numpy as np
import pytest

from bert_classifier.artifact.profile import (
    ABSTAINED,
    PREDICTIONS,
    SCORES,
    TOKENS,
    TRUNCATED,
    UNKNOWN,
    Counts,
    Profile,
)
from bert_classifier.drift import rule
from bert_classifier.drift.rule import Verdict, compare_all, design_effect, holm, joined, psi


@dataclasses.dataclass(frozen=True)
class Traffic:
    """What texts are drawn from."""

    classes: np.ndarray
    doubt: float = 0.05
    unsure: float = 0.03
    length: float = 3.5
    truncated: float = 0.02
    unknown: float = 0.05

    def measures(self, texts: int, draw: np.random.Generator) -> dict[str, Counts]:
        """Return the measures of so many texts."""
        labels = [str(number) for number in range(len(self.classes))]
        doubts = draw.exponential(self.doubt, texts).clip(0, 0.8)
        values = {
            PREDICTIONS: draw.choice(len(labels), texts, p=self.classes),
            SCORES: 1 - doubts,
            ABSTAINED: draw.random(texts) < self.unsure,
            TOKENS: draw.lognormal(self.length, 0.6, texts).astype(np.int64),
            TRUNCATED: draw.random(texts) < self.truncated,
            UNKNOWN: np.where(draw.random(texts) < self.unknown, 0.3 * draw.random(texts), 0),
        }
        return dict(Profile.of("simulated", texts, labels, values).measures)


def even(classes: int) -> np.ndarray:
    """Return equal shares."""
    return np.full(classes, 1 / classes)


@pytest.fixture(autouse=True)
def _fewer_divisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule, "_DIVISIONS", 999)


@pytest.mark.parametrize(
    ("classes", "sizes"),
    [
        (2, (70, 50)),
        (14, (70, 50)),
        (14, (1000, 40)),
        pytest.param(14, (300, 3000), marks=pytest.mark.slow),
        pytest.param(77, (1000, 1000), marks=pytest.mark.slow),
    ],
)
def test_the_same_texts_raise_an_alarm_at_most_rarely(classes, sizes):
    """Of 100 pairs of samples of one distribution, 5 at most have any drift in any of six measures."""
    draw = np.random.default_rng(classes + sizes[0])
    traffic = Traffic(draw.dirichlet(np.full(classes, 3.0)))
    alarms = 0
    for _ in range(100):
        found = compare_all(traffic.measures(sizes[0], draw), traffic.measures(sizes[1], draw))
        assert len(found) == 6
        alarms += any(finding.verdict is Verdict.DRIFT for finding in found.values())
    assert alarms <= 5


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_the_p_value_is_as_small_as_it_says(share):
    """Alone, without the threshold on the distance, at most 1 % of equal samples are significant, and 5 % at 5 %."""
    draw = np.random.default_rng(3)
    p_values = []
    for _ in range(400):
        then, now = (
            Counts(np.bincount(draw.random(size) < share, minlength=2), names=("no", "yes"))
            for size in (300, 200)
        )
        p_values.append(compare_all({ABSTAINED: then}, {ABSTAINED: now})[ABSTAINED].p)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.08  # 400 draws: 5 % and three standard errors
    assert np.mean(np.array(p_values) <= 0.01) <= 0.025


SHIFTS = {
    PREDICTIONS: Traffic(np.array([0.4, 0.2, 0.1, 0.1, 0.1, 0.1])),
    SCORES: Traffic(even(6), doubt=0.12),
    ABSTAINED: Traffic(even(6), unsure=0.12),
    TOKENS: Traffic(even(6), length=3.9),
    TRUNCATED: Traffic(even(6), truncated=0.12),
    UNKNOWN: Traffic(even(6), unknown=0.2),
}


@pytest.mark.parametrize("name", SHIFTS)
def test_a_shift_is_found_by_its_measure(name):
    """In 1,000 texts against 1,000, nine times in ten and more; the other measures stay quiet."""
    draw = np.random.default_rng(5)
    found = [
        compare_all(Traffic(even(6)).measures(1000, draw), SHIFTS[name].measures(1000, draw))
        for _ in range(20)
    ]
    drifted = {other: sum(of[other].verdict is Verdict.DRIFT for of in found) for other in SHIFTS}
    assert drifted.pop(name) >= 18
    assert max(drifted.values()) <= 1


def test_few_texts_are_no_answer_and_many_texts_are_not_alarmed_by_little():
    """20 texts cannot tell; in 200,000 texts, one point more of a class is certain, and no drift."""
    draw = np.random.default_rng(7)
    same = Traffic(even(4))
    few = compare_all(same.measures(500, draw), same.measures(20, draw))
    assert {finding.verdict for finding in few.values()} == {Verdict.UNCLEAR}
    then, now = (
        Counts(np.array(counts), names=("no", "yes")) for counts in ([100_000] * 2, [99_000, 101_000])
    )
    finding = compare_all({TRUNCATED: then}, {TRUNCATED: now})[TRUNCATED]
    assert (finding.verdict, finding.moved) == (Verdict.SMALL, pytest.approx(0.005))
    assert finding.distance < 0.01
    enough = compare_all({TRUNCATED: then}, {TRUNCATED: then})[TRUNCATED]
    assert (enough.verdict, enough.distance) == (Verdict.NONE, 0)


def test_the_index_is_the_one_of_the_books():
    """Σ (q - p) ln(q / p), by hand; zero for equal shares, the same in both directions, finite for empty bins."""
    then, now = np.array([5000, 3000, 2000]), np.array([4000, 4000, 2000])
    by_hand = -0.1 * np.log(0.4 / 0.5) + 0.1 * np.log(0.4 / 0.3)
    assert float(psi(then, now)) == pytest.approx(by_hand, rel=1e-3)
    assert float(psi(now, then)) == pytest.approx(float(psi(then, now)))
    assert float(psi(then, then)) == 0
    assert np.isfinite(psi(np.array([10, 0]), np.array([0, 10])))


def test_p_values_are_adjusted_for_their_number():
    """As Holm's own example has them: multiplied by what is left, and never falling."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_rare_bins_are_joined_without_hiding_a_difference():
    """Neighbours with neighbours, rare classes with each other; two bins stay, and no text is lost."""
    then, now = joined(np.array([50, 2, 1, 1, 30, 1]), np.array([40, 0, 1, 2, 20, 0]), is_ordered=True)
    assert (then.tolist(), now.tolist()) == ([50, 4, 31], [40, 3, 20])
    then, now = joined(np.array([50, 2, 0, 1, 30, 0]), np.array([40, 0, 1, 2, 20, 0]), is_ordered=False)
    assert (then.tolist(), now.tolist()) == ([50, 30, 3], [40, 20, 3])
    then, now = joined(np.array([1000, 0]), np.array([12, 8]), is_ordered=False)
    assert (then.tolist(), now.tolist()) == ([1000, 0], [12, 8])
    then, now = joined(np.array([1, 1, 1]), np.array([0, 1, 0]), is_ordered=True)
    assert (then.sum(), now.sum()) == (3, 1)


def test_texts_of_one_request_that_are_alike_count_less():
    """40 requests of 25 texts of one class count as about 40 texts; of one request alone, nothing is known."""
    draw = np.random.default_rng(11)
    requests = np.repeat(np.arange(40), 25)
    alike = np.repeat(draw.integers(0, 4, 40), 25)
    assert design_effect(alike, requests) == pytest.approx(25, rel=0.15)
    assert design_effect(draw.integers(0, 4, 1000), requests) == pytest.approx(1, abs=0.35)
    assert design_effect(alike, np.arange(1000)) == 1
    assert design_effect(alike, np.zeros(1000, dtype=np.int64)) == 1


def test_requests_of_alike_texts_raise_no_alarm():
    """Requests of 25 texts of one class: as independent texts they alarm every fourth time, as requests rarely."""
    draw = np.random.default_rng(13)
    names = ("a", "b", "c", "d")
    requests = np.repeat(np.arange(40), 25)
    naive = honest = 0
    for _ in range(60):
        then = {PREDICTIONS: Counts(np.bincount(draw.integers(0, 4, 1000), minlength=4), names=names)}
        classes = np.repeat(draw.integers(0, 4, 40), 25)
        now = {PREDICTIONS: Counts(np.bincount(classes, minlength=4), names=names)}
        effect = {PREDICTIONS: design_effect(classes, requests)}
        naive += compare_all(then, now)[PREDICTIONS].verdict is Verdict.DRIFT
        honest += compare_all(then, now, effect)[PREDICTIONS].verdict is Verdict.DRIFT
    assert naive >= 10
    assert honest <= 3
