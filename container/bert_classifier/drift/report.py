"""What the drift report says: the comparison in sentences, and as JSON."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bert_classifier.artifact.profile import (
    ABSTAINED,
    LABELS,
    PREDICTIONS,
    SCORES,
    TOKENS,
    TRUNCATED,
    UNKNOWN,
    Counts,
    Profile,
)
from bert_classifier.drift.observed import Tally
from bert_classifier.drift.rule import CHANCE, LARGE, MODERATE, Finding, Verdict
from bert_classifier.job.wording import counted, moment_text

# Names of the measures, in the order of the page.
NAMES = {
    PREDICTIONS: "predicted classes",
    SCORES: "scores",
    ABSTAINED: "texts without a label",
    TOKENS: "text lengths",
    TRUNCATED: "truncated texts",
    UNKNOWN: "unknown tokens",
}
OF_TEXTS, OF_ANSWERS = (TOKENS, TRUNCATED, UNKNOWN), (PREDICTIONS, SCORES, ABSTAINED)


@dataclasses.dataclass(frozen=True)
class DriftReport:
    """A comparison with the baseline.

    Attributes:
        then: the baseline.
        now: what was observed, in the baseline's bins.
        findings: by measure, in the order of NAMES.
        notes: sentences about what was not or not wholly compared.
        has_label_sets: whether the model gives a text any number of labels; the shares of labels are then those of
            the texts that have them, and add up to anything.
    """

    model: str
    data: str
    then: Profile
    now: Profile
    findings: Mapping[str, Finding]
    tally: Tally
    notes: Sequence[str] = ()
    has_label_sets: bool = False

    def of(self, *verdicts: Verdict) -> list[str]:
        """Return the measures with one of these verdicts."""
        return [name for name, finding in self.findings.items() if finding.verdict in verdicts]

    @property
    def has_drifted(self) -> bool:
        """Whether any measure has."""
        return bool(self.of(Verdict.DRIFT))

    @property
    def verdict(self) -> Verdict:
        """The gravest verdict of all measures; of none, it is unclear."""
        found = {finding.verdict for finding in self.findings.values()}
        order = (Verdict.DRIFT, Verdict.UNCLEAR, Verdict.SMALL, Verdict.NONE)
        return next((verdict for verdict in order if verdict in found), Verdict.UNCLEAR)

    @property
    def sentence(self) -> str:
        """Whether there is a drift."""
        texts = counted(self.now.texts, "text")
        drifted, unclear = self.of(Verdict.DRIFT), self.of(Verdict.UNCLEAR)
        if drifted:
            large = " by far" if any(self.findings[name].is_large for name in drifted) else ""
            return f"Drift: {_listed(drifted)} of {texts} differ{large} from the baseline."
        if len(unclear) == len(self.findings):
            return f"Too few texts to tell: {texts}, and {self.then.texts:,} in the baseline."
        if unclear:
            return f"No drift was found in {texts}; for {_listed(unclear)} they are too few to tell."
        return f"No drift: {texts} look like the baseline."

    @property
    def details(self) -> list[str]:
        """A sentence for each measure that has drifted."""
        return [
            f"{NAMES[name].capitalize()}: {self.change(name)} (PSI {self.findings[name].distance:.2f}; chance gives"
            f" at most {max(0, self.findings[name].by_chance):.2f})."
            for name in self.of(Verdict.DRIFT)
        ]

    def shares_in(self, profile: Profile, name: str) -> np.ndarray:
        """Return the share of a profile's texts in each bin of a measure, float64 (k,)."""
        counts = profile.measures[name]
        if not self.has_label_sets or name not in (LABELS, PREDICTIONS):
            return counts.shares
        shares: np.ndarray = counts.counts / max(1, profile.answered)
        return shares

    def change(self, name: str) -> str:
        """Return where the shares of a measure differ most, such as "Company 7 % → 31 %"."""
        then = self.then.measures[name]
        before, after = (self.shares_in(profile, name) for profile in (self.then, self.now))
        if tuple(then.names) == ("no", "yes"):
            return f"{_percent(before[1])} → {_percent(after[1])}"
        most = np.argsort(-np.abs(after - before), kind="stable")[:2].tolist()
        changed = [at for at in most if abs(after[at] - before[at]) >= _LEAST_SHOWN]
        shown = (f"{bin_name(then, at)}: {_percent(before[at])} → {_percent(after[at])}" for at in changed)
        return "; ".join(shown) or "none"

    @property
    def next_step(self) -> str:
        """What to do."""
        if self.has_drifted:
            return (
                "Next: label some of these texts, score the model on them (make evaluate DATA=labelled.csv), and train"
                " with them if fewer are right than before."
            )
        if self.verdict is Verdict.UNCLEAR:
            return "Next: run it again when more texts have come, such as with SINCE=7d."
        return "Next: run it again next week; drift.json is the BASELINE= for a comparison with this one."

    @property
    def spans(self) -> str:
        """From when to when the texts are; "" if that is not known."""
        first, last = self.tally.first, self.tally.last
        return f"{moment_text(first)} to {moment_text(last)}" if first and last else ""

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        tally = self.tally
        return {
            "verdict": self.verdict.value,
            "drift": self.has_drifted,
            "rule": {"chance": CHANCE, "moderate": MODERATE, "large": LARGE},
            "measures": {name: _finding(finding) for name, finding in self.findings.items()},
            "read": {
                **{name: getattr(tally, name) for name in _NUMBERS},
                "unreadable": dict(tally.unreadable),
                "first": tally.first.isoformat() if tally.first else None,
                "last": tally.last.isoformat() if tally.last else None,
            },
            "baseline": self.then.as_json(),
            "observed": self.now.as_json(),
        }


_LEAST_SHOWN = 0.0005  # share of the texts
_NUMBERS = ("files", "requests", "texts", "answers", "refused", "refused_requests", "repeats")


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "verdict": finding.verdict.value,
        "psi": finding.distance,
        "psi_by_chance": finding.by_chance,
        "moved": finding.moved,
        "p": finding.p,
        "texts": list(finding.texts),
        "effective_texts": finding.effective,
    }


def bin_name(counts: Counts, at: int) -> str:
    """Return a bin in words."""
    if counts.names:
        return counts.names[at]
    low, high = counts.edges[at], counts.edges[at + 1]
    is_last = at == len(counts.counts) - 1
    if high < _LEAST_SHOWN:
        return "none"
    if counts.edges[-1] > 1:  # tokens
        return f"{low:,.0f} or more" if is_last else f"{low:,.0f} to {high - 1:,.0f}"
    if low < _LEAST_SHOWN:
        return f"up to {_percent(high, 3)}"
    return f"{_percent(low, 3)} or more" if is_last else f"{100 * low:.3g} to {_percent(high, 3)}"


def _percent(share: float, digits: int = 2) -> str:
    return f"{100 * share:.{digits}g}\u00a0%" if share < 0.995 or digits > 2 else f"{100 * share:.0f}\u00a0%"


def _listed(names: Sequence[str]) -> str:
    words = [NAMES[name] for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
