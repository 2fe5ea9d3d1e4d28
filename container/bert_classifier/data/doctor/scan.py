"""What is found by looking at each text alone: its key for equality, damage, whether it has words.

In one process: several took longer for 400,000 texts, whose way to them and back costs as much as looking at them.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from bert_classifier.data.doctor.texts import KINDS, damage_in, is_bare, keys_of, looks_like_id

_CHUNK = 4096  # texts


@dataclasses.dataclass(frozen=True)
class TextFacts:
    """What was found in each of n texts.

    Attributes:
        keys: uint64 (n,), equal for texts that count as equal.
        damage: uint8 (n,), bit k set for damage of KINDS[k].
        are_bare: bool (n,), whether a text has no word.
        are_ids: bool (n,), whether it looks like an identifier.
    """

    keys: np.ndarray
    damage: np.ndarray
    are_bare: np.ndarray
    are_ids: np.ndarray

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
        self.facts = TextFacts(*(np.zeros(len(texts), dtype) for dtype in (np.uint64, np.uint8, bool, bool)))

    def look_until(self, end: int) -> None:
        """Look at the texts from the last one looked at to `end`, exclusive."""
        for begin, chunk in _chunks(self._texts, self._done, end):
            part = slice(begin, begin + len(chunk))
            self.facts.keys[part] = keys_of(chunk)
            self.facts.damage[part] = [_bits(damage_in(text)) for text in chunk]
            self.facts.are_bare[part] = [*map(is_bare, chunk)]
            self.facts.are_ids[part] = [*map(looks_like_id, chunk)]
        self._done = end


def _bits(kinds: Sequence[str]) -> int:
    return sum(1 << KINDS.index(kind) for kind in kinds)


def _chunks(texts: Sequence[str], begin: int, end: int) -> Iterator[tuple[int, list[str]]]:
    """Yield texts[begin:end] by the chunk, with the index of the first."""
    for at in range(begin, end, _CHUNK):
        yield at, list(texts[at : min(end, at + _CHUNK)])
