"""What is found by looking at each text alone: its key for equality, damage, whether it has words.

In one process: several took longer for 400,000 texts, whose way to them and back costs as much as looking at them.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from bert_classifier.data.doctor.texts import (
    KINDS,
    damage_in,
    is_bare,
    keys_of,
    looks_like_id,
    pair_keys_of,
)
from bert_classifier.data.text_pair import TextPair

_CHUNK = 4096  # texts


@dataclasses.dataclass(frozen=True)
class TextFacts:
    """What was found in each of n texts.

    Attributes:
        keys: uint64 (n,), equal for texts that count as equal.
        damage: uint8 (n,), bit k set for damage of KINDS[k].
        are_bare: bool (n,), whether a text has no word.
        are_ids: bool (n,), whether it looks like an identifier.
        swapped: uint64, of pairs (n,): the key that a pair has with its texts swapped; else (0,).
        are_half: bool, of pairs (n,): whether one of the two texts is empty; else (0,).
    """

    keys: np.ndarray
    damage: np.ndarray
    are_bare: np.ndarray
    are_ids: np.ndarray
    swapped: np.ndarray
    are_half: np.ndarray

    @property
    def is_paired(self) -> bool:
        """Whether the texts are pairs."""
        return len(self.swapped) > 0

    @classmethod
    def of(cls, texts: Sequence[str]) -> "TextFacts":
        """Look at all texts."""
        scan = TextScan(texts)
        scan.look_until(len(texts))
        return scan.facts

    def damaged(self, kind: str) -> np.ndarray:
        """Return the texts with a kind of damage, int64, ascending."""
        return np.flatnonzero(self.damage & _bits([kind]))


class TextScan:
    """Looks at texts, a part of them at a time: such as those that another thread has just tokenised.

    Attributes:
        facts: what was found; zeros for texts not looked at yet.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._done = 0
        self._is_paired = len(texts) > 0 and isinstance(texts[0], TextPair)
        pairs = len(texts) if self._is_paired else 0
        of_texts = [np.zeros(len(texts), dtype) for dtype in (np.uint64, np.uint8, bool, bool)]
        self.facts = TextFacts(*[*of_texts, np.zeros(pairs, np.uint64), np.zeros(pairs, bool)])

    def look_until(self, end: int) -> None:
        """Look at the texts from the last one looked at to `end`, exclusive."""
        for begin, chunk in _chunks(self._texts, self._done, end):
            part = slice(begin, begin + len(chunk))
            if self._is_paired:
                chunk = self._look_at_pairs(part, chunk)
            else:
                self.facts.keys[part] = keys_of(chunk)
            self.facts.damage[part] = [_bits(damage_in(text)) for text in chunk]
            self.facts.are_bare[part] = [*map(is_bare, chunk)]
            self.facts.are_ids[part] = [*map(looks_like_id, chunk)]
        self._done = end

    def _look_at_pairs(self, part: slice, chunk: Sequence[str]) -> list[str]:
        """Look at pairs as such, and return each as one text."""
        found = [text for text in chunk if isinstance(text, TextPair)]
        self.facts.keys[part] = pair_keys_of(found)
        self.facts.swapped[part] = pair_keys_of([TextPair(pair.second, pair.first) for pair in found])
        self.facts.are_half[part] = [not (pair.first.strip() and pair.second.strip()) for pair in found]
        return [f"{pair.first} {pair.second}" for pair in found]


def _bits(kinds: Sequence[str]) -> int:
    return sum(1 << KINDS.index(kind) for kind in kinds)


def _chunks(texts: Sequence[str], begin: int, end: int) -> Iterator[tuple[int, list[str]]]:
    """Yield texts[begin:end] by the chunk, with the index of the first."""
    for at in range(begin, end, _CHUNK):
        yield at, list(texts[at : min(end, at + _CHUNK)])
