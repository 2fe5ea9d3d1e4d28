"""The values that a profile counts: of answers, and of encoded texts."""

import numpy as np

from bert_classifier.artifact.profile import ABSTAINED, PREDICTIONS, SCORES, TOKENS, TRUNCATED, UNKNOWN
from bert_classifier.encoding.text_encoder import EncodedTexts


def answer_values(probabilities: np.ndarray, abstain_below: float) -> dict[str, np.ndarray]:
    """Return the values of n answers by measure; only those with a label have a predicted class.

    Args:
        probabilities: calibrated, float64 (n, classes).
        abstain_below: score below which a text gets no label; 0 = never, which leaves `abstained` out.
    """
    scores = probabilities.max(axis=1, initial=0.0)
    is_unsure = scores < abstain_below
    values = {PREDICTIONS: probabilities.argmax(axis=1)[~is_unsure], SCORES: scores}
    return {**values, ABSTAINED: is_unsure} if abstain_below else values


def label_values(probabilities: np.ndarray, thresholds: np.ndarray) -> dict[str, np.ndarray]:
    """Return the values of n answers with any number of labels by measure; each label answered counts.

    Args:
        probabilities: calibrated, float64 (n, classes).
        thresholds: the lowest probability at which each label is answered, float64 (classes,).
    """
    is_answered = probabilities >= thresholds
    return {
        PREDICTIONS: np.nonzero(is_answered)[1],
        SCORES: probabilities.max(axis=1, initial=0.0),
        ABSTAINED: ~is_answered.any(axis=1),
    }


def text_values(encoded: EncodedTexts, unknown_id: int | None) -> dict[str, np.ndarray]:
    """Return the values of n texts by measure; without an unknown token, as in byte-level tokenizers, none for it."""
    values = {TOKENS: encoded.text_lengths, TRUNCATED: encoded.truncated}
    return values if unknown_id is None else {**values, UNKNOWN: _unknown_shares(encoded, unknown_id)}


def _unknown_shares(encoded: EncodedTexts, unknown_id: int) -> np.ndarray:
    """Return the share of unknown tokens in each of n texts, special tokens included, float64 (n,)."""
    offsets = encoded.offsets if encoded.bounds is None else encoded.offsets[encoded.bounds]
    ids, step = encoded.ids, 2**20  # of a mapped file, without a temporary array of that size
    places = [at + np.flatnonzero(ids[at : at + step] == unknown_id) for at in range(0, len(ids), step)]
    found = np.searchsorted(np.concatenate([np.zeros(0, dtype=np.int64), *places]), offsets)
    shares: np.ndarray = np.diff(found) / np.maximum(1, encoded.text_lengths)
    return shares
