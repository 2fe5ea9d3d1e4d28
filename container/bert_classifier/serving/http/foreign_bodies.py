"""Bodies of rows or lines that hold something else than their Content-Type says."""

import codecs
import re

from bert_classifier.data.records import parse_json
from bert_classifier.errors import RequestError

# The longer mark of UTF-32 first: it begins like UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"
_OF_UTF_16 = "Name the encoding in the Content-Type, such as text/csv; charset=utf-16, or send UTF-8."
_WITHOUT_MARK = re.compile(rb"(?:\0[^\0]){4,}|(?:[^\0]\0){4,}", re.DOTALL)
_LOOKED_AT = 200  # bytes
_JSON_START = re.compile(r"[{[]\s*[\"{[]")
_MOST_LINES = 1000  # that are parsed
_LONGEST_PARSED = 100_000  # characters
_REMEDY = "Send UTF-8 text, such as CSV or JSON Lines."


def refuse_foreign(body: bytes) -> None:
    """Refuse a body that would be answered with an error for each row.

    Raises:
        RequestError: 400 for another encoding, 415 for Parquet and compressed files; the cause names it.
    """
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            remedy = _OF_UTF_16.replace("utf-16", encoding.lower())
            raise RequestError(400, "bad_encoding", f"The body is {encoding}.", remedy)
    begin = body[:_LOOKED_AT]
    if _WITHOUT_MARK.match(begin) and re.search(rb"\w", begin):
        encoding = "utf-16-be" if begin[:1] == b"\0" else "utf-16-le"
        remedy = _OF_UTF_16.replace("utf-16", encoding)
        raise RequestError(400, "bad_encoding", "The body seems to be UTF-16 without a mark.", remedy)
    if body.startswith(_GZIP):
        raise RequestError(415, "unsupported_encoding", "The body is compressed by gzip.", _REMEDY)
    what = "an Excel workbook or another ZIP archive" if body.startswith(_ZIP) else ""
    if body.startswith(_PARQUET) and body[len(_PARQUET) :].endswith(_PARQUET):
        what = "Parquet"
    if what:
        raise RequestError(415, "unsupported_media_type", f"The body is {what}.", _REMEDY)


def refuse_json(body: bytes) -> None:
    """Refuse JSON that was sent as CSV or plain text: its braces would be classified.

    Raises:
        RequestError: 400 if the body, or each of its first lines that are not blank, is a JSON object or array.
    """
    if not body[:_LOOKED_AT].removeprefix(codecs.BOM_UTF8).lstrip().startswith((b"{", b"[")):
        return
    text = body.decode("utf-8-sig", "replace").strip()
    lines = [line for line in map(str.strip, text.split("\n", _MOST_LINES)[:_MOST_LINES]) if line]
    kind = "application/json" if _is_json(text) else ""
    if len(lines) > 1 and all(map(_is_json, lines)):
        kind = "application/jsonlines"
    if kind:
        remedy = f"Send the Content-Type {kind}; if these are texts, put them into a JSON list of strings."
        raise RequestError(
            400, "bad_request", "The body is JSON, but its Content-Type is another one.", remedy
        )


def _is_json(text: str) -> bool:
    """Return whether a text is a JSON object or array, more than numbers; a long one is judged by its ends."""
    if not text.startswith(("{", "[")) or not text.endswith(("}", "]")):
        return False
    if len(text) > _LONGEST_PARSED:
        return bool(_JSON_START.match(text))
    try:
        value = parse_json(text)
    except ValueError:
        return False
    if isinstance(value, dict):
        return bool(value)
    return any(isinstance(part, str | list | dict) for part in value)
