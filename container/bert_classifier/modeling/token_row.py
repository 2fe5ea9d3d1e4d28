"""Texts side by side in one row of tokens, without padding."""

import numpy as np

from bert_classifier.encoding.text_encoder import EncodedTexts


def pack(encoded: EncodedTexts, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the tokens of b windows as one sequence.

    Returns:
        ids int64 (1, tokens), positions within each window int64 (1, tokens), and the begin of each window followed
        by the end of the last, int32 (b + 1,).
    """
    if len(windows) == 1:  # most requests have one text: no copies of what is one piece already
        begin, end = encoded.offsets[windows[0] : windows[0] + 2].tolist()
        ids, places = encoded.ids[begin:end], np.arange(end - begin)
        return ids.astype(np.int64)[None], places[None], np.array([0, end - begin], dtype=np.int32)
    lengths = encoded.lengths[windows]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    positions = np.arange(ends[-1]) - np.repeat(ends[:-1], lengths)
    ids = encoded.ids[positions + np.repeat(encoded.offsets[windows], lengths)]
    return ids.astype(np.int64)[None], positions.astype(np.int64)[None], ends.astype(np.int32)


def positions_of_model(ids: np.ndarray, positions: np.ndarray, padding: int | None) -> np.ndarray:
    """Return the positions that the model expects, int64 (1, tokens).

    Args:
        ids: int64 (1, tokens).
        positions: of each token in its text, from 0 on, (1, tokens).
        padding: from padding_position. Padding tokens that a text spells out have no position of their own there.
    """
    if padding is None:
        return positions
    is_padding = ids[0] == padding
    counts = np.concatenate([[0], np.cumsum(is_padding)])
    begins = np.arange(len(is_padding)) - positions[0]
    spelt = counts[1:] - counts[begins]  # in the token's text, up to it
    return np.where(is_padding, padding, positions[0] + padding + 1 - spelt)[None]
