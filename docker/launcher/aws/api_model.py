"""Values of a request checked against botocore's own model of the API: names, types, ranges, patterns, values.

botocore itself checks names, types and lower limits, and only when the request is sent.
"""

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import Shape

from bert_classifier.job.settings import nearest

_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "structure": ((Mapping,), "an object"),  # type: ignore[dict-item, unused-ignore]
    "map": ((Mapping,), "an object"),  # type: ignore[dict-item, unused-ignore]
    "list": ((list, tuple), "a list"),
    "string": ((str,), "a text"),
    "boolean": ((bool,), "true or false"),
    "integer": ((int,), "a whole number"),
    "long": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "double": ((int, float), "a number"),
    "timestamp": ((str, int, float, datetime.datetime), "a time"),
}
_LONGEST_ECHO = 60  # characters of a wrong value in a message
# Java's names of Unicode's classes, which Python's patterns do not have, inside brackets.
_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": " \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000",
}


def mistakes(shape: Shape, value: object, path: str = "", *, whole: bool = True) -> Iterator[str]:
    """Yield what is wrong with a value, each as `PATH …`.

    Args:
        shape: botocore's, of the whole request or a part.
        path: of the value in the request, such as ResourceConfig.InstanceCount; "" for the request.
        whole: whether fields that the API requires must be there.
    """
    types, kind = _KINDS.get(shape.type_name, ((object,), ""))
    if not isinstance(value, types) or (
        isinstance(value, bool) and bool not in types and object not in types
    ):
        yield f"{path or 'the request'} is {_as_json(value)}, not {kind}"
    elif shape.type_name == "structure":
        yield from _of_structure(shape, value, path, whole=whole)
    elif shape.type_name == "list":
        yield from _of_size(shape, value, path, "items")
        for index, one in enumerate(value):  # type: ignore[arg-type, var-annotated]
            yield from mistakes(shape.member, one, f"{path}[{index}]")
    elif shape.type_name == "map":
        yield from _of_size(shape, value, path, "entries")
        for name, one in value.items():  # type: ignore[attr-defined]
            yield from mistakes(shape.key, name, f"the name {_as_json(name)} in {path}")
            yield from mistakes(shape.value, one, f"{path}.{name}")
    else:
        yield from _of_scalar(shape, value, path)


def _of_structure(shape: Any, value: Any, path: str, *, whole: bool) -> Iterator[str]:
    prefix = f"{path}." if path else ""
    for name, one in value.items():
        if name in shape.members:
            yield from mistakes(shape.members[name], one, f"{prefix}{name}", whole=whole)
        else:
            close = nearest(name, list(shape.members))
            hint = f", did you mean {close}?" if close else ""
            yield f"there is no field {prefix}{name}{hint}"
    for name in shape.required_members if whole else ():
        if name not in value:
            yield f"{prefix}{name} is missing"


def _of_size(shape: Shape, value: Any, path: str, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", len(value))
    if not least <= len(value) <= most:
        yield f"{path} has {len(value)} {what}, not {least} to {most}"


def _of_scalar(shape: Shape, value: Any, path: str) -> Iterator[str]:
    limits = shape.metadata
    if "enum" in limits and value not in limits["enum"]:
        close = nearest(value, limits["enum"])
        few = f", which is none of {', '.join(limits['enum'])}" if len(limits["enum"]) < 8 else ""
        hint = f", did you mean {close}?" if close else few or ", which the API does not know"
        yield f"{path} is {_as_json(value)}{hint}"
    elif isinstance(value, str):
        yield from _of_size(shape, value, path, "characters")
        if "pattern" in limits and not _matches(limits["pattern"], value):
            yield f"{path} is {_as_json(value)}, which does not match {limits['pattern']}"
    elif not isinstance(value, (bool, datetime.datetime)):
        least, most = limits.get("min", value), limits.get("max", value)
        if not least <= value <= most:
            yield (
                f"{path} is {value}, not {least} to {most}" if "max" in limits else f"{path} is below {least}"
            )


def _matches(pattern: str, value: str) -> bool:
    """Return whether a value matches a pattern of the API; True for a pattern that Python does not understand."""
    for java, python in _CLASSES.items():
        pattern = pattern.replace(java, python)
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        return True


def _as_json(value: object) -> str:
    """Return a value as the file has it, so that "60" and 60 look different."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_ECHO else f"{text[:_LONGEST_ECHO]}…"
