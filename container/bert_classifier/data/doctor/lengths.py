"""Token counts of truncated texts: exact where that is quick, else estimated from their characters."""

from collections.abc import Sequence

import numpy as np

from bert_classifier.data.text_pair import TextPair
from bert_classifier.encoding.text_encoder import EncodedTexts, TextEncoder

_MOST_CHARS = 4_000_000  # to tokenise again in total: about a second
_MOST_CHARS_OF_ONE = 20_000
_AT_ONCE = 32  # texts per call of the tokenizer: signals are handled in between


def whole_lengths(encoder: TextEncoder, texts: Sequence[str], encoded: EncodedTexts) -> np.ndarray:
    """Return the tokens of each whole text, int64 (n,), special tokens included.

    Texts that were truncated or span several windows are counted if they are short enough in total. Otherwise a
    regular sample gives the tokens per character, from which the rest is estimated.
    """
    lengths = encoded.text_lengths.copy()
    is_cut = encoded.truncated | (lengths > encoder.max_length)
    cut = np.flatnonzero(is_cut).tolist()
    if not cut:
        return lengths
    chars = np.array([len(texts[index]) for index in cut])
    step = -(-int(np.minimum(chars, _MOST_CHARS_OF_ONE).sum()) // _MOST_CHARS)
    parts = [_begin(texts[index]) for index in cut[::step]]
    counted = np.concatenate(
        [encoder.count_tokens(parts[at : at + _AT_ONCE]) for at in range(0, len(parts), _AT_ONCE)]
    )
    rate = counted.sum() / sum(map(len, parts))
    least = np.where(encoded.truncated[cut], encoder.most_tokens, encoder.max_length) + 1
    estimated = np.maximum(np.rint(chars * rate).astype(np.int64), least)
    is_whole = chars[::step] <= _MOST_CHARS_OF_ONE
    estimated[::step][is_whole] = counted[is_whole]
    lengths[cut] = estimated
    return lengths


def _begin(text: str) -> str:
    """Return the first characters of a text, of a pair those of both."""
    if isinstance(text, TextPair):
        return TextPair(text.first[: _MOST_CHARS_OF_ONE // 2], text.second[: _MOST_CHARS_OF_ONE // 2])
    return text[:_MOST_CHARS_OF_ONE]
