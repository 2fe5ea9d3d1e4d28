"""Lines of fastText's training files: `__label__NAME text`.

Standard library only.
"""

import re

MARK = "__label__"
_LABELS = re.compile(r"(?:__label__\S*+(?:\s++|\Z))*+")


def split_labels(line: str) -> tuple[list[str], str]:
    """Return the labels at the begin of a line, and the text behind them without surrounding blanks."""
    line = line.strip()
    text = _LABELS.sub("", line, count=1)
    labels = line[: len(line) - len(text)].split()
    return [label.removeprefix(MARK) for label in labels], text
