"""The data doctor's report, frozen; one JSON object when written."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bert_classifier.data.doctor.label_sets import LabelCounts
from bert_classifier.job.findings import Severity

MOST_PLACES = 10
_BINS = 24
_MOST_BINS = 60  # if that shows the limit


@dataclasses.dataclass(frozen=True)
class Finding:
    """One finding about the data.

    Attributes:
        code: stable name, such as "leakage".
        severity: ERROR if it would waste the run.
        places: file and line of up to MOST_PLACES texts concerned, never their content.
    """

    code: str
    severity: Severity
    message: str
    remedy: str
    places: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Histogram:
    """Counts per bin; bin i holds edges[i] ≤ length < edges[i + 1], and the last one all longer texts."""

    edges: Sequence[int]
    counts: Sequence[int]

    @classmethod
    def of(cls, lengths: np.ndarray, limit: int = 0) -> "Histogram":
        """Return the histogram of lengths, int64 (n,), in bins of equal width that cover 99 % of them.

        Args:
            limit: length beyond which texts are truncated; bins reach at least up to it, unless that needs too many.
        """
        width = 4
        while width * _BINS <= np.percentile(lengths, 99):
            width *= 2
        last = int(min(np.percentile(lengths, 99), lengths.max()) // width) + 1
        if lengths.max() > limit and limit <= _MOST_BINS * width:
            last = max(last, -(-limit // width))
        edges = [*range(0, width * last + 1, width)]
        if lengths.max() >= edges[-1]:
            edges.append(int(lengths.max()) + 1)
        counts, _ = np.histogram(lengths, edges)
        return cls(edges, counts.tolist())


@dataclasses.dataclass(frozen=True)
class TokenCounts:
    """Tokens per text of a channel, special tokens included.

    Attributes:
        truncated_share: fraction of texts longer than max_seq_length, from 0 to 1.
    """

    mean: float
    p50: int
    p90: int
    p99: int
    max: int
    histogram: Histogram
    truncated_share: float

    @classmethod
    def of(cls, lengths: np.ndarray, truncated: np.ndarray, limit: int = 0) -> "TokenCounts":
        """Summarise lengths, int64 (n,), and whether each text is cut, bool (n,).

        Args:
            limit: max_seq_length.
        """
        p50, p90, p99 = (int(np.percentile(lengths, p, method="higher")) for p in (50, 90, 99))
        share = float(truncated.mean())
        return cls(
            float(lengths.mean()), p50, p90, p99, int(lengths.max()), Histogram.of(lengths, limit), share
        )


@dataclasses.dataclass(frozen=True)
class ChannelReport:
    """One channel in numbers.

    Attributes:
        texts: rows with a label and a text; `empty` ones are counted nowhere else.
        classes: texts per class name, including classes without any.
        labels: labels per text; None where each text has one.
        duplicates: texts that repeat an earlier one under the same label, apart from case, blanks or Unicode form.
        conflicting: distinct texts that occur under more than one label.
        encoding: texts with encoding damage.
    """

    texts: int
    empty: int
    classes: Mapping[str, int]
    duplicates: int
    conflicting: int
    encoding: int
    tokens: TokenCounts
    labels: LabelCounts | None = None


@dataclasses.dataclass(frozen=True)
class DataReport:
    """All channels, and the findings.

    Attributes:
        understood: what was understood of each channel's files, as channel_understood returns it.
        leakage: texts of validation and test that also occur in train, per channel.
        recommended_max_seq_length: the lowest one that keeps 99 % of the training texts whole, or the model's limit.
        recommended_whole_share: fraction of training texts that it keeps whole, from 0 to 1.
        longest_max_seq_length: the model's maximum number of tokens.
    """

    understood: Mapping[str, Any]
    channels: Mapping[str, ChannelReport]
    leakage: Mapping[str, int]
    max_seq_length: int
    recommended_max_seq_length: int
    recommended_whole_share: float
    longest_max_seq_length: int
    findings: Sequence[Finding]

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        fields = dataclasses.asdict(self)
        for channel in fields["channels"].values():
            if channel["labels"] is None:
                del channel["labels"]
        return fields
