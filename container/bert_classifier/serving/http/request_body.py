"""Read the body of a request, within limits on its size, its rate and the memory of all bodies."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gunicorn.http.errors import ParseException
from werkzeug.sansio.utils import get_content_length

from bert_classifier.errors import RequestError
from bert_classifier.serving.http.admission import Admission
from bert_classifier.serving.timed_socket import BODY_S, BYTES_PER_S, TooSlowError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

BROKEN_BODY = "broken_body"  # after which there is no next request on the connection
_CHUNK = 2**20


def refuse_encoded_body(content_encoding: str) -> None:
    """Raise 415 for a body that is compressed, by its Content-Encoding header."""
    codings = content_encoding.lower().split(",")
    if any(coding.strip() not in ("", "identity") for coding in codings):
        raise RequestError(
            415,
            "unsupported_encoding",
            "The body is compressed.",
            "Send it uncompressed, without Content-Encoding.",
        )


def declared_length(environ: "WSGIEnvironment") -> int | None:
    """Return the length that the head gives of the body; None of one in chunks, and of none."""
    return get_content_length(environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING"))


def read_body(environ: "WSGIEnvironment", max_bytes: int, deadline: float, admission: Admission) -> bytes:
    """Return the whole body of a request; read at most one byte more than `max_bytes`.

    Raises:
        RequestError: 413 when it is longer; 400 when it is incomplete or its chunks are malformed; 408 when it arrives
            too slowly; 429 when there is no memory for it.
    """
    declared = declared_length(environ)
    if declared is None and not environ.get("wsgi.input_terminated"):
        return b""
    if declared is not None:
        if declared > max_bytes:
            raise _too_large(max_bytes)
        admission.take_bytes(declared)
    body = b"".join(_chunks(environ, max_bytes, deadline, declared, admission))
    if declared is not None and len(body) < declared:
        raise RequestError(400, BROKEN_BODY, "The body is shorter than its Content-Length.", "Send it whole.")
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    return body


def _too_large(max_bytes: int) -> RequestError:
    return RequestError(
        413, "body_too_large", f"The body is larger than {max_bytes // 2**20} MB.", "Split the request."
    )


def _chunks(
    environ: "WSGIEnvironment", max_bytes: int, deadline: float, declared: int | None, admission: Admission
) -> Iterator[bytes]:
    """Yield the body as it arrives; take memory for a body of unknown length chunk by chunk."""
    stream, sock = environ["wsgi.input"], environ.get("gunicorn.socket")
    began, left = time.monotonic(), max_bytes + 1 if declared is None else declared
    length = 0
    try:
        while left:
            if sock is not None:
                sock.read_until = min(deadline, began + BODY_S + length / BYTES_PER_S)
            if declared is None:
                admission.take_bytes(min(_CHUNK, left))
            chunk = stream.read(min(_CHUNK, left))
            if not chunk:
                return
            yield chunk
            length, left = length + len(chunk), left - len(chunk)
    except TooSlowError:
        raise RequestError(408, "body_too_slow", "The body came too slowly.", "Try again.") from None
    except (OSError, ParseException) as error:
        raise RequestError(
            400, BROKEN_BODY, "The body could not be read to its end.", "Send it again."
        ) from error
