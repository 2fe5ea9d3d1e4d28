"""How labels are spelt: which of them may mean the same class, or several classes at once."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence

from bert_classifier.data.doctor.texts import normalised
from bert_classifier.data.label_lists import list_in
from bert_classifier.job.settings import nearest

_SEPARATORS = re.compile(r"[\s_-]+")
_BETWEEN_LETTERS = re.compile(r"(?<=[^\W\d_]) (?=[^\W\d_])")
_WHOLE_FLOAT = re.compile(r"([+-]?[0-9]{1,18})\.0{1,18}")
_BARS, _OTHERS = "|;", "/+&#"
_DECIMAL = re.compile(r"[+-]?[0-9]+,([0-9])")
_MOST_HINTS = 20  # labels; comparing one with every class takes long
_MOST_COMPARED = 5000  # classes


def is_number(label: str) -> bool:
    """Return whether a label is a whole number in ASCII digits, such as 7 or 007."""
    return label.isascii() and label.isdigit() and len(label) < 10


def without_fraction(label: str) -> str | None:
    """Return the whole number that is written as a float, such as 1 for 1.0; None for any other label."""
    match = _WHOLE_FLOAT.fullmatch(label)
    return match[1] if match else None


def spelling_key(label: str) -> str:
    """Return what labels share that differ in case, blanks, "_", "-" or Unicode form (NFKC) only.

    Signs before and after count (A is not A-, 1 is not -1), and so do separators next to a digit (1-0 is not 10).
    """
    plain = normalised(label)
    if not plain.isascii():
        plain = "".join(c for c in plain if unicodedata.category(c) != "Cf")  # invisible, such as U+200B
    number = without_fraction(plain)
    if number is not None:
        return number
    inner = plain[1:-1]
    if not _SEPARATORS.search(inner):
        return plain
    return _BETWEEN_LETTERS.sub("", f"{plain[0]}{_SEPARATORS.sub(' ', inner)}{plain[-1]}")


def alike(labels: Iterable[str]) -> list[list[str]]:
    """Return the groups of labels with the same spelling_key, in the order of their first one."""
    groups: dict[str, list[str]] = {}
    for label in labels:
        groups.setdefault(spelling_key(label), []).append(label)
    return [group for group in groups.values() if len(group) > 1]


class NearestClass:
    """Finds the class that a label which is none may mean.

    Args:
        names: of the classes.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._by_key: Mapping[str, str] | None = None
        self._found: dict[str, str | None] = {}

    def of(self, label: str) -> str | None:
        """Return the class that is spelt most like the label, or None; always the same for one label."""
        if label in self._found:
            return self._found[label]
        if len(self._found) >= _MOST_HINTS:
            return None
        if self._by_key is None:
            self._by_key = {spelling_key(name): name for name in reversed(self._names)}
        match = self._by_key.get(spelling_key(label))
        if match is None and len(self._names) <= _MOST_COMPARED and not is_number(label):
            match = nearest(label, self._names)
        self._found[label] = match
        return match


def items_of(label: str) -> list[str]:
    """Return the items of a label that is a list, such as ['joy', 'fear']; none for any other label."""
    return [*map(str, list_in(label) or ())]


def joined(labels: Sequence[str]) -> list[str]:
    """Return the labels that look like several classes in one.

    These are lists of several items, parts between , / + & or # that are all labels themselves, and parts between |
    or ; of which one is a label itself or stands at different positions. So are at least two labels of words that are
    all labels themselves.
    """
    names = {*labels}
    parts_of_bars = {label.strip(f"{_BARS} ") for label in labels} | _parts_at_several_positions(labels)
    words = [label for label in labels if _are_all_in(names, _parts(label, " "))]
    by_blanks = {*words} if len(words) > 1 else set()
    marks = _OTHERS if _has_decimal_comma(labels) else f",{_OTHERS}"
    return [
        label
        for label in labels
        if label in by_blanks
        or len(items_of(label)) > 1
        or any(not parts_of_bars.isdisjoint(_parts(label, mark)) for mark in _BARS)
        or any(_are_all_in(names, _parts(label, mark)) for mark in marks)
    ]


def joining_mark(labels: Sequence[str]) -> str:
    """Return the sign that stands between the parts of most of these joined labels; "" where they are lists."""
    counts = {mark: sum(bool(_parts(label, mark)) for label in labels) for mark in f"{_BARS},{_OTHERS}"}
    mark = max(counts, key=lambda each: counts[each])
    if not counts[mark]:  # words, since a blank may stand beside any other sign
        mark, counts[" "] = " ", sum(bool(_parts(label, " ")) for label in labels)
    return mark if counts[mark] and not any(len(items_of(label)) > 1 for label in labels) else ""


def _has_decimal_comma(labels: Sequence[str]) -> bool:
    """Return whether commas begin a fraction, of one digit as in 1,5 and 2,0: numbers of classes would vary."""
    found = [_DECIMAL.fullmatch(label) for label in labels if "," in label]
    fractions = {match[1] for match in found if match}
    return all(found) and (len(fractions) == 1 or fractions <= {"0", "5"})


def _are_all_in(names: Collection[str], parts: Sequence[str]) -> bool:
    return bool(parts) and all(part in names for part in parts)


def _parts(label: str, mark: str) -> list[str]:
    """Return the parts of a label between the marks, if there are several."""
    parts = [part.strip() for part in label.split(mark) if part.strip()] if mark in label else []
    return parts if len(parts) > 1 else []


def _parts_at_several_positions(labels: Iterable[str]) -> set[str]:
    first: dict[str, int] = {}
    several = set()
    for label in labels:
        for mark in _BARS:
            for position, part in enumerate(_parts(label, mark)):
                if first.setdefault(part, position) != position:
                    several.add(part)
    return several
