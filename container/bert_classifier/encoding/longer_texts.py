"""Which text of a pair has more tokens, where both have more than the model reads."""

from collections.abc import Callable, Sequence

from bert_classifier.encoding.text_parts import prefix_of

# Characters of a text that are tokenised: times those looked at anyway, or in any case so many.
_MOST, _AT_LEAST = 4, 2048

Tokenize = Callable[[Sequence[str]], Sequence[Sequence[int]]]


def are_first_longer(
    tokenize: Tokenize, pairs: Sequence[Sequence[str]], heads: Sequence[Sequence[int]], limit: int
) -> list[bool]:
    """Return of each pair of texts whether the first one has more tokens.

    Prefixes of both texts grow, each time to twice the characters, until one text has ended and the other is known to
    have more tokens, or not. Where 4 · `limit` characters, or 2,048, do not tell, the text with more characters counts
    as the longer one, so that two such texts may get the odd token of a window otherwise than in transformers.

    Args:
        tokenize: returns the tokens of each text, of all pairs at once.
        heads: of each pair the number of tokens in the first `limit` characters of its texts, or more.
        limit: characters of a text that were tokenised.
    """
    most = max(_MOST * limit, _AT_LEAST)
    found = [len(first) > len(second) for first, second in pairs]
    left: Sequence[int] = range(len(pairs))
    counts = heads
    while True:
        unclear = []
        for index, tokens in zip(left, counts, strict=True):
            verdict = _verdict(tokens, [len(text) <= limit for text in pairs[index]])
            if verdict is None:
                unclear.append(index)
            else:
                found[index] = verdict
        if not unclear or limit >= most:
            return found
        left, limit = unclear, min(2 * limit, most)
        ends = [prefix_of(text, limit)[0] for index in left for text in pairs[index]]
        sizes = list(map(len, tokenize(ends)))
        counts = list(zip(sizes[::2], sizes[1::2], strict=True))


def _verdict(counts: Sequence[int], are_whole: Sequence[bool]) -> bool | None:
    """Return whether the first text has more tokens, given those of both prefixes; None where these leave it open."""
    first, second = counts
    if all(are_whole):
        return first > second
    if are_whole[0] and second >= first:
        return False
    return True if are_whole[1] and first > second else None
