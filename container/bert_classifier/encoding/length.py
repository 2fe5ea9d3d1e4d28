"""The tokens of texts: the automatic max_seq_length, which keeps nearly all training texts whole; what the log says."""

import logging
from collections.abc import Sequence

import numpy as np

from bert_classifier.data.text_pair import TextPair
from bert_classifier.encoding.text_encoder import EncodedTexts, TextEncoder
from bert_classifier.errors import UserError
from bert_classifier.job.automatic_lengths import LEAST_AUTOMATIC_LENGTH
from bert_classifier.job.wording import counted

logger = logging.getLogger(__name__)

STEP = 16  # lengths are multiples of it
_WHOLE = 99  # percent of the training texts
_MOST_TEXTS = 2000  # looked at, evenly spaced
_LIMITS = " (more than 512 tokens, the model's limit or max_tokens_per_micro_batch is never chosen)"


def automatic_length(encoder: TextEncoder, texts: Sequence[str]) -> int:
    """Return the least multiple of STEP tokens, from 256 up, that keeps 99 % of the texts whole; log it if it is more.

    Args:
        encoder: that cuts texts at the most tokens that may be returned.
        texts: of training; of many, an evenly spaced sample is looked at.
    """
    most = encoder.max_length
    if most <= LEAST_AUTOMATIC_LENGTH:
        return most
    indices = np.unique(np.linspace(0, len(texts) - 1, _MOST_TEXTS).astype(np.int64))
    encoded = encoder.encode_batch([texts[index] for index in indices.tolist()])
    enough = length_for(encoded.text_lengths)
    chosen = min(most, max(LEAST_AUTOMATIC_LENGTH, enough))
    if chosen > LEAST_AUTOMATIC_LENGTH:
        kept = 100 * float((~encoded.truncated & (encoded.text_lengths <= chosen)).mean())
        logger.info(
            "chosen for the lengths of the training texts: max_seq_length=%d, which keeps %.1f %% of them whole%s;"
            " set it to override", chosen, kept, _LIMITS if kept < _WHOLE else "",
        )  # fmt: skip
    return chosen


def length_for(lengths: np.ndarray) -> int:
    """Return the least multiple of STEP that is no less than 99 % of the lengths, int (n,)."""
    enough = int(np.percentile(lengths, _WHOLE, method="inverted_cdf"))
    return -(-enough // STEP) * STEP


def require_tokens(encoded: EncodedTexts) -> None:
    """Refuse texts to train that have no token at all, as a tokenizer gives that adds none to begin or end a text."""
    without = int((encoded.lengths == 0).sum())
    if without:
        raise UserError(
            f"{counted(without, 'training text has', 'training texts have')} no token, and the tokenizer adds none to"
            " begin or end a text: there is nothing to learn from.",
            "Leave such texts out, or give the tokenizer.json that the model was trained with.",
        )


def count_lost(encoder: TextEncoder, encoded: EncodedTexts, pairs: Sequence[str]) -> int:
    """Return of how many TextPairs no token of the second text is left, since the first fills the window.

    Pairs whose second text has no token do not count. With longest_first, none ever does.

    Args:
        encoder: of pairs.
        encoded: the pairs as it encoded them.
    """
    frame = encoder.pair
    cut = np.flatnonzero(encoded.truncated)
    if frame is None or not frame.middle or not len(cut):
        return 0
    end = len(frame.suffix)
    positions = encoded.offsets[cut + 1, None] + np.arange(-len(frame.middle) - end, -end)
    without = cut[(encoded.ids[positions] == frame.middle).all(axis=1)].tolist()
    return sum(_has_second(encoder, pairs[index]) for index in without)


def _has_second(encoder: TextEncoder, pair: str) -> bool:
    """Return whether the second text of a TextPair has a token."""
    alone = encoder.encode_batch([TextPair("", TextPair.parse(pair).second)])
    return int(alone.lengths[0]) > encoder.num_special


def log_tokens(encoder: TextEncoder, encoded: EncodedTexts, texts: Sequence[str], channel: str) -> None:
    """Log how many tokens the texts of a channel have, and how many texts are cut."""
    logger.info(
        "%s: %d texts, %.0f tokens on average, %.1f %% cut at %d tokens",
        channel, len(encoded), encoded.text_lengths.mean(), 100 * encoded.truncated.mean(), encoder.most_tokens,
    )  # fmt: skip
    if lost := count_lost(encoder, encoded, texts):
        logger.warning(
            "%s: the first text of %s fills the window by itself, so nothing of the second is read: raise"
            " max_seq_length, or set pair_truncation=longest_first", channel, counted(lost, "pair"),
        )  # fmt: skip
    if encoded.bounds is not None:
        logger.info("%s: %d windows of at most %d tokens", channel, len(encoded.lengths), encoder.max_length)
