"""Divide texts with several labels each so that every part has its share of every label.

Source: Sechidis, Tsoumakas and Vlahavas 2011, On the Stratification of Multi-label Data, algorithm 1: the label with
the fewest texts left is distributed first, each of its texts to the part that lacks most of it.
"""

import logging

import numpy as np

logger = logging.getLogger(__name__)

_MANY = 1.5  # times the texts asked for, from which the log says so


def assign_parts(
    targets: np.ndarray, wanted: np.ndarray, sizes: np.ndarray, draw: np.random.Generator
) -> np.ndarray:
    """Return the part of each text, int64 (n,).

    Args:
        targets: 1 where a text has a label, uint8 (n, labels).
        wanted: texts of each label that each part should have, (parts, labels).
        sizes: texts that each part should have, (parts,).
        draw: decides the order of the texts, and so where each goes.
    """
    order = draw.permutation(len(targets))
    shuffled = targets[order]
    lacking, room = wanted.astype(np.float64), sizes.astype(np.float64).tolist()
    part_of = np.full(len(targets), -1, dtype=np.int64)
    left = shuffled.sum(axis=0, dtype=np.int64)
    while (left > 0).any():
        label = int(np.where(left > 0, left, len(targets) + 1).argmin())
        chosen = np.flatnonzero((shuffled[:, label] > 0) & (part_of < 0))
        for place in chosen.tolist():
            part = max(enumerate(zip(lacking[:, label].tolist(), room, strict=True)), key=_lacks_most)[0]
            part_of[place] = part
            lacking[part] -= shuffled[place]
            room[part] -= 1
        left -= shuffled[chosen].sum(axis=0, dtype=np.int64)
    for place in np.flatnonzero(part_of < 0).tolist():  # texts without labels
        part_of[place] = part = room.index(max(room))
        room[part] -= 1
    assigned = np.empty_like(part_of)
    assigned[order] = part_of
    return assigned


def _lacks_most(part: tuple[int, tuple[float, float]]) -> tuple[float, float]:
    """Return by what parts are compared: texts of a label that they lack, then texts of any."""
    return part[1]


def held_out_sets(targets: np.ndarray, share: float, draw: np.random.Generator) -> np.ndarray:
    """Return which texts to hold out, bool (n,): about a fraction `share` of the texts of each label.

    A label with a single text stays with the others; of any other at least one text should be held out, and one not.
    With many rare labels that may be far more texts than `share` of all, which the log says.

    Args:
        targets: uint8 (n, labels).
    """
    counts = targets.sum(axis=0, dtype=np.int64)
    out = np.clip(np.rint(share * counts), 1, np.maximum(counts - 1, 0))
    out[counts < 2] = 0
    size = min(max(1, round(share * len(targets))), len(targets) - 1)
    sizes = np.array([len(targets) - size, size])
    held_out: np.ndarray = assign_parts(targets, np.stack([counts - out, out]), sizes, draw) == 1
    if held_out.sum() > _MANY * size:
        logger.warning(
            "%d texts are held out for validation, where about %d were asked for: each label of two texts or more"
            " should have one there, and many labels are rare; give a validation channel to decide it yourself",
            held_out.sum(), size,
        )  # fmt: skip
    return held_out


def folds_of_sets(targets: np.ndarray, folds: int, draw: np.random.Generator) -> np.ndarray:
    """Return the fold of each text, int64 (n,), from 0: each has about as many texts, and as many of each label.

    Args:
        targets: uint8 (n, labels), n ≥ folds.
    """
    wanted = np.tile(targets.sum(axis=0) / folds, (folds, 1))
    return assign_parts(targets, wanted, np.full(folds, len(targets) / folds), draw)
