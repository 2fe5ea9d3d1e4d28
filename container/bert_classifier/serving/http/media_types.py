"""The media types of requests and answers, and which of them Content-Type and Accept stand for."""

import re

from werkzeug.http import parse_options_header

from bert_classifier.errors import RequestError
from bert_classifier.job.settings import shown

JSON = "application/json"
JSON_LINES = ("application/jsonlines", "application/x-ndjson", "application/jsonl")
CSV = "text/csv"
PLAIN = "text/plain"
READ = (JSON, *JSON_LINES, CSV, PLAIN)
WRITTEN = (JSON, *JSON_LINES, CSV)

_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


def of_content_type(header: str | None) -> str:
    """Return the one of READ that a Content-Type header names.

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
            f"The Content-Type {shown(media_type)} is not one that is read here.",
            remedy,
        )
    if parameters.get("charset", "utf-8").strip().lower() not in _CHARSETS:
        raise RequestError(
            415, "unsupported_charset", "The charset of the Content-Type is not UTF-8.", remedy
        )
    return media_type


def csv_header_of(header: str | None) -> str:
    """Return what a Content-Type says of a CSV's header row: "present", "absent", or "" where it says nothing.

    Raises:
        RequestError: 415 for a value that RFC 4180 does not have.
    """
    told = parse_options_header(header)[1].get("header", "").strip().lower()
    if told not in ("", "present", "absent"):
        raise RequestError(
            415,
            "unsupported_media_type",
            "The header parameter of the Content-Type is neither present nor absent.",
            "Send text/csv; header=absent, text/csv; header=present, or text/csv.",
        )
    return told


def of_answer(accept: str | None, asked_in: str) -> str:
    """Return the one of WRITTEN that answers a request.

    The client's qualities decide. Of several types that it names and likes best it gets JSON before CSV, which has
    no header here: who names both, such as pandas' reader, would take the first answer for one. Else among equals the
    form that came in, then, if that held a record a line, one that does.

    Args:
        accept: the Accept header, if there is one.
        asked_in: the media type of the request.
    Raises:
        RequestError: 406 when the header allows none.
    """
    ranges = _ranges_of(accept or "*/*")
    offers = [asked_in] if asked_in in WRITTEN else []
    offers += WRITTEN if asked_in == JSON else [*JSON_LINES, CSV, JSON]
    if JSON in ranges and CSV in ranges:
        offers.insert(0, JSON)
    best = max(offers, key=lambda offer: _quality_of(offer, ranges))  # the first of several best
    if not _quality_of(best, ranges):
        raise RequestError(
            406, "not_acceptable", "The Accept header allows no answer.", f"Accept {', '.join(WRITTEN)}."
        )
    return best


def _ranges_of(accept: str) -> dict[str, float]:
    """Return the quality of each media range of an Accept header; what is malformed is left out."""
    ranges: dict[str, float] = {}
    for item in accept.split(","):
        media_range, *parameters = (part.strip().lower() for part in item.split(";"))
        quality = next((p[2:].strip() for p in parameters if p.startswith("q=")), "1")
        if media_range.count("/") == 1 and _QUALITY.fullmatch(quality):
            ranges[media_range] = max(float(quality), ranges.get(media_range, 0.0))
    return ranges


def _quality_of(offer: str, ranges: dict[str, float]) -> float:
    """Return the quality by the most specific range that the offer falls in, 0 if it falls in none."""
    for media_range in (offer, offer.split("/")[0] + "/*", "*/*"):
        if media_range in ranges:
            return ranges[media_range]
    return 0.0
