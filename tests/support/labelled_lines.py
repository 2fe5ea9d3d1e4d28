"""Labels and texts, and lines of a file that holds them."""

from collections.abc import Iterable

NAMES = ("billing", "delivery", "praise")
TEXTS = [f"my order number {i} came {i % 7} days late and nobody answers" for i in range(60)]
PAIRS = [(NAMES[i % 3], text) for i, text in enumerate(TEXTS)]


def labelled_lines(form: str, pairs: Iterable[tuple[str, str]] = PAIRS, end: str = "\n") -> str:
    """Return one line per pair, with {label} and {text} filled in."""
    return "".join(form.format(label=label, text=text) + end for label, text in pairs)
