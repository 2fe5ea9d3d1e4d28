"""Stopping the real server: under load, with slow clients, in the middle of things; and being replaced."""

import http.client
import itertools
import json
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bert_classifier.serving.worker import STOP_S
from support.patience import PATIENCE_S
from support.serving_callers import outcomes_of, start_callers
from support.serving_process import CONTAINER, ServingProcess
from support.toy_artifact import make_artifact

STOPS_WITHIN_S = 25  # SageMaker kills after 30
ROUNDS = 2
FAULTY_MODEL = Path(__file__).parents[1] / "support" / "faulty_model"
FAULTY_ANSWER = Path(__file__).parents[1] / "support" / "faulty_answer"


@pytest.fixture(scope="module")
def ml_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an /opt/ml with a tiny model."""
    root = tmp_path_factory.mktemp("ml")
    make_artifact(root / "model")
    return root


@pytest.fixture
def server(ml_root: Path, tmp_path: Path) -> Iterator[ServingProcess]:
    with ServingProcess(ml_root, tmp_path / "log") as process:
        process.wait_until_ready()
        yield process


@pytest.mark.parametrize("_round", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, ROUNDS))])
def test_no_request_is_lost_at_a_stop(server, _round):
    """At SIGTERM under load every request that was sent is answered, on new and on kept connections."""
    callers = start_callers(server.port)
    server.signal(signal.SIGTERM)
    assert server.exit_code(STOPS_WITHIN_S) == 0
    assert set(outcomes_of(callers)) <= {"200", "refused"}
    assert "Traceback" not in server.log


def test_a_quiet_server_stops_at_once(server):
    """Without requests a stop does not wait for the end of the time that it may take."""
    idle = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    idle.request("GET", "/ping")
    idle.getresponse().read()
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    assert server.exit_code(STOPS_WITHIN_S) == 0
    assert time.monotonic() - began < STOP_S
    idle.close()


def test_slow_clients_do_not_hold_up_a_stop(server):
    """Clients that trickle or do nothing are cut off in time for the stop."""
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(8)]
    for connection in slow[:4]:
        connection.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\na"
        )
    server.signal(signal.SIGTERM)
    server.signal(signal.SIGTERM)
    assert server.exit_code(STOPS_WITHIN_S) == 0
    for connection in slow:
        connection.close()


def test_a_worker_without_its_parent_gives_up_the_port(server):
    """When the parent is killed, the worker answers until it has closed the port, and does not outlive a request."""
    kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    kept.request("GET", "/ping")
    kept.getresponse().read()
    server.signal(signal.SIGKILL)
    until = time.monotonic() + STOPS_WITHIN_S
    while True:
        assert time.monotonic() < until
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
                connection.sendall(b"GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        except ConnectionRefusedError:
            break
    kept.close()


def test_a_stop_of_the_worker_alone_loses_nothing(server):
    """When SIGTERM comes to the worker, as from earlyoom, another follows it, and new connections reach that one."""
    first, is_over = server.worker, threading.Event()
    callers = start_callers(server.port, lambda: not is_over.is_set())
    os.kill(first, signal.SIGTERM)
    while server.worker == first:
        time.sleep(0.01)
    server.wait_until_ready()
    is_over.set()
    assert set(outcomes_of(callers)) <= {"200", "503"}, "503: while the next one loads the model"
    assert server.invoke('["apple"]')[0] == 200
    server.signal(signal.SIGTERM)
    assert server.exit_code(STOPS_WITHIN_S) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_an_impatient_stop(server, number):
    """SIGINT, as from a terminal, ends the server at once and without an error."""
    server.signal(number)
    assert server.exit_code(PATIENCE_S) == 0


@pytest.mark.parametrize(
    "numbers",
    [
        [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT],
        *(pytest.param([n], marks=pytest.mark.slow) for n in (signal.SIGTERM, signal.SIGQUIT)),
    ],
)
def test_stops_that_are_repeated_to_the_end(server, numbers):
    """Whoever repeats the signal until the process is gone does not turn its end into a death by signal."""
    for number in itertools.cycle(numbers):
        if server.has_ended:
            break
        server.signal(number)
        time.sleep(0.002)
    assert server.exit_code(PATIENCE_S) == 0
    assert "Traceback" not in server.log


@pytest.mark.parametrize(
    ("number", "delay"),
    [
        *((number, 0.0) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)),
        pytest.param(signal.SIGTERM, 0.3, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 0.7, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 0.7, marks=pytest.mark.slow),
        pytest.param(signal.SIGQUIT, 0.3, marks=pytest.mark.slow),
    ],
)
def test_a_stop_while_it_starts(ml_root, tmp_path, number, delay):
    """From its first lines on, in the middle of its imports, a start ends with 0 when it gets a stop signal."""
    with ServingProcess(ml_root, tmp_path / "log") as process:
        while not process.catches(signal.SIGTERM):
            time.sleep(0.001)
        time.sleep(delay)  # another place of the start
        process.signal(number)
        assert process.exit_code(PATIENCE_S) == 0
        assert "Traceback" not in process.log


def test_signals_without_meaning_change_nothing(server):
    """Signals that would make gunicorn start another model or program are ignored."""
    worker = server.worker
    for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGTTIN, signal.SIGWINCH):
        server.signal(number)
        time.sleep(1.5)  # gunicorn's parent looks at its signals every second
        assert (server.worker, server.ping()) == (worker, 200), number
        assert not server.has_ended, number


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("hang", "a forward pass has taken more than 2 s"),
        pytest.param("die", "a model thread has died", marks=pytest.mark.slow),
    ],
)
def test_a_model_that_hangs_or_dies_is_replaced(ml_root, tmp_path, word, reason):
    """The waiting request gets 503, the reason and all stacks are logged, and another worker takes over."""
    path = f"{FAULTY_MODEL}:{CONTAINER}"
    with ServingProcess(ml_root, tmp_path / "log", pythonpath=path, serving_stall_timeout=2) as process:
        process.wait_until_ready()
        worker = process.worker
        assert process.invoke(f'["{word}"]')[0] == 503
        while process.worker == worker:
            time.sleep(0.01)
        process.wait_until_ready()
        assert process.invoke('["apple"]')[0] == 200
        assert f"{reason}: this worker ends and is replaced" in process.log
        assert "predict_or_fail" in process.log or word == "die", "the stacks"


@pytest.mark.slow
def test_a_worker_that_gets_no_more_memory_is_replaced(ml_root, tmp_path):
    """What it cannot compute is answered with an error, its port stays open, and its replacement has memory again."""
    # With a fixed threshold, no large piece comes out of addresses that malloc has reserved before the limit.
    limits = {"serving_max_batch_tokens": 10_000_000, "serving_max_waiting_tokens": 10_000_000}
    with ServingProcess(ml_root, tmp_path / "log", malloc_mmap_threshold_=131_072, **limits) as process:
        process.wait_until_ready()
        worker = process.worker
        used = int(Path(f"/proc/{worker}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(worker, resource.RLIMIT_AS, (used, used))
        assert process.invoke(json.dumps(["apple river " * 100] * 9000))[0] in {500, 503}
        until = time.monotonic() + PATIENCE_S
        while process.ping() != 200 or process.invoke('["apple"]')[0] != 200:
            assert time.monotonic() < until, process.log
            time.sleep(0.1)
        assert "apple" not in process.log


@pytest.mark.slow
def test_a_worker_that_can_start_no_thread_answers(ml_root, tmp_path):
    """It has all that it needs from the start; the attempt would stop its event loop until it is killed."""
    with ServingProcess(ml_root, tmp_path / "log", malloc_mmap_threshold_=131_072) as process:
        process.wait_until_ready()
        worker = process.worker
        used = int(Path(f"/proc/{worker}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(worker, resource.RLIMIT_AS, (used, used))
        assert process.invoke('["apple"]')[0] in {200, 500, 503}


@pytest.mark.slow
def test_an_answer_that_fails_behind_its_head_costs_its_connection_only(ml_root, tmp_path):
    """The worker keeps serving; the client sees a truncated response; the bug is logged with an id, and counted."""
    path = f"{FAULTY_ANSWER}:{CONTAINER}"
    with ServingProcess(ml_root, tmp_path / "log", pythonpath=path) as process:
        process.wait_until_ready()
        worker = process.worker
        for place in ("iterator", "close"):
            connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=PATIENCE_S)
            connection.request("GET", "/ping", headers={"X-Fail": place})
            response = connection.getresponse()
            assert response.status == 200
            if place == "iterator":
                with pytest.raises(http.client.IncompleteRead):
                    response.read()
            else:
                assert response.read() == b"whole"
            connection.close()
        assert process.ask("GET", "/ping", X_Fail="before")[0] == 500
        assert process.invoke('["apple"]')[0] == 200
        assert process.worker == worker
        assert process.log.count("request failed: id=") == 2
        assert "canary" not in process.log
        assert 'bert_connections_cut_total{reason="bug"} 2.0' in process.ask("GET", "/metrics")[1].decode()


def test_a_text_that_fails_in_the_model_fails_alone(ml_root, tmp_path):
    """Its neighbours are answered, and what it was is neither answered nor logged."""
    path = f"{FAULTY_MODEL}:{CONTAINER}"
    with ServingProcess(ml_root, tmp_path / "log", pythonpath=path) as process:
        process.wait_until_ready()
        status, body = process.invoke('["apple", "fail canary", "river"]')
        assert status == 200
        good, bad, also_good = json.loads(body)
        assert set(good) == set(also_good) == {"label", "score"}
        assert bad["code"] == "internal_error"
        status, body = process.invoke('["fail canary"]')
        assert (status, json.loads(body)["code"]) == (500, "internal_error")
        assert json.loads(body)["id"] in process.log
        assert "canary" not in process.log
        assert process.ping() == 200


@pytest.mark.slow
def test_a_replacement_that_cannot_load_ends_the_server(tmp_path):
    """When the model folder has gone bad meanwhile, the container ends, so that it is replaced as a whole."""
    make_artifact(tmp_path / "model")
    with ServingProcess(tmp_path, tmp_path / "log") as process:
        process.wait_until_ready()
        (tmp_path / "model" / "model.safetensors").write_bytes(b"")
        os.kill(process.worker, signal.SIGKILL)
        assert process.exit_code(PATIENCE_S) == 2
        assert "UserError: 'model.safetensors' of the model" in process.log


def test_a_signal_without_meaning_changes_nothing_while_it_starts(ml_root, tmp_path):
    """SIGHUP, as a terminal's end or another server's reload would send it, to the parent or to the whole group."""
    with ServingProcess(ml_root, tmp_path / "log") as process:
        while not process.catches(signal.SIGTERM):
            time.sleep(0.001)
        process.signal(signal.SIGHUP)
        process.wait_until_it_listens()
        for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGTTIN):
            process.signal(number)
            os.kill(process.worker, number)
        worker = process.worker
        process.wait_until_ready()
        os.kill(worker, signal.SIGHUP)
        assert (process.ping(), process.worker) == (200, worker)


def test_the_signal_that_ended_a_start_is_named(ml_root, tmp_path):
    """A crash differs from a lack of memory, which is what SIGKILL says."""
    with ServingProcess(ml_root, tmp_path / "log") as process:
        process.wait_until_it_listens()
        os.kill(process.worker, signal.SIGSEGV)
        assert process.exit_code(PATIENCE_S) == 3
        assert "was sent SIGSEGV" in process.log
        assert "PlatformError: The worker died while it loaded the model." in process.log
