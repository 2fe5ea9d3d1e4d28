"""A text of two parts, which goes wherever a text goes.

Standard library only.
"""

from typing import Self

SEPARATOR = "\x1f"  # U+001F, the unit separator
LONGEST_FIRST, ONLY_SECOND = "longest_first", "only_second"  # ways to cut pairs


def is_half(text: str) -> bool:
    """Return whether a text is a pair of which one text is empty."""
    return isinstance(text, TextPair) and not all(map(str.strip, text.split(SEPARATOR)))


class TextPair(str):
    """Two texts as one string, with SEPARATOR between them; equal, sorted and stored as that string.

    Args:
        first: what comes first, such as a premise, a question or a query.
        second: what it is read with. In both, SEPARATOR becomes a blank.
    """

    __slots__ = ()

    def __new__(cls, first: str, second: str) -> Self:
        """Return the pair."""
        parts = (part.replace(SEPARATOR, " ") for part in (first, second))
        return super().__new__(cls, SEPARATOR.join(parts))

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        """Return what copies and pickles are made of."""
        return self.first, self.second

    def __repr__(self) -> str:
        return f"TextPair({self.first!r}, {self.second!r})"

    @classmethod
    def parse(cls, raw: str) -> Self:
        """Return the pair with this value.

        Raises:
            ValueError: when it has no SEPARATOR.
        """
        first, found, second = raw.partition(SEPARATOR)
        if not found:
            raise ValueError("a text without a separator is no pair")
        return cls(first, second)

    @property
    def first(self) -> str:
        """The first text."""
        return self.partition(SEPARATOR)[0]

    @property
    def second(self) -> str:
        """The second text."""
        return self.partition(SEPARATOR)[2]
