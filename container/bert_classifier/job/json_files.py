"""Read JSON objects from files, with errors that carry a remedy; write them atomically."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bert_classifier.errors import UserError, cannot_read
from bert_classifier.job.atomic_io import write_durably


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write an indented JSON object atomically."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_durably(path, [f"{text}\n".encode()])


def json_kind(value: object) -> str:
    """Return what a value is in JSON's words, such as "a number"; the name of the type where JSON has none."""
    kinds = {dict: "an object", list: "a list", int: "a number", float: "a number", bool: "true or false"}
    return "null" if value is None else kinds.get(type(value), type(value).__name__)


def read_object(path: Path, remedy: str, *, is_optional: bool = False) -> dict[str, Any]:
    """Return the JSON object in a file; a byte order mark is dropped.

    Args:
        is_optional: whether an absent file counts as an empty object.
    Raises:
        UserError: with this remedy, when the file is missing or holds no object.
        PlatformError: when disk or permissions prevent reading it.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        if is_optional and isinstance(error, FileNotFoundError):
            return {}
        raise cannot_read(path, error, remedy) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON: {error}.", remedy) from error
    if not isinstance(value, dict):
        raise UserError(f"{path} holds a JSON {type(value).__name__} instead of an object.", remedy)
    return value
