"""The WSGI application: routes, and what all responses have in common."""

import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException

from bert_classifier.errors import RequestError
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving import memory
from bert_classifier.serving.http import access_log, answers
from bert_classifier.serving.http.invocations import Invocations, Service
from bert_classifier.serving.http.lean_flask import Answer, LeanFlask
from bert_classifier.serving.http.observation import OBSERVATION, Observation
from bert_classifier.serving.http.page import Page
from bert_classifier.serving.http.request_body import BROKEN_BODY
from bert_classifier.serving.metrics import Metrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TRANSFORM_MB = 6  # SageMaker's own default
CONCURRENT_TRANSFORMS = 2  # one is transferred while the other is in the model
METRICS_PATH = "/metrics"  # where SageMaker looks for the metrics of a container, unless told otherwise
MULTI_MODEL_PATHS = ("/models", "/models/<path:_name>")
_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_ATTRIBUTES_IN_ENVIRON = "HTTP_X_AMZN_SAGEMAKER_CUSTOM_ATTRIBUTES"
_VISIBLE = re.compile(r"[\x20-\x7e]{1,1024}")
_MOST_TO_DISCARD = 64 * 1024
_DISCARD_S = 0.005


class _App(LeanFlask):
    """Observes each request from its first byte until its answer has been written."""

    def __init__(self, metrics: Metrics, *, wants_log: bool) -> None:
        super().__init__(__name__, static_folder=None)
        self._metrics = metrics
        self._wants_log = wants_log

    def wsgi_app(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request."""
        sock = environ.get("gunicorn.socket")
        environ[OBSERVATION] = Observation(time.monotonic() if sock is None else sock.request_began)
        return super().wsgi_app(environ, start_response)

    def process_response(self, response: Response) -> Response:
        """Count the response, and time and log it once it has been written."""
        environ = request.environ
        observation: Observation = environ[OBSERVATION]
        observation.enter("write")
        metrics, status, path = self._metrics, response.status_code, environ["PATH_INFO"]
        metrics.note_request(status)
        if observation.code is not None:
            metrics.note_refusal(observation.code)
        wants_log = self._wants_log and path not in access_log.QUIET_PATHS
        entry = access_log.Entry.of_current_request(response, observation) if wants_log else None
        _end_connection_if_body_is_unread(environ)
        _echo_attributes(environ, response)

        def finish() -> None:
            observation.end()
            metrics.observe_request(path, status, observation.total)
            if entry is not None and not getattr(environ.get("gunicorn.socket"), "is_answered_for", False):
                entry.write()

        response.call_on_close(finish)
        return response


def create_app(service: Service, config: ServeConfig, metrics: Metrics | None = None) -> Flask:
    """Return the WSGI application that answers for `service`."""
    metrics = metrics or Metrics()
    app = _App(metrics, wants_log=config.serving_access_log)
    app.url_map.merge_slashes = False  # else GET //ping is redirected, in HTML, to a host called ping
    metrics.follow(lambda: service.is_ready)
    invocations, page = Invocations(service, config, metrics), Page(service)
    routes: tuple[tuple[str, Any, list[str]], ...] = (
        ("/", page.answer, ["GET"]),
        ("/model", page.describe_model, ["GET"]),
        ("/ping", lambda: _ping(invocations), ["GET", "POST"]),
        ("/invocations", invocations.answer, ["POST"]),
        ("/execution-parameters", lambda: _execution_parameters(config), ["GET"]),
        (METRICS_PATH, lambda: _metrics(metrics), ["GET"]),
        *((path, _refuse_multi_model, ["GET", "POST", "DELETE"]) for path in MULTI_MODEL_PATHS),
    )
    for path, view, methods in routes:
        app.add_url_rule(path, path, view, methods=methods, provide_automatic_options=False)
    app.register_error_handler(RequestError, answers.of_request_error)
    app.register_error_handler(HTTPException, answers.of_http_error)
    app.register_error_handler(Exception, lambda error: _of_bug(error, service))
    return app


def _of_bug(error: Exception, service: Service) -> Response:
    """Answer a bug; where memory has run out, have this worker replaced, which others are asked to wait for."""
    if not memory.has_run_out(error):
        return answers.of_bug(error)
    service.fail(memory.NO_MEMORY)
    refusal = RequestError(
        503, "not_ready", "The server is out of memory and begins anew.", "Try again in a moment."
    )
    return answers.of_request_error(refusal)


def _ping(invocations: Invocations) -> Response:
    invocations.refuse_if_not_ready()
    return Answer("", content_type="text/plain")


def _metrics(metrics: Metrics) -> Response:
    body, content_type = metrics.render(request.headers.get("Accept", ""))
    return Answer(body, content_type=content_type)


def _execution_parameters(config: ServeConfig) -> Response:
    """Answer batch transform; without BatchStrategy, since the SDK's local mode spells it differently."""
    payload_mb = min(TRANSFORM_MB, config.max_body_bytes // 2**20)
    concurrent = min(CONCURRENT_TRANSFORMS, config.serving_max_concurrent_requests)
    return answers.json_response(200, {"MaxConcurrentTransforms": concurrent, "MaxPayloadInMB": payload_mb})


def _refuse_multi_model(_name: str = "") -> Response:
    raise RequestError(
        501,
        "multi_model_unsupported",
        "This container serves one model.",
        "Deploy it as an endpoint of its own.",
    )


def _end_connection_if_body_is_unread(environ: "WSGIEnvironment") -> None:
    """Close the connection if the body was not read, since the rest would be taken for the next request.

    The body of a small request has usually arrived already; the connection then stays open.
    """
    stream = environ["wsgi.input"]
    if not hasattr(stream, "force_close"):  # not under our worker
        return
    sock = environ["gunicorn.socket"]
    # A client that waits for "100 Continue" must not be asked for a body that nobody reads.
    sock.read_until = time.monotonic() + (0.0 if sock.owes_continue else _DISCARD_S)
    try:
        is_broken = stream.failed or environ[OBSERVATION].code == BROKEN_BODY
        is_unread = is_broken or len(stream.read(_MOST_TO_DISCARD)) == _MOST_TO_DISCARD
    except (OSError, ParseException):  # broken, or not here yet
        is_unread = True
    if is_unread:
        stream.force_close()


def _echo_attributes(environ: "WSGIEnvironment", response: Response) -> None:
    """Return the caller's custom attributes if SageMaker allows them: at most 1,024 visible ASCII characters."""
    attributes = environ.get(_ATTRIBUTES_IN_ENVIRON, "")
    if _VISIBLE.fullmatch(attributes):
        response.headers[_ATTRIBUTES] = attributes
