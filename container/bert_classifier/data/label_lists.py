"""Lists of labels that programs write into one cell, as text.

Standard library only.
"""

import re
from typing import Any

from bert_classifier.data.records import parse_json

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

    Plain are JSON's ["a", "b"], Python's ['a', 'b'] and [1, 2], NumPy's ['a' 'b'] and [1 2], PostgreSQL's {a,"b c"},
    and Label Studio's {"choices": ["a", "b"]}.
    """
    if cell.strip() == "set()":  # as Python writes the set without items
        return []
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


def is_several(value: Any) -> bool:
    """Return whether a value is a list of several labels, or holds one as text."""
    items = list_in(value) if isinstance(value, str) else value
    return (
        isinstance(items, list)
        and len(items) > 1
        and not any(isinstance(item, list | dict) for item in items)
    )
