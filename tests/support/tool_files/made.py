"""Made-up letters with labels, and what a tool's file of them should become."""

import csv
import dataclasses
import io
import json
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

NAMES = ("complaint", "praise", "question")
NUMBER_OF = {name: str(number) for number, name in enumerate(NAMES)}
Labels = str | tuple[str, ...]  # several of a text: sorted
Pairs = Sequence[tuple[Labels, str]]

_WORDS = (
    "my order came two weeks late and the blue cup inside was cracked but your colleague on the phone sent another "
    "without asking so we are happy now will there be more of them before summer or should I look elsewhere"
)
# What letters hold that a delimiter, a quote or an encoding can go wrong with.
_ODD = (
    "{}.",
    "{}, again, and again.",
    'They said "{}" and left.',
    "{}; or is it | that?",
    "First: {}.\nSecond: nothing.",
    "{} für 5 £, café 🙂 日本.",
    "It's #1 & {}?",
    '3 of 4 times, "{}", they wrote',
)


def _letters(rows: int) -> list[tuple[str, str]]:
    random_ = random.Random(7)
    words = (" ".join(random_.choices(_WORDS.split(), k=random_.randint(6, 14))) for _ in range(rows))
    return [(NAMES[i % 3], _ODD[i % len(_ODD)].format(text)) for i, text in enumerate(words)]


LETTERS = _letters(24)  # (label, text)
# The same without line breaks; in characters that every code page has; and without anything odd.
ONE_LINE = [(label, text.replace("\n", " ")) for label, text in LETTERS]
ASCII = [(label, text.encode("ascii", "ignore").decode()) for label, text in LETTERS]
WESTERN = [(label, text.encode("cp1252", "ignore").decode("cp1252")) for label, text in LETTERS]
PLAIN = [(label, " ".join(re.sub(r"[^\w\s]", "", text).split())) for label, text in ASCII]


@dataclasses.dataclass(frozen=True)
class ToolFile:
    """What a tool wrote, and what should become of it.

    Attributes:
        key: its name in tests and in the table of forms.
        files: contents by file name, as they lie in the train channel.
        outcome: "either": read right or refused, but never read wrong.
        pairs: (label, text), or (labels, text), of each row that is read, in order.
        says: what the message of a refusal must hold.
        settings: hyperparameters given.
    """

    key: str
    files: Mapping[str, bytes]
    outcome: Literal["read", "refused", "either"]
    pairs: tuple[tuple[Labels, str], ...] = ()
    says: tuple[str, ...] = ()
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)


Content = str | bytes | Mapping[str, bytes]


def read(key: str, name: str, content: Content, pairs: Pairs = LETTERS, **settings: str) -> ToolFile:
    """Return a file that must be read, as these pairs."""
    return ToolFile(key, _files(name, content), "read", tuple(pairs), settings=settings)


def refused(key: str, name: str, content: Content, *says: str, **settings: str) -> ToolFile:
    """Return a file that must be refused, in words that hold these."""
    return ToolFile(key, _files(name, content), "refused", says=says, settings=settings)


def either(
    key: str, name: str, content: Content, *says: str, pairs: Pairs = LETTERS, **settings: str
) -> ToolFile:
    """Return a file that may be read as these pairs, or be refused in words that hold these."""
    return ToolFile(key, _files(name, content), "either", tuple(pairs), says, settings)


def _files(name: str, content: Content) -> Mapping[str, bytes]:
    if isinstance(content, Mapping):
        return content
    return {name: content.encode() if isinstance(content, str) else content}


def texts_first(pairs: Sequence[tuple[str, str]] = LETTERS) -> list[list[str]]:
    """Return rows of text, label."""
    return [[text, label] for label, text in pairs]


def labels_first(pairs: Sequence[tuple[str, str]] = LETTERS) -> list[list[str]]:
    """Return rows of label, text."""
    return [[label, text] for label, text in pairs]


def renamed(pairs: Sequence[tuple[str, str]], names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the pairs with other labels."""
    return [(names[label], text) for label, text in pairs]


def numbered(rows: Iterable[Sequence[str]], start: int = 0) -> list[list[str]]:
    """Return the rows with their number before them."""
    return [[str(number), *row] for number, row in enumerate(rows, start)]


def table(
    header: str,
    rows: Iterable[Sequence[Any]],
    *,
    delimiter: str = ",",
    end: str = "\n",
    quote: Literal[0, 1, 2, 3] = 0,
) -> str:
    """Return rows as CSV.

    Args:
        header: the names of the columns with commas between; "" for no header.
        quote: as the csv module names it: minimal, all, or whatever is no number.
    """
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quote)
    if header:
        writer.writerow(header.split(","))
    writer.writerows(rows)
    return file.getvalue()


def unquoted(header: str, rows: Iterable[Sequence[str]], *, delimiter: str = "\t", end: str = "\n") -> str:
    """Return rows whose cells are never quoted."""
    lines = [*([header.split(",")] if header else []), *rows]
    return "".join(delimiter.join(cells) + end for cells in lines)


def compact(value: Any, *, ascii_only: bool = False) -> str:
    """Return JSON without blanks."""
    return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))


def objects(rows: Iterable[Mapping[str, Any]], *, ascii_only: bool = False) -> str:
    """Return JSON Lines."""
    return "".join(compact(row, ascii_only=ascii_only) + "\n" for row in rows)


def as_objects(pairs: Pairs = LETTERS, text: str = "text", label: str = "label") -> list[dict[str, Any]]:
    """Return an object of text and label for each pair."""
    return [{text: words, label: name} for name, words in pairs]


def write_files(folder: Path, case: ToolFile) -> None:
    """Write a tool's files into a folder."""
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
