"""What texts and their answers look like, in counts: training keeps that of the validation texts in the artifact.

The drift report compares it with the texts that were classified later. It holds no text.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from bert_classifier.errors import UserError
from bert_classifier.job.json_files import read_object, write_json

BASELINE = "baseline.json"
_FORMAT = 1
# The measures of a profile, by which its counts are known.
LABELS, PREDICTIONS, SCORES, ABSTAINED = "labels", "predictions", "scores", "abstained"
TOKENS, TRUNCATED, UNKNOWN = "tokens", "truncated", "unknown_tokens"
# Bin i holds edges[i] ≤ value < edges[i + 1], and the last one all larger values. Finer where scores are dense.
SCORE_EDGES = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
TOKEN_EDGES = (0.0, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048, 4096, 8192)
_SOME = 1e-9  # separates texts without unknown tokens from all others
UNKNOWN_EDGES = (0.0, _SOME, 0.02, 0.05, 0.1, 0.2, 1.0)
_NO_YES = ("no", "yes")


@dataclasses.dataclass(frozen=True, eq=False)
class Counts:
    """How many texts fall into each bin.

    Attributes:
        counts: int64 (k,).
        names: of the bins, where these are classes or answers, in no order; else none.
        edges: of the bins, where these are intervals, float (k + 1,); else none.
    """

    counts: np.ndarray
    names: Sequence[str] = ()
    edges: Sequence[float] = ()

    @property
    def total(self) -> int:
        """Number of texts."""
        return int(self.counts.sum())

    @property
    def shares(self) -> np.ndarray:
        """Share of the texts in each bin, float64 (k,)."""
        shares: np.ndarray = self.counts / max(1, self.total)
        return shares

    def bins_of(self, values: np.ndarray) -> np.ndarray:
        """Return the bins of values, int64 (n,): the indices themselves where bins have names."""
        if self.names:
            return values.astype(np.int64)
        bins: np.ndarray = np.searchsorted(self.edges[1:-1], values, side="right")
        return bins

    def of(self, values: np.ndarray) -> "Counts":
        """Return the counts of other values in the same bins."""
        counts = np.bincount(self.bins_of(values), minlength=len(self.counts))
        return dataclasses.replace(self, counts=counts)

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        bins = {"names": list(self.names)} if self.names else {"edges": list(self.edges)}
        return {**bins, "counts": self.counts.tolist()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return what as_json returned.

        Raises:
            ValueError: for anything else.
        """
        names, edges, counts = (value.get(name, []) for name in ("names", "edges", "counts"))
        bins = len(names) or len(edges) - 1
        are_counts = all(isinstance(count, int) and count >= 0 for count in counts)
        if not bins > 0 or len(counts) != bins or not are_counts or sorted(edges) != list(edges):
            raise ValueError
        return cls(np.array(counts, dtype=np.int64), tuple(map(str, names)), tuple(map(float, edges)))


def empty_measures(labels: Sequence[str]) -> dict[str, Counts]:
    """Return all measures without a text, for a model's classes."""
    named = {LABELS: labels, PREDICTIONS: labels, ABSTAINED: _NO_YES, TRUNCATED: _NO_YES}
    intervals = {SCORES: SCORE_EDGES, TOKENS: TOKEN_EDGES, UNKNOWN: UNKNOWN_EDGES}
    return {
        **{name: Counts(_zeros(len(names)), names=tuple(names)) for name, names in named.items()},
        **{name: Counts(_zeros(len(edges) - 1), edges=edges) for name, edges in intervals.items()},
    }


def _zeros(length: int) -> np.ndarray:
    return np.zeros(length, dtype=np.int64)


@dataclasses.dataclass(frozen=True, eq=False)
class Profile:
    """The measures of some texts.

    Attributes:
        source: which texts they are, in words that end a sentence.
        texts: their number.
        measures: counts by measure, as far as they are known.
        unknown_id: of the tokenizer's unknown token; None without one.
    """

    source: str
    texts: int
    measures: Mapping[str, Counts]
    unknown_id: int | None = None

    @property
    def answered(self) -> int:
        """How many texts were answered, with whether they got a label; all of them where that was not counted."""
        abstained = self.measures.get(ABSTAINED)
        return abstained.total if abstained else self.texts

    @classmethod
    def of(
        cls,
        source: str,
        texts: int,
        labels: Sequence[str],
        values: Mapping[str, np.ndarray],
        unknown_id: int | None = None,
    ) -> Self:
        """Count values, (n,) by measure: class indices, scores, lengths, shares or bool."""
        empty = empty_measures(labels)
        return cls(source, texts, {name: empty[name].of(of) for name, of in values.items()}, unknown_id)

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        measures = {name: counts.as_json() for name, counts in self.measures.items()}
        return {
            "format": _FORMAT,
            "source": self.source,
            "texts": self.texts,
            "unknown_id": self.unknown_id,
            "measures": measures,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return what as_json returned, without measures that this version does not know.

        Raises:
            ValueError: for anything else.
        """
        try:
            known = empty_measures(["any"])
            measures = {name: Counts.from_json(of) for name, of in value["measures"].items() if name in known}
            unknown_id = value.get("unknown_id")
            return cls(str(value["source"]), int(value["texts"]), measures, unknown_id)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError from error


def write_profile(path: Path, profile: Profile) -> None:
    """Write a profile atomically; raise an OSError if that fails."""
    write_json(path, profile.as_json())


def read_profile(path: Path, remedy: str) -> Profile:
    """Read what write_profile wrote.

    Raises:
        UserError: with this remedy, when it is missing or is no profile.
    """
    value = read_object(path, remedy)
    if value.get("format") != _FORMAT:
        version = shown_version(value.get("format"))
        raise UserError(f"{path} is no baseline that this version can read{version}.", remedy)
    try:
        return Profile.from_json(value)
    except ValueError:
        raise UserError(f"{path} is not a baseline as training writes it.", remedy) from None


def shown_version(found: object) -> str:
    """Return the format of a file of another version, in brackets; "" where it has none."""
    return f" (its format is {found})" if isinstance(found, int) else ""
