"""Reliability in bins of equal mass: as many texts in each, ties together, few texts in few bins."""

import itertools

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from bert_classifier.evaluation.reliability_bins import ReliabilityBin, equal_mass_bins


def is_off(bin: ReliabilityBin) -> bool:
    """Return whether the mean score lies outside the interval, which one bin in twenty does by chance."""
    low, high = bin.interval
    return not low <= bin.score <= high


def equal_mass_error(bins: list[ReliabilityBin]) -> float:
    """Return the mean gap of score and accuracy, weighted by texts."""
    gaps = sum(bin.texts * abs(bin.accuracy - bin.score) for bin in bins)
    return gaps / max(1, sum(bin.texts for bin in bins))


def test_four_bins_by_hand():
    """Of 80 texts with different scores, each bin has 20, with their mean score, hits and interval."""
    scores = (np.arange(80) + 0.5) / 80
    right = np.arange(80) % 4 < 3
    shuffled = np.random.default_rng(0).permutation(80)
    bins = equal_mass_bins(scores[shuffled], right[shuffled])
    assert [(bin.texts, bin.right) for bin in bins] == [(20, 15)] * 4
    assert [bin.score for bin in bins] == pytest.approx([0.125, 0.375, 0.625, 0.875])
    assert [(bin.lowest, bin.highest) for bin in bins][1] == pytest.approx((20.5 / 80, 39.5 / 80))
    for bin in bins:
        assert bin.interval == pytest.approx(proportion_confint(15, 20, method="wilson"), abs=1e-6)
    assert [is_off(bin) for bin in bins] == [True, True, False, False]
    assert equal_mass_error(bins) == pytest.approx((0.625 + 0.375 + 0.125 + 0.125) / 4)


@pytest.mark.parametrize("count", [0, 1, 19, 20, 39, 40, 199, 200, 1000, 5003])
def test_every_text_is_in_one_bin(count):
    """At most ten bins of at least 20 texts, which differ by one text where no scores are equal."""
    draw = np.random.default_rng(count)
    scores, right = draw.random(count), draw.random(count) < 0.7
    bins = equal_mass_bins(scores, right)
    assert sum(bin.texts for bin in bins) == count
    assert sum(bin.right for bin in bins) == right.sum()
    assert len(bins) == (0 if not count else min(10, max(1, count // 20)))
    assert all(one.highest < other.lowest for one, other in itertools.pairwise(bins))
    sizes = [bin.texts for bin in bins]
    assert not sizes or max(sizes) - min(sizes) <= 1
    assert equal_mass_error(bins) == pytest.approx(
        sum(bin.texts * abs(bin.accuracy - bin.score) for bin in bins) / max(1, count)
    )


@pytest.mark.parametrize("values", [1, 2, 3, 7, 30])
def test_texts_with_equal_scores_stay_together(values):
    """However many texts share a score, no bin begins within them, and none has fewer than 20 texts."""
    draw = np.random.default_rng(values)
    scores = draw.choice(
        draw.random(values), 400, p=np.linspace(1, 3, values) / np.linspace(1, 3, values).sum()
    )
    bins = equal_mass_bins(scores, scores > 0.5)
    assert all(one.highest < other.lowest for one, other in itertools.pairwise(bins))
    assert min(bin.texts for bin in bins) >= 20
    assert sum(bin.texts for bin in bins) == 400
    assert len(bins) <= values


def test_a_heap_of_sure_texts_leaves_bins_for_the_others():
    """Of 1,000 texts of which 700 have the score 1, the rest still shows what a lower score is worth."""
    scores = np.concatenate([np.linspace(0.3, 0.99, 300), np.ones(700)])
    bins = equal_mass_bins(scores, np.ones(1000, dtype=bool))
    assert [bin.texts for bin in bins] == [100, 100, 100, 700]


def test_the_error_of_calibrated_scores_is_small_and_of_overconfident_ones_their_gap():
    """Scores that say 0.9 for texts of which 70 % are right are off by 0.2."""
    draw = np.random.default_rng(1)
    scores = draw.uniform(0.5, 1, 20_000)
    assert equal_mass_error(equal_mass_bins(scores, draw.random(20_000) < scores)) < 0.015
    wrong = equal_mass_bins(scores, draw.random(20_000) < scores - 0.2)
    assert equal_mass_error(wrong) == pytest.approx(0.2, abs=0.015)
    assert all(is_off(bin) for bin in wrong)
