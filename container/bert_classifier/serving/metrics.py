"""The server's Prometheus metrics. No name or label contains data of a request."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from bert_classifier.serving import refusals

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
CUTS = ("slow_head", "slow_answer", "bug")  # reasons for closing a connection midway
STAGES = ("queue", "tokenise", "model", "encode")


class Metrics:
    """The metrics of one worker process, all initialised at the start."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        own: Any = {"registry": self._registry, "namespace": "bert"}
        self._requests = Counter("requests", "Requests answered, by HTTP status.", ["code"], **own)
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
        self._refused = Counter(
            "parser_refusals", "Requests that were not proper HTTP, by error code.", ["reason"], **own
        )
        for code in refusals.CODES:
            self._refused.labels(code)
        for reason in CUTS:
            self._cut.labels(reason)
        for stage in STAGES:
            self._seconds.labels(stage)
        for outcome in ("classified", "abstained", "refused", "failed"):
            self._records.labels(outcome)
        for kind in ("text", "padding"):
            self._tokens.labels(kind)

    def observe_stage(self, stage: str, seconds: float) -> None:
        """Record the duration of one of STAGES."""
        self._seconds.labels(stage).observe(seconds)

    def note_pass(self, texts: int, tokens: int, padded_tokens: int) -> None:
        """Record a pass; `padded_tokens` includes padding."""
        self._texts.observe(texts)
        self._tokens.labels("text").inc(tokens)
        self._tokens.labels("padding").inc(padded_tokens - tokens)

    def note_request(self, status: int) -> None:
        """Count an answer."""
        self._requests.labels(str(status)).inc()

    def note_parser_refusal(self, code: str) -> None:
        """Count a request that never reached the application, by one of refusals.CODES."""
        self._refused.labels(code).inc()

    def note_records(self, outcome: str, count: int) -> None:
        """Count records by outcome: classified, abstained, refused (invalid) or failed (in the model)."""
        self._records.labels(outcome).inc(count)

    def note_cut(self, reason: str) -> None:
        """Count a connection that was closed for one of CUTS."""
        self._cut.labels(reason).inc()

    def note_in_flight(self, change: int) -> None:
        """Record that a request begins (1) or ends (-1)."""
        self._in_flight.inc(change)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
