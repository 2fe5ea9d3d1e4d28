"""The server's Prometheus metrics. No name or label contains data of a request, and none is created by one.

One process serves, so that one answer of /metrics holds all counts. They begin at 0 when the worker is replaced.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from bert_classifier import __version__
from bert_classifier.serving import refusals

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LABELS = (0, 1, 2, 3, 5, 10, 20, 50, 100)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
CUTS = (
    "slow_head",
    "slow_answer",
    "made_room",
    "client_left",
    "bug",
)  # reasons for closing a connection midway
STAGES = ("queue", "tokenise", "model", "encode")
OUTCOMES = ("classified", "abstained", "refused", "failed")  # of records
OTHER = "other"
ROUTES = ("/invocations", "/ping", "/metrics", "/execution-parameters", "/", "/model", OTHER)
STATUSES = ("2xx", "4xx", "429", "5xx")
# Of answers that refuse a request, and of records where a lone one makes the request fail.
CODES = (
    "bad_csv", "bad_encoding", "bad_json", "bad_npy", "bad_parameters", "bad_record", "bad_request", "body_too_large",
    "body_too_slow", "broken_body", "caller_left", "internal_error", "method_not_allowed",
    "multi_model_unsupported", "not_acceptable", "not_found", "not_ready", "one_text", "overloaded", "second_text",
    "timeout", "too_many_records", "unsupported_charset", "unsupported_encoding", "unsupported_media_type",
    OTHER,
)  # fmt: skip
_OPENMETRICS = "application/openmetrics-text"


class Metrics:
    """The metrics of one worker process, all initialised at the start."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # bert_start_time_seconds says it for all
        self._registry = CollectorRegistry()
        own: Any = {"registry": self._registry, "namespace": "bert"}
        self._requests = Counter(
            "requests", "Requests answered, by HTTP status; like all counts, 0 when the worker is replaced.",
            ["code"], **own,
        )  # fmt: skip
        self._request_seconds = Histogram(
            "request_seconds", "Seconds from a request's first byte until its answer is handed over.",
            ["route", "status"], buckets=_SECONDS, **own,
        )  # fmt: skip
        self._refusals = Counter(
            "refusals", "Requests refused by the application, by error code.", ["code"], **own
        )
        self._parser_refusals = Counter(
            "parser_refusals", "Requests refused because they were not proper HTTP.", ["reason"], **own
        )
        self._records = Counter("records", "Records of answered requests, by outcome.", ["outcome"], **own)
        self._seconds = Histogram(
            "stage_seconds", "Seconds a request (queue, encode) or a pass (tokenise, model) spent in a stage.",
            ["stage"], buckets=_SECONDS, **own,
        )  # fmt: skip
        self._texts = Histogram("pass_texts", "Texts predicted together.", buckets=_TEXTS, **own)
        self._tokens = Counter("tokens", "Tokens computed: of texts, or padding.", ["kind"], **own)
        self._in_flight = Gauge("requests_in_flight", "Requests to /invocations under way.", **own)
        self._cut = Counter(
            "connections_cut", "Connections closed amid request or answer.", ["reason"], **own
        )
        self._ready = Gauge("ready", "1 while requests are answered, else 0.", **own)
        self._began = Gauge("start_time_seconds", "Unix time at which this worker began to count.", **own)
        self._labels: Histogram | None = None
        self._model = Info("model", "The model that is served.", **own)
        self._initialise()

    def _initialise(self) -> None:
        for counter, labels in (
            (self._cut, CUTS),
            (self._refusals, CODES),
            (self._parser_refusals, refusals.CODES),
        ):
            for label in labels:
                counter.labels(label)
        # labels() takes longer than all else here.
        self._requests_of: dict[int, Counter] = {}
        self._stage_of = {stage: self._seconds.labels(stage) for stage in STAGES}
        self._tokens_of = {kind: self._tokens.labels(kind) for kind in ("text", "padding")}
        self._outcome_of = {outcome: self._records.labels(outcome) for outcome in OUTCOMES}
        self._seconds_of = {
            (route, status): self._request_seconds.labels(route, status)
            for route in ROUTES[:2]  # the others appear when they are asked for
            for status in STATUSES
        }

    def follow(self, is_ready: Callable[[], bool]) -> None:
        """Begin to count, in the worker, and report what `is_ready` says."""
        self._began.set(time.time())
        self._ready.set_function(is_ready)

    def note_model(self, encoder: str, classes: int, precision: str) -> None:
        """Say what is served: the family of the encoder, the number of classes, the arithmetic."""
        about = {"encoder": encoder, "classes": str(classes), "precision": precision, "version": __version__}
        self._model.info(about)

    def count_labels(self) -> Histogram:
        """Begin to count the labels of each text, which only some models give."""
        self._labels = self._labels or Histogram(
            "labels", "Labels that a text got by the model's thresholds.",
            buckets=_LABELS, registry=self._registry, namespace="bert",
        )  # fmt: skip
        return self._labels

    def observe_labels(self, counts: Sequence[int]) -> None:
        """Record how many labels each text got."""
        histogram = self.count_labels()
        for count in counts:
            histogram.observe(count)

    def observe_stage(self, stage: str, seconds: float) -> None:
        """Record the duration of one of STAGES."""
        self._stage_of[stage].observe(seconds)

    def observe_request(self, route: str, status: int, seconds: float) -> None:
        """Record how long an answer took; a route that is none of ROUTES counts as other."""
        key = (route if route in ROUTES else OTHER, _status_class(status))
        if key not in self._seconds_of:
            self._seconds_of[key] = self._request_seconds.labels(*key)
        self._seconds_of[key].observe(seconds)

    def note_pass(self, texts: int, tokens: int, padded_tokens: int) -> None:
        """Record a pass; `padded_tokens` includes padding."""
        self._texts.observe(texts)
        self._tokens_of["text"].inc(tokens)
        if padded_tokens > tokens:
            self._tokens_of["padding"].inc(padded_tokens - tokens)

    def note_request(self, status: int) -> None:
        """Count an answer."""
        if status not in self._requests_of:
            self._requests_of[status] = self._requests.labels(str(status))
        self._requests_of[status].inc()

    def note_refusal(self, code: str) -> None:
        """Count an answer that refuses a request, by its error code."""
        self._refusals.labels(code if code in CODES else OTHER).inc()

    def note_parser_refusal(self, reason: str) -> None:
        """Count a request that never reached the application, for one of refusals.CODES."""
        self._parser_refusals.labels(reason).inc()

    def note_records(self, outcome: str, count: int) -> None:
        """Count records by outcome: classified, abstained, refused (invalid) or failed (in the model)."""
        if count:
            self._outcome_of[outcome].inc(count)

    def note_cut(self, reason: str) -> None:
        """Count a connection that was closed for one of CUTS."""
        self._cut.labels(reason).inc()

    def note_in_flight(self, change: int) -> None:
        """Record that a request begins (1) or ends (-1)."""
        self._in_flight.inc(change)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return all metrics and their media type: OpenMetrics where the Accept header names it, else text 0.0.4.

        The header itself does not go to prometheus_client, which fails on some of its versions.
        """
        ranges = (item.partition(";")[0].strip().lower() for item in accept.split(","))
        encode, media_type = choose_encoder(_OPENMETRICS if _OPENMETRICS in ranges else "")
        return encode(self._registry), media_type


def _status_class(status: int) -> str:
    if status == 429:
        return "429"
    return "5xx" if status >= 500 else "4xx" if status >= 400 else "2xx"
