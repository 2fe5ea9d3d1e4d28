"""How many labels the texts of a channel have, and which labels occur together."""

import dataclasses

import numpy as np

_CHUNK = 65_536  # texts


@dataclasses.dataclass(frozen=True)
class LabelCounts:
    """Labels per text of a channel.

    Attributes:
        cardinality: mean number of labels of a text.
        density: its fraction of all labels, from 0 to 1.
        most: of one text.
        unlabelled: texts without any label.
        sets: different sets of labels.
    """

    cardinality: float
    density: float
    most: int
    unlabelled: int
    sets: int

    @classmethod
    def of(cls, targets: np.ndarray) -> "LabelCounts":
        """Count the labels of texts, uint8 (n, classes)."""
        per_text = targets.sum(axis=1, dtype=np.int64)
        mean = float(per_text.mean())
        sets = int(set_numbers(targets).max()) + 1
        return cls(
            mean, mean / targets.shape[1], int(per_text.max()), int(np.count_nonzero(per_text == 0)), sets
        )


def set_numbers(targets: np.ndarray) -> np.ndarray:
    """Return a number for each text's set of labels, int64 (n,), from 0: equal sets, equal numbers.

    Args:
        targets: uint8 (n, classes).
    """
    packed = np.ascontiguousarray(np.packbits(targets, axis=1))
    rows = packed.view(np.dtype((np.void, packed.shape[1]))).reshape(-1)
    _, numbers = np.unique(rows, return_inverse=True)
    return numbers.reshape(-1).astype(np.int64)


def together(targets: np.ndarray) -> np.ndarray:
    """Return in how many texts each two labels occur together, int64 (classes, classes), symmetric.

    Args:
        targets: uint8 (n, classes).
    """
    counts = np.zeros((targets.shape[1],) * 2, dtype=np.int64)
    for begin in range(0, len(targets), _CHUNK):  # in float32, which is exact up to 2^24 and fast
        part = np.asarray(targets[begin : begin + _CHUNK], dtype=np.float32)
        counts += (part.T @ part).astype(np.int64)
    return counts
