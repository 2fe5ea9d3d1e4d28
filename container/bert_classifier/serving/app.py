"""The HTTP side: /ping, /invocations, /execution-parameters, and JSON for every error."""

import json
import logging
import re
import secrets
import threading
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Protocol

from flask import Flask, Response, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException

from bert_classifier.config import ServeConfig
from bert_classifier.errors import RequestError
from bert_classifier.serving import codec, media_types
from bert_classifier.serving.batcher import timeout_error
from bert_classifier.serving.body_records import Record, RecordError

if TYPE_CHECKING:
    from bert_classifier.serving.predictor import Prediction  # it loads torch

logger = logging.getLogger(__name__)

MAX_TRANSFORM_MB = 100  # SageMaker's limit for MaxConcurrentTransforms × MaxPayloadInMB
_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_VISIBLE = re.compile(r"[\x20-\x7e]{1,1024}")
_RETRY_AFTER_S = {429: "1", 503: "5"}


class Service(Protocol):
    """What the app asks of the model's side; ModelService is the one."""

    labels: Sequence[str]

    @property
    def is_ready(self) -> bool:
        """Whether requests are answered."""

    def submit(self, texts: Sequence[str], deadline: float) -> "Future[list[Prediction]]":
        """Queue texts for classification."""


def create_app(service: Service, config: ServeConfig) -> Flask:
    """Return the WSGI application that answers for `service`."""
    app = Flask(__name__, static_folder=None)
    invocations = _Invocations(service, config)
    routes = (
        ("/ping", lambda: _ping(service), ["GET", "POST"]),
        ("/invocations", invocations.answer, ["POST"]),
        ("/execution-parameters", lambda: _execution_parameters(config), ["GET"]),
    )
    for path, view, methods in routes:
        app.add_url_rule(path, path, view, methods=methods, provide_automatic_options=False)
    app.register_error_handler(RequestError, _answer_request_error)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_bug)
    app.after_request(_echo_attributes)
    return app


def _ping(service: Service) -> Response:
    if not service.is_ready:
        raise RequestError(503, "not_ready", "The model is not ready.", "Try again in a moment.")
    return Response(status=200, content_type="text/plain")


def _execution_parameters(config: ServeConfig) -> Response:
    """Tell batch transform what to send; no BatchStrategy, which the SDK's local mode spells otherwise."""
    payload_mb = config.max_body_bytes // 2**20
    concurrent = max(1, min(config.serving_max_concurrent_requests, MAX_TRANSFORM_MB // payload_mb))
    return _json_response(200, {"MaxConcurrentTransforms": concurrent, "MaxPayloadInMB": payload_mb})


class _Invocations:
    """Classifies the records of a request, for as many requests at a time as are admitted."""

    def __init__(self, service: Service, config: ServeConfig) -> None:
        self._service = service
        self._config = config
        self._admission = threading.BoundedSemaphore(config.serving_max_concurrent_requests)

    def answer(self) -> Response:
        deadline = time.monotonic() + self._config.sagemaker_model_server_timeout
        _refuse_encoded_body()
        asked_in = media_types.of_content_type(request.headers.get("Content-Type"))
        answered_in = media_types.of_answer(request.headers.get("Accept"), asked_in)
        if not self._admission.acquire(blocking=False):
            raise RequestError(
                429, "overloaded", "Too many requests at the same time.", "Try again in a moment."
            )
        try:
            body = _read_body(self._config.max_body_bytes)
            query = codec.decode(asked_in, body, self._config.serving_max_records)
            answers = self._classify(query.records, deadline)
            text = codec.encode(answers, self._service.labels, answered_in, query.top_k)
        finally:
            self._admission.release()
        return Response(text, content_type=f"{answered_in}; charset=utf-8")

    def _classify(self, records: Sequence[Record], deadline: float) -> "list[Prediction | RecordError]":
        """Return what becomes of each record, waiting for the model until `deadline` at most."""
        if not self._service.is_ready:
            raise RequestError(503, "not_ready", "The model is not ready.", "Try again in a moment.")
        texts = [record for record in records if isinstance(record, str)]
        predictions = iter(self._predictions(texts, deadline) if texts else ())
        return [next(predictions) if isinstance(record, str) else record for record in records]

    def _predictions(self, texts: Sequence[str], deadline: float) -> "list[Prediction]":
        future = self._service.submit(texts, deadline)
        try:
            return future.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:  # the batcher knows the deadline too, and does no more for this request
            raise timeout_error() from None


def _refuse_encoded_body() -> None:
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise RequestError(
            415,
            "unsupported_encoding",
            "The body is compressed.",
            "Send it as it is, without Content-Encoding.",
        )


def _read_body(max_bytes: int) -> bytes:
    """Return the whole body, having read at most `max_bytes` of it and one more.

    Raises:
        RequestError: 413 when it is longer; 400 when it is not whole or its chunks are broken.
    """
    declared = request.content_length
    if declared is None and not request.environ.get("wsgi.input_terminated"):
        return b""
    too_long = RequestError(
        413, "body_too_large", f"The body is larger than {max_bytes // 2**20} MB.", "Split the request."
    )
    if declared is not None and declared > max_bytes:
        raise too_long
    try:
        body: bytes = request.environ["wsgi.input"].read(max_bytes + 1 if declared is None else declared)
    except (OSError, ParseException) as error:
        raise RequestError(400, "broken_body", "The body could not be read to its end.") from error
    if declared is not None and len(body) < declared:
        raise RequestError(400, "broken_body", "The body is shorter than its Content-Length.")
    if len(body) > max_bytes:
        raise too_long
    return body


def _json_response(status: int, value: object) -> Response:
    return Response(json.dumps(value, ensure_ascii=False), status, content_type="application/json")


def _error_response(status: int, code: str, message: str, **more: str) -> Response:
    response = _json_response(status, {"error": message, "code": code, **more})
    if status in _RETRY_AFTER_S:
        response.headers["Retry-After"] = _RETRY_AFTER_S[status]
    return response


def _answer_request_error(error: RequestError) -> Response:
    return _error_response(error.status, error.code, str(error))


def _answer_http_error(error: HTTPException) -> Response:
    """Answer what Flask found wrong, such as a path or a method that is not there."""
    status = error.code or 500
    name = error.name.lower()
    response = _error_response(
        status, name.replace(" ", "_"), f"Nothing is served under this path and method ({name})."
    )
    if allowed := getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _answer_bug(error: Exception) -> Response:
    """Answer a bug with an id; the log gets id and stack, but no message: it may quote a text."""
    error_id = secrets.token_hex(8)
    stack = "".join(traceback.format_tb(error.__traceback__))
    logger.error("request failed: id=%s %s\n%s", error_id, type(error).__name__, stack)
    message = "The server failed on this request; the reason is in its log under this id."
    return _error_response(500, "internal_error", message, id=error_id)


def _echo_attributes(response: Response) -> Response:
    """Return the caller's own attributes if SageMaker allows them: at most 1,024 visible ASCII characters."""
    attributes = request.headers.get(_ATTRIBUTES, "")
    if _VISIBLE.fullmatch(attributes):
        response.headers[_ATTRIBUTES] = attributes
    return response
