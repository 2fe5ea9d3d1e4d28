"""When two counts differ: by how much, and whether by more than chance. The rule of the drift report, in one place.

The distance is the population stability index, PSI = Σ (qᵢ - pᵢ) ln(qᵢ / pᵢ) over the bins' shares p then and q now
(Jeffreys 1946, who has it as a divergence; Siddiqi 2006, Credit Risk Scorecards, for its name and its usual limits:
below 0.1 next to no shift, from 0.25 on a large one). Two samples of the same texts have a PSI too, of about
(bins - 1)(1/n + 1/m) (Yurdakul 2018, Statistical Properties of Population Stability Index); what chance alone gives on
average is taken off.

Chance is what random divisions of the pooled texts into two samples of these sizes give: a permutation test, exact for
independent texts and few of them (Fisher 1935; the p-value counts the observed division too, Phipson and Smyth 2010).
Texts of one request are often alike; their number is then divided by the design effect (Rao and Scott 1981). Of all
measures together, chance finds a difference at most CHANCE of the time (Holm 1979).
"""

import dataclasses
import enum
from collections.abc import Mapping, Sequence

import numpy as np

from bert_classifier.artifact.profile import Counts

CHANCE = 0.01  # probability of any false alarm in a report
MODERATE, LARGE = 0.1, 0.25  # beyond chance: below the first, a difference is no drift
_DIVISIONS = 9999
_AT_ONCE = 2_000_000  # numbers
_LEAST_POOLED = 5  # texts of both samples per bin, below which neighbouring bins are joined
_PSEUDO = 0.5  # texts added to every bin, so that an empty one has a logarithm (Jeffreys' prior)
_LEAST_REQUESTS = 20  # from which on a design effect can be estimated


class Verdict(enum.Enum):
    """What the counts of two samples say."""

    DRIFT = "drift"
    SMALL = "small difference"
    NONE = "no drift"
    UNCLEAR = "too few texts to tell"


@dataclasses.dataclass(frozen=True)
class Finding:
    """The comparison of one measure.

    Attributes:
        distance: PSI beyond what chance gives on average, from 0.
        by_chance: what it is at most, by chance alone, but CHANCE of the time (shared out among the measures).
        moved: share of the texts that are in another bin than then, from 0 to 1.
        p: probability of such a PSI by chance, adjusted for all measures.
        texts: of both samples.
        effective: texts now, divided by the design effect.
    """

    verdict: Verdict
    distance: float
    by_chance: float
    moved: float
    p: float
    texts: tuple[int, int]
    effective: int

    @property
    def is_large(self) -> bool:
        """Whether a drift is large by the usual limits."""
        return self.distance >= LARGE


def compare_all(
    then: Mapping[str, Counts],
    now: Mapping[str, Counts],
    design_effects: Mapping[str, float] | None = None,
    texts: Mapping[str, tuple[int, int]] | None = None,
) -> dict[str, Finding]:
    """Compare each measure that both samples have, bin by bin.

    Args:
        design_effects: of the sample now, by measure; 1 = independent texts.
        texts: of both samples, by measures that count a text several times, once for each of its labels: such counts
            are no independent ones, and weigh as so many texts at most.
    """
    effects, texts = design_effects or {}, texts or {}
    shared = [name for name in then if name in now and then[name].total and now[name].total]
    tests = {
        name: _Test.of(then[name], now[name], effects.get(name, 1.0), texts.get(name)) for name in shared
    }
    adjusted = holm([test.p for test in tests.values()])
    level = CHANCE / max(1, len(tests))
    return {name: test.finding(p, level) for (name, test), p in zip(tests.items(), adjusted, strict=True)}


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number: at most α of all true hypotheses together fall below α (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    ascending = np.maximum.accumulate(np.array(p_values)[order] * factors)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(1.0, ascending)
    return [float(p) for p in adjusted]


def psi(then: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return the population stability index of counts, int (…, k) and (…, k) → float64 (…)."""
    p, q = (_smoothed(counts) for counts in (then, now))
    index: np.ndarray = ((q - p) * np.log(q / p)).sum(axis=-1)
    return index


def _smoothed(counts: np.ndarray) -> np.ndarray:
    filled = counts + _PSEUDO
    shares: np.ndarray = filled / filled.sum(axis=-1, keepdims=True)
    return shares


@dataclasses.dataclass(frozen=True, eq=False)
class _Test:
    """The permutation test of one measure.

    Attributes:
        observed: PSI.
        by_chance: PSI of random divisions, float64 (_DIVISIONS,).
    """

    observed: float
    by_chance: np.ndarray
    moved: float
    texts: tuple[int, int]
    effective: int

    @classmethod
    def of(
        cls, then: Counts, now: Counts, design_effect: float, most: tuple[int, int] | None = None
    ) -> "_Test":
        texts = (then.total, now.total)
        if most is not None:
            texts = min(texts[0], most[0]), min(texts[1], most[1])
        effective = max(1, min(texts[1], round(now.total / max(1.0, design_effect))))
        before, after = joined(then.counts, now.counts, is_ordered=bool(then.edges))
        moved = float(np.abs(then.shares - now.shares).sum() / 2)
        observed = float(psi(before, after))
        divided = _divisions(_scaled(before, texts[0]) + _scaled(after, effective), effective)
        return cls(observed, divided, moved, texts, effective)

    @property
    def p(self) -> float:
        at_least = np.count_nonzero(self.by_chance >= self.observed - 1e-12)
        return float((1 + at_least) / (1 + len(self.by_chance)))

    def finding(self, p: float, level: float) -> Finding:
        mean = float(self.by_chance.mean())
        distance = max(0.0, self.observed - mean)
        limit = float(np.quantile(self.by_chance, 1 - level)) - mean
        verdict = Verdict.NONE
        if p <= CHANCE:
            verdict = Verdict.DRIFT if distance >= MODERATE else Verdict.SMALL
        elif limit > MODERATE:
            verdict = Verdict.UNCLEAR
        return Finding(verdict, distance, limit, self.moved, p, self.texts, self.effective)


def joined(then: np.ndarray, now: np.ndarray, *, is_ordered: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the counts without bins that are empty in both; those of few texts are joined.

    By the pooled counts alone, which all divisions of the texts share, so the test stays exact. Intervals are joined
    with their neighbours, classes with each other; two bins stay two.
    """
    pooled = then + now
    kept = np.flatnonzero(pooled)
    if len(kept) <= 2:
        return then[kept], now[kept]
    group = _neighbours(pooled[kept]) if is_ordered else _rare_together(pooled[kept])
    if group.max() == 0:  # everything in one bin would hide any difference
        return then[kept], now[kept]
    then, now = (np.bincount(group, weights=counts[kept]).astype(np.int64) for counts in (then, now))
    return then, now


def _neighbours(pooled: np.ndarray) -> np.ndarray:
    """Return the group of each bin, int64 (k,), each of _LEAST_POOLED texts or more, as far as there are so many."""
    group, groups, inside = np.zeros(len(pooled), dtype=np.int64), 0, 0
    for at, count in enumerate(pooled.tolist()):
        group[at] = groups
        inside += count
        if inside >= _LEAST_POOLED:
            groups, inside = groups + 1, 0
    if inside and groups:
        group[group == groups] = groups - 1
    return group


def _rare_together(pooled: np.ndarray) -> np.ndarray:
    is_rare = pooled < _LEAST_POOLED
    group = np.cumsum(~is_rare) - 1
    group[is_rare] = group.max() + 1
    return group


def _scaled(counts: np.ndarray, total: int) -> np.ndarray:
    """Return counts with nearly the same shares and this total, by the largest remainders."""
    if counts.sum() == total:
        return counts
    exact = counts * (total / counts.sum())
    scaled: np.ndarray = np.floor(exact).astype(np.int64)
    scaled[np.argsort(scaled - exact, kind="stable")[: total - int(scaled.sum())]] += 1
    return scaled


def _divisions(pooled: np.ndarray, now: int) -> np.ndarray:
    """Return the PSI of random divisions of pooled counts, int64 (k,), of which one part has `now` texts."""
    draw = np.random.default_rng(0)
    rows = max(1, _AT_ONCE // len(pooled))
    parts = []
    for begin in range(0, _DIVISIONS, rows):
        size = min(rows, _DIVISIONS - begin)
        of_now = draw.multivariate_hypergeometric(pooled, now, size=size, method="marginals")
        parts.append(psi(pooled - of_now, of_now))
    return np.concatenate(parts)


def design_effect(bins: np.ndarray, requests: np.ndarray) -> float:
    """Return by how much texts of the same request being alike widens the variance of shares, at least 1.

    The mean of the generalised design effects of Rao and Scott (1981), (1/(k-1)) Σⱼ (1 - pⱼ) dⱼ, where dⱼ is the
    variance of the share of bin j over requests (a ratio estimate), divided by that of as many independent texts.

    Args:
        bins: of n texts, int64 (n,).
        requests: which request each text is of, int64 (n,); with too few requests, 1 is returned.
    """
    _, request = np.unique(requests, return_inverse=True)
    many, total = int(request.max(initial=-1)) + 1, len(bins)
    _, bins = np.unique(bins, return_inverse=True)
    kinds = int(bins.max(initial=-1)) + 1
    if many < _LEAST_REQUESTS or many == total or kinds < 2:
        return 1.0
    sizes = np.bincount(request, minlength=many)
    effect = 0.0
    for kind in range(kinds):
        inside = np.bincount(request[bins == kind], minlength=many)
        share = inside.sum() / total
        variance = many / (many - 1) * np.square(inside - share * sizes).sum() / total**2
        effect += variance * total / share
    return max(1.0, effect / (kinds - 1))
