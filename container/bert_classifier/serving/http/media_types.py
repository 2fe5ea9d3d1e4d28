"""Media types: parse Content-Type, and negotiate the response's type from Accept."""

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_options_header

from bert_classifier.errors import RequestError
from bert_classifier.job.settings import shown

JSON = "application/json"
JSON_LINES = ("application/jsonlines", "application/x-ndjson", "application/jsonl")
CSV = "text/csv"
PLAIN = "text/plain"
READ = (JSON, *JSON_LINES, CSV, PLAIN)
WRITTEN = (JSON, *JSON_LINES, CSV)

_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


def of_content_type(header: str | None) -> str:
    """Return the media type, one of READ, of a Content-Type header.

    Raises:
        RequestError: 415 for another type, a charset other than UTF-8, or no header.
    """
    media_type, parameters = parse_options_header(header)
    media_type = media_type.lower()
    remedy = f"Send one of {', '.join(READ)}, in UTF-8."
    if not media_type:
        raise RequestError(415, "unsupported_media_type", "The request has no Content-Type header.", remedy)
    if media_type not in READ:
        raise RequestError(
            415,
            "unsupported_media_type",
            f"The Content-Type {shown(media_type)} is not supported.",
            remedy,
        )
    if parameters.get("charset", "utf-8").strip().lower() not in _CHARSETS:
        raise RequestError(
            415, "unsupported_charset", "The charset of the Content-Type is not UTF-8.", remedy
        )
    return media_type


def csv_header_of(header: str | None) -> str:
    """Return the `header` parameter of a CSV Content-Type: "present", "absent", or "" without one.

    Raises:
        RequestError: 415 for a value that RFC 4180 does not define.
    """
    value = parse_options_header(header)[1].get("header", "").strip().lower()
    if value not in ("", "present", "absent"):
        raise RequestError(
            415,
            "unsupported_media_type",
            "The header parameter of the Content-Type is neither present nor absent.",
            "Send text/csv; header=absent, text/csv; header=present, or text/csv.",
        )
    return value


def of_answer(accept: str | None, request_type: str) -> str:
    """Return the media type, one of WRITTEN, of the response.

    The client's q-values decide. Among equals, prefer the request's type, then one with a record per line if the
    request had that. But a client that accepts both JSON and CSV by name gets JSON: pandas, for example, would take
    the first line of CSV without a header for a header.

    Args:
        accept: the Accept header, if there is one.
        request_type: the media type of the request.
    Raises:
        RequestError: 406 when the header allows none of them.
    """
    # Ignore parameters other than q, such as a charset: every response is UTF-8.
    accepted = [(item.split(";")[0], quality) for item, quality in parse_accept_header(accept or "*/*")]
    ranges = MIMEAccept(accepted)
    offers = [request_type] if request_type in WRITTEN else []
    offers += WRITTEN if request_type == JSON else [*JSON_LINES, CSV, JSON]
    if {JSON, CSV} <= {item.lower() for item, _quality in accepted}:
        offers.insert(0, JSON)
    best = max(offers, key=ranges.quality)  # the first of several best
    if not ranges.quality(best):
        raise RequestError(
            406,
            "not_acceptable",
            "The Accept header allows none of the formats that the answer can have.",
            f"Accept {', '.join(WRITTEN)}.",
        )
    return best
