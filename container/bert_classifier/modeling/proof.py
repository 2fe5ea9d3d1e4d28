"""Prove that two forward passes compute the same, on texts that show where they could differ."""

import numpy as np
import torch

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling.forward import Forward

_TEXTS = 8  # of the sample


def proof_texts(sample: EncodedTexts, longest: int = 0) -> EncodedTexts:
    """Return the first texts of a sample, the longest of them once more cut to half, and one of `longest` tokens.

    So there are always texts of several lengths, whatever the sample. The last is made of the sample's tokens.

    Args:
        longest: 0 for none.
    """
    texts = [sample.ids[sample.offsets[row] : sample.offsets[row + 1]] for row in range(len(sample.lengths))]
    texts = texts[:_TEXTS]
    at = max(range(len(texts)), key=lambda row: len(texts[row]))
    texts.append(texts[at][: (len(texts[at]) + 1) // 2])
    if longest:
        texts.append(np.resize(np.concatenate(texts), longest))
    lengths = [len(text) for text in texts]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    seconds = None if sample.seconds is None else _seconds_of(sample.seconds[:_TEXTS], at, lengths)
    return EncodedTexts(np.concatenate(texts), offsets, np.zeros(len(texts), dtype=bool), seconds=seconds)


def _seconds_of(seconds: np.ndarray, cut: int, lengths: list[int]) -> np.ndarray:
    """Return where type 1 begins in texts of a sample, in the one that is cut, and in the middle of the longest.

    Args:
        seconds: of the sample's texts.
        cut: which text is cut to half.
        lengths: of all texts.
    """
    begins = [
        *seconds.tolist(),
        *([seconds[cut] // 2] + [length // 2 for length in lengths[len(seconds) + 1 :]]),
    ]
    return np.array(begins, dtype=np.int32)


def relative_difference(one: Forward, other: Forward, texts: EncodedTexts) -> float:
    """Return the distance of the logits of two passes over some texts; see distance_of."""
    windows = np.arange(len(texts.lengths))
    was_training = one.model.training
    one.model.eval()
    try:
        with torch.inference_mode():
            ours, theirs = one(texts, windows).float(), other(texts, windows).float()
    finally:
        one.model.train(was_training)
    return distance_of(ours, theirs)


def distance_of(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Return the largest distance of a text's logits, relative to the mean norm of `theirs`, both (texts, classes).

    The text that differs most counts, so that many short ones do not hide a long one.
    """
    return float((ours - theirs).norm(dim=1).max() / theirs.norm(dim=1).mean())


def mean_distance_of(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Return the mean distance of a text's logits, relative to the mean norm of `theirs`, both (texts, classes).

    For passes that round: one text where rounding happens to add up does not decide.
    """
    return float((ours - theirs).norm(dim=1).mean() / theirs.norm(dim=1).mean())
