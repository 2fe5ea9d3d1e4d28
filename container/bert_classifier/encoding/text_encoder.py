"""Encode texts as token ids, truncated to the model's length or divided into windows.

Tokenizer libraries tokenise the whole text before they truncate: 10 MB would take a minute. Here only a prefix is
tokenised, which ends where no token can span the cut and grows until it suffices.
"""

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from tokenizers import Tokenizer

from bert_classifier.data.text_pair import LONGEST_FIRST, TextPair
from bert_classifier.encoding.frames import PairFrame, longest_first, only_second, special_ids
from bert_classifier.encoding.longer_texts import are_first_longer
from bert_classifier.encoding.text_parts import Part, prefix_of, suffix_of
from bert_classifier.errors import UserError

# The hyperparameters for truncation; training.json has them under the same names.
CUT_SETTINGS = ("max_seq_length", "truncation", "max_windows", "window_overlap")
# Beside them of a model of text pairs: the hyperparameter, and whether token types tell its texts apart.
PAIR_SETTINGS = ("pair_truncation", "has_token_types")
_LEAST_OF_PAIR = 2  # tokens: one of each text
_CHARS_PER_TOKEN = 8  # first guess; English takes 4 to 5
_MAX_CHARS_PER_TOKEN = 250  # a text with more is treated as if it ended there


@dataclasses.dataclass(frozen=True)
class EncodedTexts:
    """Token ids of n texts in m windows, special tokens included; m = n unless texts are divided into windows.

    Attributes:
        ids: int32 (tokens of all windows,).
        offsets: int64 (m + 1,); window i is ids[offsets[i]:offsets[i + 1]].
        truncated: bool (n,); whether tokens of the text were dropped.
        bounds: int64 (n + 1,); text i is windows bounds[i] to bounds[i + 1], in order. None = one window per text.
        seconds: int32 (m,); where in each window the tokens of type 1 begin. None = all tokens are of type 0.
    """

    ids: np.ndarray
    offsets: np.ndarray
    truncated: np.ndarray
    bounds: np.ndarray | None = None
    seconds: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.truncated)

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each window, int64 (m,)."""
        lengths: np.ndarray = self.offsets[1:] - self.offsets[:-1]  # np.diff: four times as long for one text
        return lengths

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
        seconds = None if self.seconds is None else self.seconds[windows]
        return EncodedTexts(self.ids[positions], offsets, self.truncated[texts], bounds, seconds)

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
        pair_truncation: how text pairs are cut, "longest_first" or "only_second"; None: the encoder is for single
            texts. `truncation` says nothing about pairs.
        has_token_types: whether the tokenizer's token types tell the texts of a pair apart.

    Attributes:
        is_paired: whether it encodes text pairs, or else single texts.
        pair: what stands around text pairs; None for single texts.
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
        pair_truncation: str | None = None,
        has_token_types: bool | None = False,
    ) -> None:
        self.pad_id = pad_id
        self.max_length = max_length
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._prefix, self._suffix = special_ids(self._tokenizer)
        self.is_paired = pair_truncation is not None
        self.pair = PairFrame.of(self._tokenizer) if self.is_paired else None
        self._pair_truncation, self._has_token_types = pair_truncation, has_token_types
        self._ignores_blanks = self._tokenize([" \t\xa0\u3000a\u3000\xa0\n "]) == self._tokenize(["a"])
        self.num_special = self.pair.size if self.pair else len(self._prefix) + len(self._suffix)
        self._window = max_length - self.num_special
        if self.pair:
            _require_room(self._window, max_length)
            truncation = "head"
        self._tail = self._window - max_length // 4 if truncation == "head_tail" else 0
        self._max_windows = max_windows if truncation == "windows" else 1
        self._step = max(1, round(self._window * (1 - window_overlap)))
        self._room = self._window + (self._max_windows - 1) * self._step  # maximum tokens kept of a text
        self.most_tokens = self._room + max_length - self._window
        self.chars_looked_at = _CHARS_PER_TOKEN * self.most_tokens

    @classmethod
    def from_settings(cls, tokenizer: Tokenizer, pad_id: int, settings: Mapping[str, Any]) -> Self:
        """Return the encoder with these CUT_SETTINGS, and PAIR_SETTINGS if it is for pairs."""
        of_pairs = (settings.get(name) for name in PAIR_SETTINGS)
        return cls(tokenizer, pad_id, *(settings[name] for name in CUT_SETTINGS), *of_pairs)

    def encode_batch(self, texts: Sequence[str]) -> EncodedTexts:
        """Encode n texts, each a string without lone surrogates: TextPairs if the encoder is for pairs, else others.

        Raises:
            ValueError: when one is a single text and should be a pair, or the other way round.
        """
        _require_kind(texts, is_paired=self.is_paired)
        if self.pair:
            return self._encode_pairs(texts, self.pair)
        encoded, truncated = self._heads(texts)
        if self._tail:
            self._keep_tails(texts, encoded, truncated)
        return self._framed(encoded, truncated)

    def _heads(self, texts: Sequence[str]) -> tuple[list[list[int]], np.ndarray]:
        """Return each text's first tokens, more than _room or all, and whether some must be dropped, bool (n,)."""
        heads = [prefix_of(text, self.chars_looked_at) for text in texts]
        encoded = self._tokenize([head for head, _ in heads])
        truncated = np.zeros(len(texts), dtype=bool)
        for index, (_, is_whole) in enumerate(heads):
            if len(encoded[index]) <= self._room and not is_whole:
                encoded[index], truncated[index] = self._grow(texts[index], prefix_of)
            else:
                truncated[index] = len(encoded[index]) > self._room
        return encoded, truncated

    def _encode_pairs(self, pairs: Sequence[str], frame: PairFrame) -> EncodedTexts:
        texts = _texts_of(pairs)
        encoded, is_cut = self._heads(texts)
        longer = self._longer_firsts(texts, encoded)
        kept = [
            self._kept(encoded[at : at + 2], is_first_longer=at in longer) for at in range(0, len(texts), 2)
        ]
        truncated = np.array(is_cut).reshape(-1, 2).max(axis=1, initial=False)
        parts = []
        for index, (first, second) in enumerate(kept):
            of_first, of_second = encoded[2 * index : 2 * index + 2]
            truncated[index] |= first < len(of_first) or second < len(of_second)
            parts.append(frame.around(of_first[:first], of_second[:second]))
        lengths = np.array(kept, dtype=np.int64).reshape(-1, 2)
        offsets = np.concatenate([[0], np.cumsum(lengths.sum(axis=1) + frame.size)])
        flat = np.fromiter(itertools.chain.from_iterable(parts), dtype=np.int32, count=int(offsets[-1]))
        has_types = self._has_token_types and frame.types_from is not None
        seconds = lengths[:, 0] + len(frame.prefix) + (frame.types_from or 0)
        return EncodedTexts(flat, offsets, truncated, seconds=seconds.astype(np.int32) if has_types else None)

    def _kept(self, encoded: Sequence[list[int]], *, is_first_longer: bool) -> tuple[int, int]:
        """Return how many tokens are kept of the two texts of a pair, given more than _room tokens of each, or all."""
        first, second = map(len, encoded)
        if self._pair_truncation != LONGEST_FIRST:
            return only_second(first, second, self._room)
        return longest_first(first, second, self._room, is_first_longer=is_first_longer)

    def _longer_firsts(self, texts: Sequence[str], encoded: Sequence[list[int]]) -> set[int]:
        """Return the indices of first texts that get the odd token of the window; see are_first_longer."""
        if self._pair_truncation != LONGEST_FIRST or self._room % 2 == 0:
            return set()
        unclear = [at for at in range(0, len(texts), 2) if min(map(len, encoded[at : at + 2])) > self._room]
        pairs = [texts[at : at + 2] for at in unclear]
        sizes = [list(map(len, encoded[at : at + 2])) for at in unclear]
        longer = are_first_longer(self._tokenize, pairs, sizes, self.chars_looked_at)
        return {at for at, is_longer in zip(unclear, longer, strict=True) if is_longer}

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
        offsets = np.zeros(len(windows) + 1, dtype=np.int64)
        offsets[1:] = [len(window) + self.num_special for window in windows]
        np.cumsum(offsets, out=offsets)
        parts = itertools.chain.from_iterable((self._prefix, window, self._suffix) for window in windows)
        flat = np.fromiter(itertools.chain.from_iterable(parts), dtype=np.int32, count=int(offsets[-1]))
        is_plain = len(windows) == len(encoded)
        return EncodedTexts(flat, offsets, truncated, None if is_plain else np.array(bounds, dtype=np.int64))

    def _starts(self, ids: Sequence[int]) -> list[int]:
        """Return where the windows of a text begin that has more tokens than one of them holds."""
        last = min(len(ids), self._room) - self._window
        return [*range(0, last, self._step), last]

    def count_tokens(self, texts: Sequence[str]) -> np.ndarray:
        """Return the tokens of n whole texts, special ones included, int64 (n,); slow for long texts."""
        if self.pair:
            counts = np.array(list(map(len, self._tokenize(_texts_of(texts)))), dtype=np.int64)
            totals: np.ndarray = counts.reshape(-1, 2).sum(axis=1) + self.num_special
            return totals
        return np.array([len(ids) + self.num_special for ids in self._tokenize(texts)], dtype=np.int64)

    def _keep_tails(self, texts: Sequence[str], encoded: list[list[int]], truncated: np.ndarray) -> None:
        """Replace the later part of each truncated text with the end of the text."""
        head = self._room - self._tail
        for index in np.flatnonzero(truncated).tolist():
            ids, _ = self._grow(texts[index], suffix_of)
            encoded[index] = [*encoded[index][:head], *ids[-self._tail :]]

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        return [e.ids for e in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def _grow(self, text: str, part_of: Part) -> tuple[list[int], bool]:
        """Return more than _room tokens from one end of a text, or all of them, and whether some must be dropped."""
        text = text.strip() if self._ignores_blanks else text
        most = _MAX_CHARS_PER_TOKEN * self.most_tokens
        within = text if len(text) <= most else (text[:most] if part_of is prefix_of else text[-most:])
        factor = 2
        while True:
            part, is_whole = part_of(within, factor * self.chars_looked_at)
            ids = self._tokenize([part])[0]
            if is_whole or len(ids) > self._room:
                return ids, len(ids) > self._room or len(within) < len(text)
            factor *= 2


def _require_kind(texts: Sequence[str], *, is_paired: bool) -> None:
    if any(isinstance(text, TextPair) is not is_paired for text in texts):
        wanted, other = ("text pairs", "a single text") if is_paired else ("single texts", "a text pair")
        raise ValueError(f"the encoder is for {wanted}, and not for {other}")


def _require_room(room: int, max_length: int) -> None:
    if room < _LEAST_OF_PAIR:
        raise UserError(
            f"max_seq_length={max_length} leaves no room for two texts beside the tokenizer's special tokens.",
            f"Set max_seq_length to {max_length - room + _LEAST_OF_PAIR} or more.",
        )


def _texts_of(pairs: Sequence[Any]) -> list[str]:
    """Return both texts of each TextPair, one after the other."""
    return [text for pair in pairs for text in (pair.first, pair.second)]
