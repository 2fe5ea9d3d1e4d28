"""An answer of the server in JSON as lines for people: a line per text, whichever fields and classes were asked for."""

import json
from collections.abc import Sequence
from typing import Any


def lines_of(answer: str, *, is_one: bool = False) -> list[str]:
    """Return a line per record: score and class, the most likely first, or its error; none for any other answer.

    Args:
        is_one: whether a single text was sent, whose classes may be a list of their own.
    """
    try:
        found = json.loads(answer)
    except ValueError:
        return []
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list) or not all(isinstance(record, dict | list) for record in found):
        return []
    is_flat = is_one and len(found) > 1 and all(isinstance(record, dict) for record in found)
    return [_line(record) for record in ([found] if is_flat else found)]


def _line(record: dict[str, Any] | list[Any]) -> str:
    return "   ".join(map(_shown, record if isinstance(record, list) else [record]))


def _shown(answer: Any) -> str:
    if not isinstance(answer, dict):
        return json.dumps(answer, ensure_ascii=False)
    if answer.get("error"):
        return f"–      {answer['error']} ({answer.get('code', '')})"
    if _has_labels(answer):
        return "   ".join(map(_shown, answer["labels"])) or "–      no label"
    if "label" not in answer:
        return _fields(answer)
    label = answer["label"]
    unsure = " (unsure)" if answer.get("unsure") or label is None else ""
    return f"{answer.get('score', 0):.4f} {label if label is not None else '–'}{unsure}"


def _has_labels(answer: dict[str, Any]) -> bool:
    """Return whether this is the answer of a model that gives a text several labels, each with its score."""
    labels = answer.get("labels")
    return isinstance(labels, list) and all(isinstance(label, dict) for label in labels)


def _fields(answer: dict[str, Any]) -> str:
    """Return the fields of an answer as SageMaker's own containers name them, or of any other."""
    return "   ".join(f"{name}: {_value(value)}" for name, value in answer.items() if value is not None)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list):
        return _listed(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(_value, values))
