"""What is refused before it reaches the application: requests that are not proper HTTP/1.1, each for one reason."""

import dataclasses
import json
import re
from typing import Any

from gunicorn.http import errors

from bert_classifier.serving.model.pending import ended_error

_HOST = re.compile(
    r"(\[[0-9A-Fa-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(:[0-9]*)?", re.ASCII
)  # RFC 3986; empty is valid


class NoHostError(errors.ParseException):  # type: ignore[misc] # gunicorn has no type information
    """A request of HTTP/1.1 without a Host header."""


class InvalidHostError(errors.ParseException):  # type: ignore[misc] # gunicorn has no type information
    """A Host header that is no name or address with or without a port."""


class SlowHeadError(errors.ParseException):  # type: ignore[misc] # gunicorn has no type information
    """A head that is not complete in time."""


@dataclasses.dataclass(frozen=True)
class Refusal:
    """The answer to such a request; nothing in it comes from the request."""

    status: str
    code: str
    error: str
    headers: str = ""

    @property
    def body(self) -> bytes:
        """The answer's body."""
        return json.dumps({"error": self.error, "code": self.code}).encode()

    @property
    def answer(self) -> bytes:
        """The whole answer."""
        head = (
            f"HTTP/1.1 {self.status}\r\nContent-Type: application/json\r\nConnection: close\r\n{self.headers}"
        )
        return f"{head}Content-Length: {len(self.body)}\r\n\r\n".encode() + self.body


def check_head(request: Any) -> None:
    """Refuse what gunicorn's parser lets through.

    Raises:
        ParseException: for a transfer coding that nobody would decode, and for a missing or an invalid Host.
    """
    codings = {value.strip().lower() for name, value in request.headers if name == "TRANSFER-ENCODING"}
    if codings - {"chunked"}:  # such as "gzip, chunked"
        raise errors.UnsupportedTransferCoding("only chunked")
    hosts = [value for name, value in request.headers if name == "HOST"]  # the parser refuses a second one
    if not hosts and request.version >= (1, 1):
        raise NoHostError
    if not all(map(_HOST.fullmatch, hosts)):
        raise InvalidHostError


def _bad(code: str, error: str) -> Refusal:
    return Refusal("400 Bad Request", code, error)


_OF_TYPE: tuple[tuple[type[Exception], Refusal], ...] = (
    (
        errors.LimitRequestLine,
        Refusal("414 URI Too Long", "uri_too_long", "The URL is too long. Send texts in the body."),
    ),
    (
        errors.LimitRequestHeaders,
        Refusal(
            "431 Request Header Fields Too Large",
            "request_header_fields_too_large",
            "The headers are too long or too many. Send at most 100, of at most 8,190 bytes each.",
        ),
    ),
    (
        errors.UnsupportedTransferCoding,
        Refusal(
            "501 Not Implemented",
            "unsupported_transfer_encoding",
            "The Transfer-Encoding header names something other than chunked. Send the body uncompressed.",
        ),
    ),
    (
        errors.ExpectationFailed,
        Refusal(
            "417 Expectation Failed",
            "expectation_failed",
            "The Expect header is something other than 100-continue. Leave it out.",
        ),
    ),
    (
        SlowHeadError,
        Refusal(
            "408 Request Timeout", "head_too_slow", "The head of the request came too slowly. Try again."
        ),
    ),
    (NoHostError, _bad("no_host", "The request has no Host header, which HTTP/1.1 requires.")),
    (
        InvalidHostError,
        _bad("bad_host", "The Host header is not a host name or an address."),
    ),
    (
        errors.InvalidRequestMethod,
        _bad(
            "bad_method",
            "The method of the request is none that HTTP knows. Write it in capitals, such as POST.",
        ),
    ),
    (
        errors.InvalidHTTPVersion,
        _bad("bad_http_version", "The request is in another version of HTTP. Send HTTP/1.1."),
    ),
    (
        errors.InvalidRequestLine,
        _bad(
            "bad_request_line",
            "The request does not begin with a line of HTTP/1.1. Send plain HTTP, without TLS.",
        ),
    ),
    (errors.ObsoleteFolding, _bad("folded_header", "A header is folded. Send each header in one line.")),
    (
        errors.InvalidHeaderName,
        _bad("bad_header", "The name of a header has a character that is not allowed in it."),
    ),
)
_OF_HEADER = {
    "HOST": _bad("bad_host", "The request has several Host headers. Send one."),
    "CONTENT-TYPE": _bad("bad_content_type", "The request has several Content-Type headers. Send one."),
    "CONTENT-LENGTH": _bad("bad_content_length", "The Content-Length header is not one whole number."),
    "TRANSFER-ENCODING": _bad(
        "bad_transfer_encoding", "The Transfer-Encoding header may only be chunked, once, and in HTTP/1.1."
    ),
}
_TWO_LENGTHS = _bad(
    "bad_content_length", "The request has Content-Length and Transfer-Encoding headers. Send one of the two."
)
_BAD_HEADER = _bad(
    "bad_header", "A line of the headers has no colon, a control character, or no carriage return at its end."
)
_BAD_REQUEST = _bad("bad_request", "The request is not proper HTTP/1.1.")
FAILED = Refusal("500 Internal Server Error", "internal_error", "The server failed on this connection.")
_ENDED = ended_error()
ENDED = Refusal("503 Service Unavailable", _ENDED.code, str(_ENDED), "Retry-After: 5\r\n")
CODES = sorted(
    {refusal.code for _, refusal in _OF_TYPE}
    | {refusal.code for refusal in (*_OF_HEADER.values(), _BAD_HEADER, _BAD_REQUEST, FAILED, ENDED)}
)


def refusal_of(error: Exception) -> Refusal:
    """Return the answer to a request at which the parser, or what is below the application, failed."""
    if isinstance(error, errors.InvalidResponseHeader | errors.InvalidResponseHeaderName):
        return FAILED  # the application's mistake
    if isinstance(error, errors.InvalidHeader):
        return _of_header(error)
    rest = _BAD_REQUEST if isinstance(error, errors.ParseException) else FAILED
    return next((refusal for kind, refusal in _OF_TYPE if isinstance(error, kind)), rest)


def _of_header(error: errors.InvalidHeader) -> Refusal:
    """Tell headers apart by the name that the parser gives; a line without a name is given whole."""
    names = [name for name, _ in error.req.headers] if error.req is not None else []
    if error.hdr == "CONTENT-LENGTH" and "TRANSFER-ENCODING" in names:
        return _TWO_LENGTHS
    return _OF_HEADER.get(error.hdr, _BAD_HEADER)
