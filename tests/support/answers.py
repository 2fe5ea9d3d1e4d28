"""What every answer of the server has to be like, whatever was asked."""

import csv
import io
import json
from typing import Any

import numpy as np

JSON = "application/json"


def check_error(media_type: str, body: bytes) -> None:
    """Assert that an error is JSON with a sentence and a code."""
    assert media_type == JSON
    error = json.loads(body)
    assert error.keys() >= {"error", "code"}
    assert error["error"].endswith((".", "?"))


def check_answer(media_type: str, body: bytes) -> None:
    """Assert that an answer with 200 can be read by a strict reader of its type, to its end."""
    if media_type == JSON:
        _check_json(json.loads(body, parse_constant=_refuse))
    elif media_type in (
        "application/jsonlines",
        "application/x-jsonlines",
        "application/x-ndjson",
        "application/jsonl",
    ):
        for line in body.decode().split("\n") if body else ():
            _check_json(json.loads(line, parse_constant=_refuse))
    elif media_type == "text/csv":
        rows = list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))
        assert len({len(row) for row in rows}) <= 1, "every row has as many cells"
    elif media_type == "application/x-npy":
        array = np.load(io.BytesIO(body), allow_pickle=False)
        assert (array.dtype, array.ndim) == (np.dtype("float64"), 2)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _check_json(value: Any) -> None:
    """Assert that an error in the place of a record has its code."""
    if isinstance(value, list):
        for item in value:
            _check_json(item)
    elif isinstance(value, dict) and "error" in value:
        assert value.keys() == {"error", "code"}
