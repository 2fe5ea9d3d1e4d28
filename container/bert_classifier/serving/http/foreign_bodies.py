"""Bodies of rows or lines that are no UTF-8 text at all, by their first bytes."""

import codecs

from bert_classifier.errors import RequestError

# The longer mark of UTF-32 first: it begins like UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"
_REMEDY = "Send UTF-8 text, such as CSV or JSON Lines."


def refuse_foreign(body: bytes) -> None:
    """Refuse a body that would be answered with an error for each row.

    Raises:
        RequestError: 400 for another encoding, 415 for Parquet and compressed files; the cause names it.
    """
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            raise RequestError(400, "bad_encoding", f"The body is {encoding}.", _REMEDY)
    if body.startswith(_GZIP):
        raise RequestError(415, "unsupported_encoding", "The body is compressed by gzip.", _REMEDY)
    what = "an Excel workbook or another ZIP archive" if body.startswith(_ZIP) else ""
    if body.startswith(_PARQUET) and body[len(_PARQUET) :].endswith(_PARQUET):
        what = "Parquet"
    if what:
        raise RequestError(415, "unsupported_media_type", f"The body is {what}.", _REMEDY)
