"""Lists of labels that programs write into one cell, as text.

Standard library only.
"""

import re
from collections.abc import Collection
from typing import Any

from bert_classifier.data.records import parse_json

_WITHOUT_ITEMS = frozenset({"set()", "frozenset()", "()"})  # as Python writes them
_FROZEN = re.compile(r"frozenset\((\{.*\})\)", re.DOTALL)
_TUPLE = re.compile(r"\((.*?)(,?)\)", re.DOTALL)
_NUMBERS_OF_TUPLE = re.compile(r"[0-9]++(?:,\s*+[0-9]++)*+")
_TAG = re.compile(r"<([^<>/\s][^<>\s]*+)>")
_TAGS = re.compile(rf"(?:{_TAG.pattern})++")
# A list in brackets, Postgres' array in braces, Label Studio's {"choices": […]}.
_BRACKETED = re.compile(r"\s*[\[{](.*)[\]}]\s*", re.DOTALL)
_QUOTED = r"""(?:"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+')"""
# Python puts commas between them, NumPy blanks only.
_ALL_QUOTED = re.compile(
    rf"\s*+{_QUOTED}(?:\s*+,\s*+{_QUOTED})*+\s*+|\s*+{_QUOTED}(?:\s++{_QUOTED})*+\s*+", re.DOTALL
)
_ONE_QUOTED = re.compile(_QUOTED, re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NUMBERS = re.compile(r"\s*+[0-9]++(?:\s++[0-9]++)*+\s*+")
_BARE = re.compile(r"""[^"'\[\]{}]*+""")


def list_in(cell: str) -> list[Any] | None:
    """Return the items of a list that a cell holds as text, None if it holds none that is plain.

    Plain are JSON's ["a", "b"], Python's ['a', 'b'] and [1, 2], its sets and tuples, NumPy's ['a' 'b'] and [1 2],
    PostgreSQL's {a,"b c"}, Label Studio's {"choices": ["a", "b"]}, and Stack Overflow's <a><b>.
    """
    cell = cell.strip()
    if cell in _WITHOUT_ITEMS:
        return []
    if cell.startswith("<"):
        return _TAG.findall(cell) if _TAGS.fullmatch(cell) else None
    if cell.startswith("("):
        return _items_of_tuple(cell)
    if frozen := _FROZEN.fullmatch(cell):
        cell = frozen[1]
    match = _BRACKETED.fullmatch(cell)
    if match is None:
        return None
    try:
        value = parse_json(cell)
    except ValueError:
        return _items_between(match[1])
    if isinstance(value, dict):
        value = value.get("choices") if {*value} == {"choices"} else None if value else []
    return value if isinstance(value, list) else None


def _items_of_tuple(cell: str) -> list[Any] | None:
    """Return the strings, each quoted, or the numbers of a tuple; what only stands in parentheses is none."""
    match = _TUPLE.fullmatch(cell)
    if match is None:
        return None
    items = _items_between(match[1]) if _ALL_QUOTED.fullmatch(match[1]) else None
    if _NUMBERS_OF_TUPLE.fullmatch(match[1]):
        items = re.findall("[0-9]+", match[1])
    return items if items and (match[2] or len(items) > 1) else None


def _items_between(inner: str) -> list[Any] | None:
    """Return the items of a list that is not JSON."""
    if not inner.strip():
        return []
    if _ALL_QUOTED.fullmatch(inner):
        return [_ESCAPED.sub(r"\1", quoted[1:-1]) for quoted in _ONE_QUOTED.findall(inner)]
    if _NUMBERS.fullmatch(inner):
        return inner.split()
    if "," in inner and '"' in inner:
        return _mixed(inner)
    if "," in inner and _BARE.fullmatch(inner):
        items = [item.strip() for item in inner.split(",")]
        return items if all(items) else None
    alone = inner.strip()
    return [alone] if _BARE.fullmatch(alone) and len(alone.split()) == 1 else None


def _mixed(inner: str) -> list[Any] | None:
    """Return PostgreSQL's items, of which only those with blanks and the like are quoted."""
    rest = _ONE_QUOTED.sub("", inner)
    if not _BARE.fullmatch(rest):
        return None
    items = re.findall(rf"{_QUOTED}|[^,]+", inner, re.DOTALL)
    found = [_ESCAPED.sub(r"\1", item[1:-1]) if item[:1] == '"' else item.strip() for item in items]
    return found if all(found) and len(found) == rest.count(",") + 1 else None


def is_several(value: Any, classes: Collection[str] = ()) -> bool:
    """Return whether a value is a list of several labels, or holds one as text and is none of the known classes."""
    items = value
    if isinstance(value, str):
        items = None if value in classes else list_in(value)
    return (
        isinstance(items, list)
        and len(items) > 1
        and not any(isinstance(item, list | dict) for item in items)
    )
