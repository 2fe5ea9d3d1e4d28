"""Statistics of one channel, from one pass over its texts; equal texts are found by sorting keys."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping

import numpy as np

from bert_classifier.data.doctor.label_sets import LabelCounts, set_numbers
from bert_classifier.data.doctor.lengths import whole_lengths
from bert_classifier.data.doctor.report import MOST_PLACES, ChannelReport, TokenCounts
from bert_classifier.data.doctor.scan import TextFacts
from bert_classifier.data.doctor.texts import KINDS
from bert_classifier.data.examples import Examples
from bert_classifier.encoding.text_encoder import EncodedTexts, TextEncoder
from bert_classifier.encoding.token_file import share_of_id
from bert_classifier.job.task import Task


@dataclasses.dataclass(frozen=True)
class ChannelStats:
    """Statistics of one channel; texts are given by their index.

    Attributes:
        name: of the channel.
        lengths: tokens of each whole text, int64 (n,).
        truncated: bool (n,).
        unknown_share: fraction of unknown tokens, from 0 to 1.
        facts: what was found in each text alone.
        repeats: texts that repeat an earlier one with the same label, int64 (r,); `repeated` holds the earlier ones.
        conflicts: int64 (c, 2); for each text with several labels, its first occurrences under two of them.
    """

    name: str
    examples: Examples
    lengths: np.ndarray
    truncated: np.ndarray
    unknown_share: float
    facts: TextFacts
    repeats: np.ndarray
    repeated: np.ndarray
    conflicts: np.ndarray

    @classmethod
    def of(
        cls,
        name: str,
        examples: Examples,
        encoder: TextEncoder,
        encoded: EncodedTexts,
        unknown_id: int | None,
        facts: TextFacts | None = None,
    ) -> "ChannelStats":
        """Compute the statistics of a channel.

        Args:
            encoded: the examples, encoded by `encoder`.
            unknown_id: id of the unknown token, if the tokenizer has one.
            facts: what was found in each text; None: look at the texts now.
        """
        facts = facts or TextFacts.of(examples.texts)
        is_multi = examples.task is Task.MULTI
        labels = set_numbers(examples.targets) if is_multi else examples.targets
        repeats, repeated, conflicts = _groups(facts.keys, labels)
        return cls(
            name=name,
            examples=examples,
            lengths=whole_lengths(encoder, examples.texts, encoded),
            truncated=encoded.truncated,
            unknown_share=0.0 if unknown_id is None else share_of_id(encoded.ids, unknown_id),
            facts=facts,
            repeats=repeats,
            repeated=repeated,
            conflicts=conflicts,
        )

    @functools.cached_property
    def damaged(self) -> int:
        """Number of texts with any kind of encoding damage."""
        return int(np.count_nonzero(self.facts.damage))

    @property
    def keys(self) -> np.ndarray:
        """uint64 (n,), equal for texts that count as equal."""
        return self.facts.keys

    @property
    def damage(self) -> Mapping[str, np.ndarray]:
        """Texts with each kind of encoding damage, int64, ascending."""
        return {kind: self.facts.damaged(kind) for kind in KINDS}

    @functools.cached_property
    def labels(self) -> LabelCounts | None:
        """Labels per text; None where each has one."""
        is_multi = self.examples.task is Task.MULTI
        return LabelCounts.of(self.examples.targets) if is_multi else None

    def counts(self, num_classes: int) -> np.ndarray:
        """Return the texts of each class, int64 (num_classes,)."""
        targets = self.examples.targets
        if self.examples.task is Task.MULTI:
            counts: np.ndarray = targets.sum(axis=0, dtype=np.int64)
            return counts
        return np.bincount(targets, minlength=num_classes)

    def of_classes(self, chosen: np.ndarray) -> np.ndarray:
        """Return the texts of any chosen class, int64, ascending; `chosen` is bool (num_classes,)."""
        targets = self.examples.targets
        if self.examples.task is Task.MULTI:
            return np.flatnonzero(targets[:, chosen].any(axis=1))
        return np.flatnonzero(chosen[targets])

    def report(self, labels: Iterable[str], limit: int) -> ChannelReport:
        """Return the channel in numbers; `limit` is max_seq_length."""
        names = list(labels)
        return ChannelReport(
            texts=len(self.examples),
            empty=self.examples.num_empty,
            classes=dict(zip(names, self.counts(len(names)).tolist(), strict=True)),
            labels=self.labels,
            duplicates=len(self.repeats),
            conflicting=len(self.conflicts),
            encoding=self.damaged,
            tokens=TokenCounts.of(self.lengths, self.truncated, limit),
        )

    def place(self, index: int) -> str:
        """Return file and line of a text."""
        return self.examples.place_of(int(index))

    def places(self, indices: np.ndarray) -> list[str]:
        """Return file and line of the first of these texts."""
        return [self.place(index) for index in indices[:MOST_PLACES]]


def _groups(keys: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return repeats, repeated and conflicts as in ChannelStats."""
    _, text_of = np.unique(keys, return_inverse=True)
    classes = int(targets.max()) + 1
    pairs, first, pair_of = np.unique(
        text_of * classes + targets, return_index=True, return_inverse=True
    )  # text and label
    repeats = np.flatnonzero(first[pair_of] != np.arange(len(keys)))
    _, start, labels = np.unique(pairs // classes, return_index=True, return_counts=True)
    several = np.flatnonzero(labels > 1)
    order = np.lexsort(
        (first, pairs // classes)
    )  # texts stay where they are, their labels come by occurrence
    one, other = first[order[start[several]]], first[order[start[several] + 1]]
    conflicts = np.stack([one, other], axis=1)[np.lexsort((other, one))]
    return repeats, first[pair_of[repeats]], conflicts


def leaked_from(part: ChannelStats, train: ChannelStats) -> tuple[np.ndarray, np.ndarray]:
    """Return the texts of a channel that also occur in train, and their first occurrences there; both int64."""
    return occurring_in(part.keys, train.keys)


def occurring_in(keys: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the keys that occur among others, and their first occurrences there; both int64."""
    known, first = np.unique(among, return_index=True)
    position = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    indices = np.flatnonzero(known[position] == keys)
    return indices, first[position[indices]]
