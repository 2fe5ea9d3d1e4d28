"""The process behind `serve`: gunicorn with one worker, whose threads share the models.

The parent only holds the socket and supervises the worker, which loads the model while already answering pings.
"""

import logging
import os
import resource
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.errors import HaltServer
from gunicorn.glogging import Logger

from bert_classifier import log
from bert_classifier.errors import ContainerError, PlatformError, exit_code_of, failure_text
from bert_classifier.job.cpu_quota import available_cores
from bert_classifier.job.environment import ml_root
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.job.settings import specs
from bert_classifier.job.temporary_files import temporary_files
from bert_classifier.job.variables import near_misses, without_effect
from bert_classifier.serving import memory
from bert_classifier.serving.http import access_log, answers
from bert_classifier.serving.http.accept import check_default_accept
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.metrics import OTHER, Metrics
from bert_classifier.serving.model.plan import SPARE_THREADS, make_plan
from bert_classifier.serving.model.service import ModelService
from bert_classifier.serving.parent import Outcome, Parent
from bert_classifier.serving.request_threads import as_platform_error
from bert_classifier.serving.stacks import log_stacks
from bert_classifier.serving.stop_signals import exit_on_stop_signals, ignore_stop_signals
from bert_classifier.serving.worker import KEEPALIVE_S, LAST_WORDS_S, STOP_S, Worker

if TYPE_CHECKING:
    from bert_classifier.serving.model.predictor import Predictor

logger = logging.getLogger(__name__)

IDLE_CONNECTIONS = 1000  # beyond one for each thread
OWN_DESCRIPTORS = 40  # files, pipes and sockets that are not clients'
CLOSE_TIMEOUT_S = 1  # for the model threads, which are idle once all requests have ended
HANG_TIMEOUT_S = 60  # a worker whose main loop is silent for longer is replaced
REPLACE_ME = 70  # exit code of a worker that ends itself; 3 and 4 would end gunicorn's parent too
LAST_ANSWERS_S = 0.5  # for the 503s of a worker that ends itself


def main(environ: MutableMapping[str, str], foreign: Sequence[str] = ()) -> int:
    """Serve the model folder until SIGTERM and return the exit code: 0, or that of errors.exit_code_of.

    Args:
        environ: the process environment, with ServeConfig's settings in capitals; ML_ROOT moves /opt/ml.
        foreign: names of variables that were removed from it because libraries would read them.
    """
    # By default, OpenMP's waiting threads spin for milliseconds on cores that requests need.
    environ.setdefault("GOMP_SPINCOUNT", "1000")
    log.configure()
    access_log.configure()
    exit_on_stop_signals()
    if foreign:
        logger.info("ignoring variables of other programs: %s", ", ".join(foreign))
    try:
        config = ServeConfig.from_environ(environ)
        log.configure(config.sagemaker_container_log_level)
        for doubt in (*near_misses(environ, specs(ServeConfig)), *without_effect(environ)):
            logger.warning("environment variable %s", doubt)
        check_default_accept(config)
        _check_address(config)
        return _serve(_Server(config, ml_root(environ) / "model"))
    except ContainerError as error:
        logger.error("%s", failure_text(error))  # noqa: TRY400 - one sentence, no traceback
        return exit_code_of(error)
    finally:
        ignore_stop_signals()


def _check_address(config: ServeConfig) -> None:
    address = (config.serving_host, config.sagemaker_bind_to_port)
    try:
        socket.create_server(address).close()
    except OSError as error:
        reason = str(error.strerror or error).partition(" (while")[0]
        raise PlatformError(
            f"Cannot listen on {address[0]}:{address[1]}: {reason}.",
            "Set SAGEMAKER_BIND_TO_PORT to a free port and SERVING_HOST to an address of this machine.",
        ) from error


def _most_connections(threads: int) -> int:
    """Return the maximum connections of a worker, such that idle ones leave enough file descriptors."""
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(1, min(threads + IDLE_CONNECTIONS, descriptors - OWN_DESCRIPTORS))


def _serve(server: "_Server") -> int:
    """Run gunicorn, which leaves by SystemExit in the parent and in the worker alike."""
    parent = os.getpid()
    try:
        server.run()
    except SystemExit as stop:
        if os.getpid() != parent:
            raise
        return server.outcome.exit_code or (stop.code if isinstance(stop.code, int) else 1)
    return 0


class _Log(Logger):  # type: ignore[misc] # gunicorn has no type information
    """gunicorn's log without the messages of exceptions, which may quote a text."""

    def exception(self, _msg: str, *_args: Any, **_kwargs: Any) -> None:
        """Log the current exception by type and stack."""
        if (error := sys.exc_info()[1]) is not None:
            answers.log_bug(error)


class _Server(BaseApplication):  # type: ignore[misc] # gunicorn has no type information
    """gunicorn, configured for one model. Each hook says whether it runs in the parent or in the worker."""

    def __init__(self, config: ServeConfig, model_dir: Path) -> None:
        self.outcome = Outcome()
        self._config = config
        self._model_dir = model_dir
        with temporary_files():
            self._tmp_dir = tempfile.gettempdir()
        self._parent = os.getpid()
        self._metrics = Metrics()
        self._service = ModelService(self._load_model, self._stop_all, config, self._metrics)
        super().__init__()

    def load_config(self) -> None:
        """Give gunicorn its settings."""
        for name, value in self._settings().items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Return the application; in the worker."""
        return create_app(self._service, self._config, self._metrics)

    def run(self) -> None:
        """Start the parent process' loop; it ends by SystemExit."""
        Parent(self).run()

    def supervise(self, answer_the_rest: Callable[[], None]) -> None:
        """In the worker, every second: exit if it cannot serve any more, so that the parent replaces it."""
        if (problem := self._service.problem()) is None:
            return
        try:
            self.abandon()
            logger.critical("%s: this worker ends and is replaced", problem)
            log_stacks()
            time.sleep(LAST_ANSWERS_S)
            answer_the_rest()
            access_log.finish()
        finally:  # whatever else fails where there is no memory
            os._exit(REPLACE_ME)

    def note_failure(self, error: Exception) -> None:
        """In the worker: log an error outside the application."""
        logger.error("a connection failed: %s", type(error).__name__)
        if memory.has_run_out(error):
            self.note_memory()

    def note_memory(self) -> None:
        """In the worker: have it replaced, as memory has run out."""
        self._service.fail(memory.NO_MEMORY)

    def note_refusal(self, status: int, code: str, bytes_out: int, began: float) -> None:
        """In the worker: count and log a request that was refused outside the application, such as improper HTTP."""
        self._metrics.note_request(status)
        self._metrics.note_parser_refusal(code)
        self._metrics.observe_request(OTHER, status, time.monotonic() - began)
        if self._config.serving_access_log:
            access_log.Entry.of_refusal(status, code, bytes_out, began).write()

    def note_cut(self, reason: str) -> None:
        """In the worker: count a connection that was cut during a request or an answer."""
        self._metrics.note_cut(reason)

    def abandon(self) -> None:
        """In the worker: fail every unfinished request with 503."""
        self._service.abandon()

    def _settings(self) -> dict[str, Any]:
        threads = self._config.serving_max_concurrent_requests + SPARE_THREADS
        return {
            "bind": f"{self._config.serving_host}:{self._config.sagemaker_bind_to_port}",
            "backlog": 2048,
            "workers": 1,
            "worker_class": Worker,
            "threads": threads,
            "worker_connections": _most_connections(threads),
            "worker_tmp_dir": self._tmp_dir,
            "timeout": HANG_TIMEOUT_S,
            "graceful_timeout": int(STOP_S + LAST_WORDS_S + CLOSE_TIMEOUT_S),
            "keepalive": KEEPALIVE_S,
            "control_socket_disable": True,
            "forwarded_allow_ips": "",  # a proxy's headers mean nothing here, not even one's on this machine
            "accesslog": None,
            "loglevel": "warning",
            "logger_class": _Log,
            "proc_name": "bert-classifier",
            "pre_fork": self._note_new_worker,
            "post_fork": self._begin_worker,
            "post_worker_init": self._start_model,
            "worker_exit": self._end_worker,
            "child_exit": self._note_dead_worker,
        }

    def _note_new_worker(self, _arbiter: Parent, _worker: Worker) -> None:
        """In the parent: note that the new worker has no model yet."""
        self.outcome.was_ready = False

    def _begin_worker(self, _arbiter: Parent, _worker: Worker) -> None:
        """In the worker, first: replace the signal handlers inherited from the parent, which would swallow a stop."""
        exit_on_stop_signals()
        memory.share_arenas()

    def _start_model(self, _worker: Worker) -> None:
        """In the worker: start to write the access log and to load the model."""
        access_log.start()
        self._service.start()

    def _load_model(self) -> "list[Predictor]":
        """In the worker's loading thread: return the models after each has classified a text."""
        # Importing torch takes seconds, so only now that the server answers pings.
        from bert_classifier.modeling.gpus import count_gpus, require_kernels, why_no_gpu
        from bert_classifier.serving.model.predictor import load_predictors

        config, gpus = self._config, count_gpus()
        for number in range(gpus):
            require_kernels(number)
        if not gpus and (reason := why_no_gpu()):
            logger.warning("this machine has a GPU, but requests are served on its CPU: %s", reason)
        plan = make_plan(
            cores=available_cores(),
            gpus=gpus,
            models=config.sagemaker_model_server_workers,
            threads=config.serving_threads,
            requests=config.serving_max_concurrent_requests,
        )
        logger.info("%s", plan)
        predictors = load_predictors(
            self._model_dir,
            plan,
            max_batch_tokens=config.serving_max_batch_tokens,
            precision=config.serving_precision,
            metrics=self._metrics,
        )
        self.outcome.was_ready = True
        return predictors

    def fail_start(self, error: Exception) -> NoReturn:
        """In the worker: log why it could not start, and end the parent too."""
        self._note_failure(error, "the worker could not start: ")
        sys.exit(Parent.WORKER_BOOT_ERROR)

    def _note_failure(self, error: Exception, event: str = "") -> None:
        error = as_platform_error(error)
        stack = None if isinstance(error, ContainerError) else error
        logger.error("%s%s", event, failure_text(error), exc_info=stack)
        self.outcome.exit_code = exit_code_of(error)

    def _stop_all(self, error: Exception) -> None:
        """In the worker's loading thread: log why the model cannot be loaded, and stop the parent too."""
        self._note_failure(error)
        if os.getppid() == self._parent:
            os.kill(self._parent, signal.SIGTERM)

    def _end_worker(self, _arbiter: Parent, worker: Worker) -> None:
        """In the worker, last: answer queued requests, and exit without finalising the interpreter.

        With torch loaded, finalising takes seconds, and crashes if a thread is still inside torch.
        """
        if os.getpid() == worker.pid and worker.booted:
            ignore_stop_signals()
            self._service.close(timeout=CLOSE_TIMEOUT_S)
            access_log.finish()
            os._exit(0)

    def _note_dead_worker(self, arbiter: Parent, _worker: Worker) -> None:
        """In the parent: exit if a worker died while loading the model, since the next one would too."""
        is_stopping = not arbiter.LISTENERS
        if self.outcome.was_ready or self.outcome.exit_code or is_stopping:
            return
        error = PlatformError(
            "The worker died while it loaded the model.",
            "If it was sent SIGKILL, memory ran out: choose a larger instance; otherwise start it again.",
        )
        logger.error("%s", failure_text(error))
        raise HaltServer(error.cause, error.exit_code)
