"""SageMaker's Data Capture: a request and its answer per line of JSON Lines.

    {"captureData": {"endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": "…",
    "encoding": "CSV"}, "endpointOutput": {…, "mode": "OUTPUT"}}, "eventMetadata": {"eventId": "…",
    "inferenceTime": "2026-01-31T12:00:00Z"}, "eventVersion": "0"}

CSV and JSON stand in `data` as text, everything else in base64. One of the two sides may be left out. (SageMaker
Developer Guide, "Capture data from real-time endpoint".)
"""

import base64
import binascii
import dataclasses
import datetime
from typing import Any

from bert_classifier.data.records import parse_json

CAPTURED = "captureData"
_AS_TEXT = ("CSV", "JSON", "TEXT")


@dataclasses.dataclass(frozen=True)
class Body:
    """The body of a request or of an answer.

    Attributes:
        content_type: its header, as it was sent.
    """

    content_type: str
    data: bytes


@dataclasses.dataclass(frozen=True)
class Exchange:
    """A request and its answer; what was not captured is None."""

    request: Body | None
    answer: Body | None
    moment: datetime.datetime | None = None


class UnreadableError(ValueError):
    """Something that cannot be read; its words are the reason."""


def is_captured(value: Any) -> bool:
    """Return whether a line's JSON value is one of Data Capture."""
    return isinstance(value, dict) and CAPTURED in value


def exchange_of(line: str) -> Exchange:
    """Return what a line holds.

    Raises:
        UnreadableError: when it is not as SageMaker writes it.
    """
    try:
        value = parse_json(line)
    except ValueError:
        raise UnreadableError("the line is not JSON: it may be cut off") from None
    captured = value.get(CAPTURED) if isinstance(value, dict) else None
    if not isinstance(captured, dict):
        raise UnreadableError("the line has no captureData")
    request, answer = (_body(captured.get(name)) for name in ("endpointInput", "endpointOutput"))
    if request is None and answer is None:
        raise UnreadableError("the line has neither endpointInput nor endpointOutput")
    return Exchange(request, answer, _moment(value))


def _body(side: Any) -> Body | None:
    if not isinstance(side, dict) or side.get("data") is None:
        return None
    data, encoding = side["data"], str(side.get("encoding", ""))
    if not isinstance(data, str):
        raise UnreadableError("the captured data are no string")
    content_type = str(side.get("observedContentType") or "")
    if encoding in _AS_TEXT:
        return Body(content_type, data.encode("utf-8", "surrogatepass"))
    if encoding != "BASE64":
        raise UnreadableError("the encoding is none of CSV, JSON and BASE64")
    try:
        return Body(content_type, base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        raise UnreadableError("the captured data are not base64") from None


def _moment(value: dict[str, Any]) -> datetime.datetime | None:
    metadata = value.get("eventMetadata")
    found = metadata.get("inferenceTime") if isinstance(metadata, dict) else None
    try:
        moment = datetime.datetime.fromisoformat(str(found))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
