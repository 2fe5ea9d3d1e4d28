"""The content of a file, and what its lines tell of its kind."""

import gzip
import io
import itertools
import json
import zlib
from pathlib import Path
from typing import Any

from bert_classifier.drift.capture import is_captured
from bert_classifier.errors import UserError, cannot_read

_LINES_LOOKED_AT = 20
_CAPTURED_LINE, _NUMPY = b'{"captureData"', b"\x93NUMPY"


def content_of(path: Path) -> bytes:
    """Return a file's content, unpacked, without a byte order mark.

    Raises:
        ContainerError: when it cannot be read, or is binary.
    """
    try:
        body = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        failure = error if isinstance(error, OSError) else OSError(str(error))
        raise cannot_read(path, failure, "Name another file.") from error
    if b"\0" in body and not body.startswith(_NUMPY):
        raise UserError(f"{path} is no text in UTF-8: it has null bytes.", "Name a text file in UTF-8.")
    return body.removeprefix(b"\xef\xbb\xbf")


def holds_captured(body: bytes) -> bool:
    """Return whether any line is one of Data Capture, even if others are damaged."""
    if b'"captureData"' not in body:
        return False
    lines = (line for line in body.split(b"\n") if b'"captureData"' in line)
    return any(
        line.lstrip().startswith(_CAPTURED_LINE) or is_captured(_value(line))
        for line in itertools.islice(lines, _LINES_LOOKED_AT)
    )


def first_values(body: bytes) -> list[Any]:
    """Return the JSON values of the first lines that hold one."""
    lines = itertools.islice(filter(bytes.strip, io.BytesIO(body)), _LINES_LOOKED_AT)
    return [value for value in map(_value, lines) if value is not None]


def _value(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
