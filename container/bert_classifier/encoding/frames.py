"""The frames of texts and text pairs: the special tokens and types that a tokenizer gives, and how pairs are cut."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Self

from tokenizers import Encoding, Tokenizer

from bert_classifier.errors import UserError

_OTHER = "Use an encoder whose tokenizer was made for pairs, or join the two texts into one."


def special_ids(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Return the ids that the model expects before and after a text, such as [CLS] and [SEP].

    Raises:
        UserError: when the tokenizer finds a token in no word of its vocabulary.
    """
    for text in _words(tokenizer):
        encoded = tokenizer.encode(text, add_special_tokens=True)
        inner = [i for i, special in enumerate(encoded.special_tokens_mask) if not special]
        if inner:
            return encoded.ids[: inner[0]], encoded.ids[inner[-1] + 1 :]
    raise _no_token()


def _words(tokenizer: Tokenizer) -> Iterator[str]:
    yield "a"
    yield from tokenizer.get_vocab()  # some know no Latin letter, and drop it


def _no_token() -> UserError:
    return UserError(
        "The tokenizer finds no token in any word of its own vocabulary.",
        "Give the tokenizer that the model was trained with.",
    )


@dataclasses.dataclass(frozen=True)
class PairFrame:
    """What stands around two texts.

    Attributes:
        prefix: ids before the first text.
        middle: ids between both.
        suffix: ids behind the second text.
        types_from: where in `middle` token type 1 begins, 0 to its length; None: all tokens are of type 0.
    """

    prefix: list[int]
    middle: list[int]
    suffix: list[int]
    types_from: int | None

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Self:
        """Return the frame that a tokenizer's own post-processor gives.

        Raises:
            UserError: when the second text comes first, or types are not 0 up to some token and 1 from there on.
        """
        encoded = _encoded_pair(_uncut(tokenizer))
        first, second = ([i for i, n in enumerate(encoded.sequence_ids) if n == text] for text in (0, 1))
        if first[-1] > second[0]:
            raise UserError("The tokenizer puts the second text of a pair before the first.", _OTHER)
        ids = encoded.ids
        middle = ids[first[-1] + 1 : second[0]]
        types_from = _types_from(encoded.type_ids, first[-1] + 1, len(middle))
        return cls(ids[: first[0]], middle, ids[second[-1] + 1 :], types_from)

    @property
    def size(self) -> int:
        """Number of special tokens."""
        return len(self.prefix) + len(self.middle) + len(self.suffix)

    def around(self, first: list[int], second: list[int]) -> itertools.chain[int]:
        """Return the tokens of a pair."""
        return itertools.chain(self.prefix, first, self.middle, second, self.suffix)


def _uncut(tokenizer: Tokenizer) -> Tokenizer:
    """Return the tokenizer without padding and truncation of its own, such as sentence encoders' to 128 tokens."""
    if tokenizer.padding is None and tokenizer.truncation is None:
        return tokenizer
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_padding()
    copy.no_truncation()
    return copy


def _encoded_pair(tokenizer: Tokenizer) -> Encoding:
    for text in _words(tokenizer):
        encoded = tokenizer.encode(text, text)
        if {0, 1} <= {*encoded.sequence_ids}:
            return encoded
    raise _no_token()


def _types_from(types: list[int], begin: int, size: int) -> int | None:
    """Return where type 1 begins in what stands between two texts, from token `begin` on.

    Raises:
        UserError: when it begins elsewhere, or there are other types.
    """
    if not any(types):
        return None
    start = types.index(1) if 1 in types else -1
    if not begin <= start <= begin + size or types != [0] * start + [1] * (len(types) - start):
        raise UserError(
            "The tokenizer gives a text pair other token types than 0 for the first text and 1 for the second.",
            _OTHER,
        )
    return start - begin


def longest_first(first: int, second: int, room: int, *, is_first_longer: bool) -> tuple[int, int]:
    """Return how many tokens are kept of two texts: the longer one is cut until both fit or are equally long.

    That is the rule of the tokenizers library (truncate_encodings), which transformers' truncation=True follows. Of an
    odd room, the longer text gets the odd token, of equally long ones the second.

    Args:
        first: tokens of the first text; more than `room` may be any number of them.
        second: likewise.
        room: for both.
        is_first_longer: whether the first has more tokens; only asked where both have more than `room`.
    """
    if first + second <= room:
        return first, second
    is_swapped = is_first_longer if min(first, second) > room else first > second
    shorter = min(first, second)
    if shorter <= room // 2:
        shorter, longer = shorter, room - shorter
    else:
        shorter, longer = room // 2, room - room // 2
    return (longer, shorter) if is_swapped else (shorter, longer)


def only_second(first: int, second: int, room: int) -> tuple[int, int]:
    """Return how many tokens are kept of two texts: the second is cut; the first too where it alone is too long."""
    kept = min(first, room)
    return kept, min(second, room - kept)
