"""What is found by looking at each text alone: its key for equality, damage, whether it has words.

In one process: several took longer for 400,000 texts, whose way to them and back costs as much as looking at them.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

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
    def of(cls, texts: Sequence[str], on_chunk: Callable[[int], None] = lambda _: None) -> "TextFacts":
        """Look at texts, one after another.

        Args:
            on_chunk: called with the number of texts done after every chunk; may raise to stop.
        """
        facts = cls(*(np.zeros(len(texts), dtype) for dtype in (np.uint64, np.uint8, bool, bool)))
        for begin, chunk in _chunks(texts):
            part = slice(begin, begin + len(chunk))
            facts.keys[part] = keys_of(chunk)
            facts.damage[part] = [_bits(damage_in(text)) for text in chunk]
            facts.are_bare[part] = [*map(is_bare, chunk)]
            facts.are_ids[part] = [*map(looks_like_id, chunk)]
            on_chunk(part.stop)
        return facts

    def damaged(self, kind: str) -> np.ndarray:
        """Return the texts with a kind of damage, int64, ascending."""
        return np.flatnonzero(self.damage & _bits([kind]))


def _bits(kinds: Sequence[str]) -> int:
    return sum(1 << KINDS.index(kind) for kind in kinds)


def _chunks(texts: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield texts by the chunk, with the index of the first."""
    for begin in range(0, len(texts), _CHUNK):
        yield begin, list(texts[begin : begin + _CHUNK])
