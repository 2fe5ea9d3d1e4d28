"""Encode texts as token ids, truncated to the model's length or divided into windows.

Tokenizer libraries tokenise the whole text before they truncate: 10 MB would take a minute. Here only a prefix is
tokenised, which ends where no token can span the cut and grows until it suffices.
"""

import dataclasses
import functools
import itertools
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from tokenizers import Tokenizer

from bert_classifier.errors import UserError

# The hyperparameters for truncation; training.json has them under the same names.
CUT_SETTINGS = ("max_seq_length", "truncation", "max_windows", "window_overlap")
_CHARS_PER_TOKEN = 8  # first guess; English takes 4 to 5
_MAX_CHARS_PER_TOKEN = 250  # a text with more is treated as if it ended there
_BLANKS = " \n\t\r"  # separators for every tokenizer, unlike rarer ones, which some delete
_SEARCH = 2000  # characters around a limit within which to look for a safe cut


@dataclasses.dataclass(frozen=True)
class EncodedTexts:
    """Token ids of n texts in m windows, special tokens included; m = n unless texts are divided into windows.

    Attributes:
        ids: int32 (tokens of all windows,).
        offsets: int64 (m + 1,); window i is ids[offsets[i]:offsets[i + 1]].
        truncated: bool (n,); whether tokens of the text were dropped.
        bounds: int64 (n + 1,); text i is windows bounds[i] to bounds[i + 1], in order. None = one window per text.
    """

    ids: np.ndarray
    offsets: np.ndarray
    truncated: np.ndarray
    bounds: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.truncated)

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each window, int64 (m,)."""
        return np.diff(self.offsets)

    @functools.cached_property
    def text_lengths(self) -> np.ndarray:
        """Tokens of each text, those of all its windows, int64 (n,)."""
        return self.lengths if self.bounds is None else np.diff(self.offsets[self.bounds])

    def windows_of(self, texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the windows of the texts (b,), int64 (w,), text by text, and their number per text, int64 (b,)."""
        if self.bounds is None:
            return texts, np.ones(len(texts), dtype=np.int64)
        counts = self.bounds[texts + 1] - self.bounds[texts]
        starts = np.cumsum(counts) - counts
        windows = np.arange(counts.sum()) + np.repeat(self.bounds[texts] - starts, counts)
        return windows, counts

    def take(self, texts: np.ndarray) -> "EncodedTexts":
        """Return a copy of some texts, int64 (k,), in the order of their indices."""
        windows, counts = self.windows_of(texts)
        lengths = self.lengths[windows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        positions = np.arange(offsets[-1]) + np.repeat(self.offsets[windows] - offsets[:-1], lengths)
        bounds = None if self.bounds is None else np.concatenate([[0], np.cumsum(counts)])
        return EncodedTexts(self.ids[positions], offsets, self.truncated[texts], bounds)

    def mean_by_text(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of the values of each text's windows: float (m, …) → (n, …)."""
        if self.bounds is None or not len(self):
            return values
        counts = np.diff(self.bounds).reshape(-1, *[1] * (values.ndim - 1))
        sums = np.add.reduceat(values, self.bounds[:-1], axis=0, dtype=np.float64)
        means: np.ndarray = (sums / counts).astype(values.dtype)
        return means


class TextEncoder:
    """Encodes texts for one model.

    Args:
        tokenizer: the fast tokenizer; its own truncation and padding are ignored.
        pad_id: the padding token.
        max_length: maximum tokens per window, special ones included.
        truncation: what to keep of a longer text. "head": its beginning. "head_tail": its first max_length // 4 tokens
            and its end (Sun et al. 2019, How to Fine-Tune BERT for Text Classification, 5.3.1: of 512 tokens the first
            128 and the last 382, beside [CLS] and [SEP]). "windows": overlapping full windows (ibid., 5.3.2), of
            which the last ends with the text.
        max_windows: maximum windows per text; the rest is dropped.
        window_overlap: fraction of a window that overlaps the next one.

    Attributes:
        most_tokens: maximum tokens kept of a text; special ones count once, overlaps not at all.
        chars_looked_at: characters of a text that are tokenised at first.
        num_special: special tokens per window; a text with no other tokens is empty.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        pad_id: int,
        max_length: int,
        truncation: str = "head",
        max_windows: int = 1,
        window_overlap: float = 0.0,
    ) -> None:
        self.pad_id = pad_id
        self.max_length = max_length
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._prefix, self._suffix = _special_ids(self._tokenizer)
        self._ignores_blanks = self._tokenize([" \t\xa0\u3000a\u3000\xa0\n "]) == self._tokenize(["a"])
        self.num_special = len(self._prefix) + len(self._suffix)
        self._window = max_length - self.num_special
        self._tail = self._window - max_length // 4 if truncation == "head_tail" else 0
        self._max_windows = max_windows if truncation == "windows" else 1
        self._step = max(1, round(self._window * (1 - window_overlap)))
        self._room = self._window + (self._max_windows - 1) * self._step  # maximum tokens kept of a text
        self.most_tokens = self._room + max_length - self._window
        self.chars_looked_at = _CHARS_PER_TOKEN * self.most_tokens

    @classmethod
    def from_settings(cls, tokenizer: Tokenizer, pad_id: int, settings: Mapping[str, Any]) -> Self:
        """Return the encoder with these CUT_SETTINGS."""
        return cls(tokenizer, pad_id, *(settings[name] for name in CUT_SETTINGS))

    def encode_batch(self, texts: Sequence[str]) -> EncodedTexts:
        """Encode n texts, each a string without lone surrogates."""
        heads = [_prefix_of(text, self.chars_looked_at) for text in texts]
        encoded = self._tokenize([head for head, _ in heads])
        truncated = np.zeros(len(texts), dtype=bool)
        for index, (_, is_whole) in enumerate(heads):
            if len(encoded[index]) <= self._room and not is_whole:
                encoded[index], truncated[index] = self._grow(texts[index], _prefix_of)
            else:
                truncated[index] = len(encoded[index]) > self._room
        if self._tail:
            self._keep_tails(texts, encoded, truncated)
        return self._framed(encoded, truncated)

    def frame(self, texts: Sequence[list[int]]) -> EncodedTexts:
        """Return texts given as token ids without special ones, whole or in windows, with special tokens."""
        return self._framed(texts, np.array([len(ids) > self._room for ids in texts], dtype=bool))

    def cost_of(self, text: str) -> int:
        """Estimate the tokens of a text in all its windows, without tokenising it."""
        tokens = 2 + len(text) // 4
        if tokens <= self.max_length:
            return tokens
        windows = min(self._max_windows, 1 + -(-(tokens - self.max_length) // self._step))
        return windows * self.max_length

    def _framed(self, encoded: Sequence[list[int]], truncated: np.ndarray) -> EncodedTexts:
        """Divide the tokens of each text into windows, and add special tokens to every window."""
        windows: list[list[int]] = []
        bounds = [0]
        for ids in encoded:
            is_short = len(ids) <= self._window  # most are, and need no copy
            windows += [ids] if is_short else [ids[at : at + self._window] for at in self._starts(ids)]
            bounds.append(len(windows))
        lengths = np.fromiter(map(len, windows), dtype=np.int64, count=len(windows)) + self.num_special
        parts = itertools.chain.from_iterable((self._prefix, window, self._suffix) for window in windows)
        flat = np.fromiter(itertools.chain.from_iterable(parts), dtype=np.int32, count=int(lengths.sum()))
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        is_plain = len(windows) == len(encoded)
        return EncodedTexts(flat, offsets, truncated, None if is_plain else np.array(bounds, dtype=np.int64))

    def _starts(self, ids: Sequence[int]) -> list[int]:
        """Return where the windows of a text begin that has more tokens than one of them holds."""
        last = min(len(ids), self._room) - self._window
        return [*range(0, last, self._step), last]

    def count_tokens(self, texts: Sequence[str]) -> np.ndarray:
        """Return the tokens of n whole texts, special ones included, int64 (n,); slow for long texts."""
        return np.array([len(ids) + self.num_special for ids in self._tokenize(texts)], dtype=np.int64)

    def _keep_tails(self, texts: Sequence[str], encoded: list[list[int]], truncated: np.ndarray) -> None:
        """Replace the later part of each truncated text with the end of the text."""
        head = self._room - self._tail
        for index in np.flatnonzero(truncated).tolist():
            ids, _ = self._grow(texts[index], _suffix_of)
            encoded[index] = [*encoded[index][:head], *ids[-self._tail :]]

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        return [e.ids for e in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def _grow(self, text: str, part_of: "_Part") -> tuple[list[int], bool]:
        """Return more than _room tokens from one end of a text, or all of them, and whether some must be dropped."""
        text = text.strip() if self._ignores_blanks else text
        most = _MAX_CHARS_PER_TOKEN * self.most_tokens
        within = text if len(text) <= most else (text[:most] if part_of is _prefix_of else text[-most:])
        factor = 2
        while True:
            part, is_whole = part_of(within, factor * self.chars_looked_at)
            ids = self._tokenize([part])[0]
            if is_whole or len(ids) > self._room:
                return ids, len(ids) > self._room or len(within) < len(text)
            factor *= 2


# (text, limit) → (about `limit` characters of one end of the text, whether that is the whole text)
_Part = Callable[[str, int], tuple[str, bool]]


def _prefix_of(text: str, limit: int) -> tuple[str, bool]:
    """Return the text up to the last separator before `limit` characters, or "" without one."""
    if len(text) <= limit:
        return text, True
    for cut in range(limit, max(0, limit - _SEARCH), -1):
        if _is_safe_cut(text, cut):
            return text[:cut], False
    return "", False


def _suffix_of(text: str, limit: int) -> tuple[str, bool]:
    """Return the text from the first separator within its last `limit` characters on, or "" without one."""
    if len(text) <= limit:
        return text, True
    start = len(text) - limit
    for cut in range(start, min(len(text) - 1, start + _SEARCH)):
        if _is_safe_cut(text, cut):
            return text[cut:], False
    return "", False


def _is_safe_cut(text: str, cut: int) -> bool:
    """Return whether `cut` is at a single separator, so that no token spans it."""
    return (
        text[cut] in _BLANKS
        and not text[cut - 1].isspace()
        and not text[cut + 1 : cut + 2].isspace()
        and not unicodedata.combining(text[cut + 1 : cut + 2] or " ")
    )


def _special_ids(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Return the ids that the model expects before and after a text, such as [CLS] and [SEP].

    Raises:
        UserError: when the tokenizer finds a token in no word of its vocabulary.
    """
    for text in itertools.chain(["a"], tokenizer.get_vocab()):  # some know no Latin letter, and drop it
        encoded = tokenizer.encode(text, add_special_tokens=True)
        inner = [i for i, special in enumerate(encoded.special_tokens_mask) if not special]
        if inner:
            return encoded.ids[: inner[0]], encoded.ids[inner[-1] + 1 :]
    raise UserError(
        "The tokenizer finds no token in any word of its own vocabulary.",
        "Give the tokenizer that the model was trained with.",
    )
