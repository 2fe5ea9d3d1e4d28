"""The data of a job as the rules see it, and the wording of their findings."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np

from bert_classifier.data.doctor.report import MOST_PLACES
from bert_classifier.data.doctor.stats import ChannelStats, leaked_from
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.findings import Severity
from bert_classifier.job.wording import listed

WORTH_A_WARNING = 0.01  # share of a channel's texts; less is INFO


@dataclasses.dataclass(frozen=True)
class DataContext:
    """The data of a job as the rules see it.

    Attributes:
        stats: train, validation and, if there is one, test.
        recommended: max_seq_length that keeps 99 % of the training texts whole, or else the model's limit.
        is_held_out: whether validation was split off the train channel.
    """

    stats: Mapping[str, ChannelStats]
    labels: Sequence[str]
    config: TrainConfig
    recommended: int
    is_held_out: bool

    @property
    def train(self) -> ChannelStats:
        """The training texts."""
        return self.stats["train"]

    @property
    def judged(self) -> list[ChannelStats]:
        """The channels that the model is evaluated on."""
        return [stats for name, stats in self.stats.items() if name != "train"]

    @property
    def is_multi(self) -> bool:
        """Whether each text has any number of labels."""
        return self.train.labels is not None

    @functools.cached_property
    def texts_per_class(self) -> np.ndarray:
        """The texts of each class in all channels together, int64 (num_classes,)."""
        counts = np.zeros(len(self.labels), dtype=np.int64)
        for stats in self.stats.values():
            counts += stats.counts(len(counts))
        return counts

    @functools.cached_property
    def texts_by_label(self) -> dict[str, int]:
        """The same by class name."""
        return dict(zip(self.labels, self.texts_per_class.tolist(), strict=True))

    @functools.cached_property
    def leaks(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Texts of validation and test that also occur in train, and their indices in train; both int64."""
        return {part.name: leaked_from(part, self.train) for part in self.judged}

    def named(self, chosen: np.ndarray) -> str:
        """Return the names of the first ten chosen classes; `chosen` is bool (num_classes,)."""
        return listed([label for label, is_chosen in zip(self.labels, chosen, strict=True) if is_chosen])


def severity_of(count: int, stats: ChannelStats) -> Severity:
    """Return WARNING if `count` is at least a hundredth of the channel's texts, else INFO."""
    return Severity.WARNING if count >= WORTH_A_WARNING * len(stats.examples) else Severity.INFO


def share_of(count: int, stats: ChannelStats) -> str:
    """Return a phrase for `count` texts of a channel, with their percentage."""
    percent = 100 * count / len(stats.examples)
    share = f"{percent:.1f} %" if percent >= 0.1 else "less than 0.1 %"
    return f"{count} of {len(stats.examples)} {stats.name} texts ({share})"


def pairs(
    part: ChannelStats, indices: np.ndarray, relation: str, other: ChannelStats, sources: np.ndarray
) -> list[str]:
    """Return the locations of the first of these texts and of the texts related to them."""
    return [
        f"{part.place(index)} {relation} {other.place(source)}"
        for index, source in zip(indices[:MOST_PLACES], sources[:MOST_PLACES], strict=True)
    ]
