"""HTTP responses without predictions: errors as JSON, all in one format."""

import json
import logging
import secrets
import traceback

from flask import Response
from werkzeug.exceptions import HTTPException

from bert_classifier.errors import RequestError
from bert_classifier.serving.http import observation
from bert_classifier.serving.http.lean_flask import Answer

logger = logging.getLogger(__name__)

_RETRY_AFTER_S = {429: "1", 503: "5"}


def json_response(status: int, value: object) -> Response:
    """Return a JSON answer."""
    return Answer(json.dumps(value, ensure_ascii=False), status, content_type="application/json")


def _error_response(status: int, code: str, message: str, **more: str) -> Response:
    observation.current().code = code
    response = json_response(status, {"error": message, "code": code, **more})
    if status in _RETRY_AFTER_S:
        response.headers["Retry-After"] = _RETRY_AFTER_S[status]
    return response


def of_request_error(error: RequestError) -> Response:
    """Answer a request that cannot be answered as sent."""
    return _error_response(error.status, error.code, str(error))


def of_http_error(error: HTTPException) -> Response:
    """Answer an HTTP error from Flask, such as an unknown path or method."""
    if bug := getattr(error, "original_exception", None):
        return of_bug(bug)
    status = error.code or 500
    name = error.name.lower()
    response = _error_response(
        status, name.replace(" ", "_"), f"Nothing is served under this path and method ({name})."
    )
    if allowed := getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def of_bug(error: Exception) -> Response:
    """Answer a bug with the id under which log_bug has logged it."""
    message = "The server failed on this request; the reason is in its log under this id."
    return _error_response(500, "internal_error", message, id=log_bug(error))


def log_bug(error: BaseException) -> str:
    """Log an error's kind and stack under a new id and return the id.

    The message is not logged, since it may quote a text. The stack is logged on one line, since log services treat
    each line as a record.
    """
    error_id = secrets.token_hex(8)
    stack = "".join(traceback.format_tb(error.__traceback__))
    logger.error("request failed: id=%s %s\n%s", error_id, type(error).__name__, stack)
    return error_id
