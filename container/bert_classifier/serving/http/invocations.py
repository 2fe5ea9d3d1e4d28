"""POST /invocations: admit, read, decode, classify, encode."""

import select
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol

from flask import Response, request

from bert_classifier.data.text_columns import FixedColumns
from bert_classifier.data.text_fields import TextFields
from bert_classifier.errors import RequestError
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving import memory
from bert_classifier.serving.http import answers, codec, media_types
from bert_classifier.serving.http.accept import of_accept
from bert_classifier.serving.http.admission import Admission, Budget
from bert_classifier.serving.http.answer_bodies import ResponseFormat, encode, is_unsure, labels_over
from bert_classifier.serving.http.body_records import Record, RecordError
from bert_classifier.serving.http.csv_form import CsvForm
from bert_classifier.serving.http.lean_flask import Answer
from bert_classifier.serving.http.observation import OBSERVATION, Observation
from bert_classifier.serving.http.pair_records import SEND_PAIRS
from bert_classifier.serving.http.parameters import Wanted, check_threshold
from bert_classifier.serving.http.query import Nesting, Query
from bert_classifier.serving.http.request_body import read_body, refuse_encoded_body
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.facts import ModelFacts
from bert_classifier.serving.model.pending import Pending, timeout_error

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from bert_classifier.serving.model.predictor import Prediction  # it loads torch

LEAST_BODIES_BYTES = 128 * 2**20  # for all bodies in progress; more only if a single one may be larger
_NO_TOKEN = RecordError("the text is empty: the tokenizer finds nothing in its characters")
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
    facts: ModelFacts
    thresholds: Sequence[float] | None

    @property
    def is_ready(self) -> bool:
        """Whether requests are answered."""

    def fail(self, problem: str) -> None:
        """Answer no more requests."""

    def submit(self, texts: Sequence[str], deadline: float) -> Pending["Prediction"]:
        """Queue texts for classification."""


def refuse_if_not_ready(service: Service) -> None:
    """Raise 503 unless the model is ready."""
    if not service.is_ready:
        raise RequestError(503, "not_ready", "The model is not ready.", "Try again in a moment.")


class Invocations:
    """Classifies the records of requests, within the limits on concurrent requests and bytes."""

    def __init__(self, service: Service, config: ServeConfig, metrics: Metrics) -> None:
        self._service = service
        self._config = config
        self._metrics = metrics
        self._wanted = Wanted.by_settings(config)
        self._requests = Budget(config.serving_max_concurrent_requests)
        self._body_bytes = Budget(max(LEAST_BODIES_BYTES, config.max_body_bytes))

    def answer(self) -> Response:
        """Answer Flask's current request.

        The request counts as in progress until the response has been written, so that clients that do not read it
        cannot hold more threads than are admitted.
        """
        deadline = time.monotonic() + self._config.sagemaker_model_server_timeout
        environ = request.environ  # read faster than request's properties
        observed: Observation = environ[OBSERVATION]
        observed.enter("body")
        refuse_encoded_body(environ.get("HTTP_CONTENT_ENCODING", ""))
        request_type = media_types.of_content_type(environ.get("CONTENT_TYPE"))
        observed.type_in = request_type.name
        answer_type = of_accept(environ.get("HTTP_ACCEPT"), request_type.name, self._config)
        wanted = answer_type.wanted and answer_type.wanted.beside(self._wanted, is_setting=True)
        _refuse_query(environ)
        self.refuse_if_not_ready()
        check_threshold(answer_type.wanted, self._service.facts)
        admission = Admission(self._requests, self._body_bytes).enter()
        self._metrics.note_in_flight(1)
        try:
            body = read_body(environ, self._config.max_body_bytes, deadline, admission)
            observed.enter("decode")
            is_setting = wanted is None or answer_type.is_setting
            wanted = wanted or self._wanted
            query = self._decode(request_type, body).beside(wanted, is_setting=is_setting)
            observed.csv = query.understood or None
            del body
            results = self._classify(query.records, deadline, observed)
            if len(results) == 1 and not self._config.sagemaker_batch:  # a file fails for none of its records
                _refuse_lone_error(results[0], query.nesting, is_paired=self._service.fields.is_paired)
            began = time.monotonic()
            observed.enter("encode", began)
            response_format = self._format(wanted, has_header=answer_type.has_header)
            text = encode(results, query, response_format, answer_type.name)
            self._metrics.observe_stage("encode", time.monotonic() - began)
            # Without parameters, since SDKs compare the whole value.
            response = Answer(text, content_type=answer_type.name)
        except BaseException:
            self._leave(admission)
            raise
        response.call_on_close(lambda: self._leave(admission))
        return response

    def _format(self, wanted: Wanted, *, has_header: bool) -> ResponseFormat:
        service = self._service
        return ResponseFormat(service.labels, wanted, service.abstain_below, has_header, service.thresholds)

    def _decode(self, request_type: media_types.RequestType, body: bytes) -> Query:
        service = self._service
        form = CsvForm.of(
            request_type.header,
            service.labels,
            is_part=self._config.sagemaker_batch,
            fields=service.fields,
            columns=service.csv_columns,
        )
        decoded = request_type.decoded(body)
        return codec.decode(request_type.name, decoded, self._config.serving_max_records, form, service.facts)

    def _leave(self, admission: Admission) -> None:
        admission.release()
        self._metrics.note_in_flight(-1)

    def refuse_if_not_ready(self) -> None:
        """Raise 503 unless the model is ready."""
        refuse_if_not_ready(self._service)

    def _classify(
        self, records: Sequence[Record], deadline: float, observed: Observation
    ) -> "list[Prediction | RecordError]":
        """Return each record's prediction or error, waiting until `deadline` at most."""
        texts = [record for record in records if isinstance(record, str)]
        observed.note_records(len(records), errors=len(records) - len(texts))
        predictions = iter(self._predictions(texts, deadline, observed) if texts else ())
        self._metrics.note_records("refused", len(records) - len(texts))
        return [next(predictions) if isinstance(record, str) else record for record in records]

    def _predictions(
        self, texts: Sequence[str], deadline: float, observed: Observation
    ) -> "list[Prediction | RecordError]":
        results = self._results(texts, deadline, observed)
        failures = [result for result in results if isinstance(result, Exception)]
        empty = sum(_is_empty(result) for result in results)
        unsure = sum(self._is_unsure(result) for result in results)
        truncated = sum(not isinstance(result, Exception) and result.truncated for result in results)
        observed.note_results(len(failures) + empty, truncated, unsure)
        self._note_labels(results, observed)
        self._metrics.note_records("failed", len(failures))
        self._metrics.note_records("refused", empty)
        self._metrics.note_records("abstained", unsure)
        self._metrics.note_records("classified", len(results) - len(failures) - empty - unsure)
        if failures and memory.has_run_out(failures[0]):
            raise failures[0]
        if failures:
            cause = f"the model failed on this text (id {answers.log_bug(failures[0])})"
            failed = RecordError(cause, "internal_error")
            results = [failed if isinstance(result, Exception) else result for result in results]
        return [_NO_TOKEN if _is_empty(result) else result for result in results]

    def _note_labels(self, results: "Sequence[Prediction | Exception]", observed: Observation) -> None:
        """Count the labels that each text gets by the model's own thresholds, if it may get several."""
        limits = self._service.thresholds
        if limits is None:
            return
        least = min(limits)
        counts = [
            len(labels_over(result, limits, least))
            for result in results
            if not isinstance(result, Exception) and not result.is_empty
        ]
        observed.note_labels(sum(counts), unlabelled=counts.count(0))
        self._metrics.observe_labels(counts)

    def _results(self, texts: Sequence[str], deadline: float, observed: Observation) -> list[Any]:
        observed.enter("queue")
        pending = self._service.submit(texts, deadline)
        try:
            return _wait_for(pending, deadline)
        finally:
            if pending.taken_at is not None:
                observed.enter("classify", pending.taken_at)

    def _is_unsure(self, result: "Prediction | Exception") -> bool:
        if isinstance(result, Exception) or result.is_empty:
            return False
        return is_unsure(result, self._service.abstain_below)


def _refuse_lone_error(result: "Prediction | RecordError", nesting: Nesting, *, is_paired: bool) -> None:
    """Refuse a request for one text that cannot be classified: in a list, the error would stand in its place.

    Raises:
        RequestError: 400.
    """
    if nesting != "list" and isinstance(result, RecordError):
        cause = f"{result.error[:1].upper()}{result.error[1:]}."
        remedy = f"The model reads pairs of texts: {SEND_PAIRS}." if is_paired else "Send a text."
        raise RequestError(400, result.code, cause, remedy)


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


def _refuse_query(environ: "WSGIEnvironment") -> None:
    if environ.get("QUERY_STRING"):
        raise RequestError(
            400,
            "bad_request",
            "The URL has a query string, which is not supported.",
            'Put parameters into the body: {"inputs": "a text", "parameters": {"top_k": 3}}.',
        )
