"""POST /invocations: admit, read, decode, classify, encode."""

import contextlib
import select
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol

from flask import Response, request
from gunicorn.http.errors import ParseException

from bert_classifier.data.as_trained import TextFields
from bert_classifier.data.text_columns import FixedColumns
from bert_classifier.errors import RequestError
from bert_classifier.job.config import ServeConfig
from bert_classifier.serving.http import answers, codec, media_types
from bert_classifier.serving.http.admission import Admission, Budget
from bert_classifier.serving.http.body_records import Record, RecordError
from bert_classifier.serving.http.csv_form import CsvForm
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.batcher import timeout_error
from bert_classifier.serving.timed_socket import BODY_S, BYTES_PER_S, TooSlowError

if TYPE_CHECKING:
    from bert_classifier.serving.model.predictor import Prediction  # it loads torch

LEAST_BODIES_BYTES = 128 * 2**20  # for all bodies in progress; more only if a single one may be larger
_NO_TOKEN = RecordError("the text is empty: the tokenizer finds nothing in its characters")
_CHUNK = 2**20
_LOOK_AFTER_CALLER_S = 0.25
# A caller that has shut down its sending side counts as gone: HTTP clients do not half-close.
_HAS_LEFT = select.POLLRDHUP | select.POLLHUP | select.POLLERR | select.POLLNVAL


class Service(Protocol):
    """What the HTTP side needs of the model; implemented by ModelService."""

    labels: Sequence[str]
    abstain_below: float
    fields: TextFields
    about: Mapping[str, Any]
    csv_columns: FixedColumns | None

    @property
    def is_ready(self) -> bool:
        """Whether requests are answered."""

    def submit(self, texts: Sequence[str], deadline: float) -> "Future[list[Prediction | Exception]]":
        """Queue texts for classification."""


class Invocations:
    """Classifies the records of requests, within the limits on concurrent requests and bytes."""

    def __init__(self, service: Service, config: ServeConfig, metrics: Metrics) -> None:
        self._service = service
        self._config = config
        self._metrics = metrics
        self._requests = Budget(config.serving_max_concurrent_requests)
        self._body_bytes = Budget(max(LEAST_BODIES_BYTES, config.max_body_bytes))

    def answer(self) -> Response:
        """Answer Flask's current request.

        The request counts as in progress until the response has been written, so that clients that do not read it
        cannot hold more threads than are admitted.
        """
        deadline = time.monotonic() + self._config.sagemaker_model_server_timeout
        _refuse_encoded_body()
        content_type = request.headers.get("Content-Type")
        request_type = media_types.of_content_type(content_type)
        response_type = media_types.of_answer(request.headers.get("Accept"), request_type)
        _refuse_query()
        csv_header = media_types.csv_header_of(content_type)
        self.refuse_if_not_ready()
        admission = Admission(self._requests, self._body_bytes).enter()
        self._metrics.note_in_flight(1)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self._leave, admission)
            body = _read_body(self._config.max_body_bytes, deadline, admission)
            service, is_part = self._service, self._config.sagemaker_batch
            form = CsvForm.of(
                csv_header,
                service.labels,
                is_part=is_part,
                fields=service.fields,
                columns=service.csv_columns,
            )
            query = codec.decode(request_type, body, self._config.serving_max_records, form)
            del body
            results = self._classify(query.records, deadline)
            began = time.monotonic()
            response_format = codec.ResponseFormat(
                self._service.labels, query.top_k, self._service.abstain_below
            )
            text = codec.encode(results, response_format, response_type)
            self._metrics.observe_stage("encode", time.monotonic() - began)
            response = Response(
                text, content_type=response_type
            )  # without parameters: SDKs compare the whole value
            response.call_on_close(on_failure.pop_all().close)
        return response

    def _leave(self, admission: Admission) -> None:
        admission.release()
        self._metrics.note_in_flight(-1)

    def refuse_if_not_ready(self) -> None:
        """Raise 503 unless the model is ready."""
        if not self._service.is_ready:
            raise RequestError(503, "not_ready", "The model is not ready.", "Try again in a moment.")

    def _classify(self, records: Sequence[Record], deadline: float) -> "list[Prediction | RecordError]":
        """Return each record's prediction or error, waiting until `deadline` at most."""
        texts = [record for record in records if isinstance(record, str)]
        predictions = iter(self._predictions(texts, deadline) if texts else ())
        self._metrics.note_records("refused", len(records) - len(texts))
        return [next(predictions) if isinstance(record, str) else record for record in records]

    def _predictions(self, texts: Sequence[str], deadline: float) -> "list[Prediction | RecordError]":
        results = _wait_for(self._service.submit(texts, deadline), deadline)
        failures = [result for result in results if isinstance(result, Exception)]
        empty = sum(_is_empty(result) for result in results)
        unsure = sum(self._is_unsure(result) for result in results)
        self._metrics.note_records("failed", len(failures))
        self._metrics.note_records("refused", empty)
        self._metrics.note_records("abstained", unsure)
        self._metrics.note_records("classified", len(results) - len(failures) - empty - unsure)
        if failures:
            cause = f"the model failed on this text (id {answers.log_bug(failures[0])})"
            failed = RecordError(cause, "internal_error")
            results = [failed if isinstance(result, Exception) else result for result in results]
        return [_NO_TOKEN if _is_empty(result) else result for result in results]

    def _is_unsure(self, result: "Prediction | Exception") -> bool:
        if isinstance(result, Exception) or result.is_empty:
            return False
        return codec.is_unsure(result, self._service.abstain_below)


def _is_empty(result: "Prediction | RecordError | Exception") -> bool:
    return not isinstance(result, RecordError | Exception) and result.is_empty


def _wait_for(future: "Future[Any]", deadline: float) -> "list[Any]":
    """Return the future's results; give up at the deadline or if the caller has left."""
    while True:
        left = deadline - time.monotonic()
        try:
            return future.result(max(0.0, min(left, _LOOK_AFTER_CALLER_S)))  # type: ignore[no-any-return]
        except TimeoutError:
            if left <= 0:  # the batcher knows the deadline too, and drops the request
                raise timeout_error() from None
            if _caller_has_left():
                future.cancel()
                raise RequestError(499, "caller_left", "The caller has closed the connection.") from None


def _caller_has_left() -> bool:
    sock = request.environ.get("gunicorn.socket")
    if sock is None:  # another server, or a test's client
        return False
    poll = select.poll()
    poll.register(sock, _HAS_LEFT)
    return bool(poll.poll(0))


def _refuse_query() -> None:
    if request.query_string:
        raise RequestError(
            400,
            "bad_request",
            "The URL has a query string, which is not supported.",
            'Put parameters into the body: {"inputs": "a text", "parameters": {"top_k": 3}}.',
        )


def _refuse_encoded_body() -> None:
    codings = request.headers.get("Content-Encoding", "").lower().split(",")
    if any(coding.strip() not in ("", "identity") for coding in codings):
        raise RequestError(
            415,
            "unsupported_encoding",
            "The body is compressed.",
            "Send it uncompressed, without Content-Encoding.",
        )


def _read_body(max_bytes: int, deadline: float, admission: Admission) -> bytes:
    """Return the whole body; read at most one byte more than `max_bytes`.

    Raises:
        RequestError: 413 when it is longer; 400 when it is incomplete or its chunks are malformed; 408 when it arrives
            too slowly; 429 when there is no memory for it.
    """
    declared = request.content_length
    if declared is None and not request.environ.get("wsgi.input_terminated"):
        return b""
    if declared is not None:
        if declared > max_bytes:
            raise _too_large(max_bytes)
        admission.take_bytes(declared)
    body = b"".join(_chunks(max_bytes, deadline, declared, admission))
    if declared is not None and len(body) < declared:
        raise RequestError(
            400, "broken_body", "The body is shorter than its Content-Length.", "Send it whole."
        )
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    return body


def _too_large(max_bytes: int) -> RequestError:
    return RequestError(
        413, "body_too_large", f"The body is larger than {max_bytes // 2**20} MB.", "Split the request."
    )


def _chunks(max_bytes: int, deadline: float, declared: int | None, admission: Admission) -> Iterator[bytes]:
    """Yield the body as it arrives; take memory for a body of unknown length chunk by chunk."""
    stream, sock = request.environ["wsgi.input"], request.environ.get("gunicorn.socket")
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
            400, "broken_body", "The body could not be read to its end.", "Send it again."
        ) from error
