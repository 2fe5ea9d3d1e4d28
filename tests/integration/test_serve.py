"""The real `serve` process: start, answers over real sockets, stop, and the ways it refuses to start."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.free_port import free_port
from support.patience import PATIENCE_S
from support.serving_process import CONTAINER, ServingProcess
from support.toy_artifact import make_artifact

STRANGER = 54321  # a user id that no password file knows


@pytest.fixture(scope="module")
def ml_root() -> Iterator[Path]:
    """Return an /opt/ml whose model any user can read and nobody can write."""
    with tempfile.TemporaryDirectory(prefix="ml-root-") as folder:
        root = Path(folder)
        make_artifact(root / "model")
        (root / "model").chmod(0o555)
        root.chmod(0o755)
        yield root


@pytest.fixture(scope="module")
def server(ml_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingProcess]:
    """Return a ready server, run by an unknown user without a home where that is possible."""
    log_file = tmp_path_factory.mktemp("serve") / "log"
    with ServingProcess(ml_root, log_file, STRANGER if _can_run_as(STRANGER) else None) as process:
        before = process.wait_until_ready()
        assert 503 in before, "the socket must answer before the model is loaded"
        assert before <= {0, 503}
        yield process


def _can_run_as(user: int) -> bool:
    """Say whether another user may run this interpreter and read the package."""
    code = f"import sys; sys.path.insert(0, {str(CONTAINER)!r}); import gunicorn, bert_classifier.job.config"
    command = [sys.executable, "-c", code]
    try:
        return subprocess.run(command, user=user, cwd="/", capture_output=True, check=False).returncode == 0
    except PermissionError:
        return False


def _raw(server: ServingProcess, request: bytes, *, ends: bool = True) -> bytes:
    """Send bytes, close the sending side if it `ends` there, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
        connection.sendall(request)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_every_form_over_the_wire(server):
    """Each content type is answered through gunicorn as through the app."""
    status, body = server.invoke('{"inputs": ["apple", "river"]}')
    assert status == 200
    answers = json.loads(body)
    assert [set(entry) for entry in answers] == [{"label", "score"}] * 2
    for content_type, lines in (
        ("application/jsonlines", '"apple"\n{"text": "river"}'),
        ("text/csv", 'apple\n"river"'),
        ("text/plain", "apple\nriver\n"),
    ):
        status, body = server.invoke(lines, content_type, Accept="application/jsonlines")
        assert status == 200
        assert [json.loads(line) for line in body.split(b"\n")] == answers


def test_the_other_paths(server):
    """Pings by any method, batch transform's question and unknown paths are answered."""
    assert [server.ask(method, "/ping") for method in ("GET", "POST", "HEAD")] == [(200, b"")] * 3
    status, body = server.ask("GET", "/execution-parameters")
    assert (status, set(json.loads(body))) == (200, {"MaxConcurrentTransforms", "MaxPayloadInMB"})
    status, body = server.ask("GET", "/nothing")
    assert (status, json.loads(body)["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: 10", b"ap"),
        (b"Transfer-Encoding: chunked", b"5\r\nappleXX\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked", b"zz\r\napple\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked", b"5\r\nap"),
    ],
)
def test_a_broken_body_is_the_callers_mistake(server, framing, body):
    """A body that is cut short or wrongly chunked gets 400 as JSON, and nothing of it is classified."""
    head = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n"
    answer = _raw(server, head + framing + b"\r\n\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["code"] == "broken_body"


def test_a_chunked_body_is_read(server):
    """A body of unknown length is read to its end."""
    head = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\nConnection: close\r\n"
    body = b"5\r\napple\r\n6\r\n\nriver\r\n0\r\n\r\n"
    answer = _raw(server, head + b"Transfer-Encoding: chunked\r\n\r\n" + body, ends=False)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert len(answer.split(b"\r\n\r\n", 1)[1].split(b"\n")) == 2


@pytest.mark.parametrize("cut", [0, 20])
def test_what_follows_a_request_belongs_to_the_next(server, cut):
    """Two requests in one packet are both answered, and so are they when the second one's end comes later."""
    first = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\na"
    second = b"GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
        connection.sendall(first + second[: len(second) - cut])
        answer = connection.recv(65536)
        connection.sendall(second[len(second) - cut :])
        answer += b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.count(b"HTTP/1.1 200 ") == 2


def test_many_callers_at_once(server):
    """Concurrent callers all get the answers that each gets alone."""
    texts = [f"apple {'river ' * i}" for i in range(24)]
    alone = [server.invoke(json.dumps(text)) for text in texts]
    together: dict[int, tuple[int, bytes]] = {}

    def ask(index: int) -> None:
        together[index] = server.invoke(json.dumps(texts[index]))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    for index, (status, body) in enumerate(alone):
        assert together[index][0] == status == 200
        (expected,), (got,) = json.loads(body), json.loads(together[index][1])
        assert got["score"] == pytest.approx(expected["score"], abs=2e-6)
        assert got["label"] == expected["label"]


def test_no_text_reaches_the_log(server):
    """Neither good nor bad requests leave a word of theirs in the log."""
    for body, content_type in (('{"inputs": ["canary"]}', "application/json"), ('canary"', "text/canary")):
        server.invoke(body, content_type, X_Amzn_SageMaker_Custom_Attributes="canary")
    _raw(server, b"POST /invocations?canary HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\ncanary")
    assert "canary" not in server.log


def test_it_recovers_and_stops(ml_root, tmp_path):
    """A killed worker is replaced; at SIGTERM requests under way are answered, and the exit code is 0."""
    with ServingProcess(ml_root, tmp_path / "log") as process:
        process.wait_until_ready()
        os.kill(process.worker, signal.SIGKILL)
        while process.ping() == 200:
            pass
        process.wait_until_ready()

        answers: list[tuple[int, bytes]] = []
        lines = "\n".join(["apple river ocean"] * 3000)
        thread = threading.Thread(target=lambda: answers.append(process.invoke(lines, "text/plain")))
        thread.start()
        _wait_for_work(process.worker)
        process.signal(signal.SIGTERM)
        assert process.exit_code(PATIENCE_S) == 0
        thread.join(PATIENCE_S)
        ((status, body),) = answers
        assert (status, body.count(b"\n")) == (200, 2999)
        assert "Traceback" not in process.log


def _wait_for_work(worker: int) -> None:
    """Return when a process has used some more processor time than an idle one would."""
    stat = Path(f"/proc/{worker}/stat")

    def ticks() -> int:
        fields = stat.read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    start = ticks()
    while ticks() < start + 10:
        pass


def test_sigterm_while_the_model_is_loaded(ml_root, tmp_path):
    """A stop during the start is a stop: exit code 0, and no word of an error."""
    with ServingProcess(ml_root, tmp_path / "log") as process:
        process.wait_until_it_listens()
        process.signal(signal.SIGTERM)
        assert process.exit_code(PATIENCE_S) == 0
        assert process.log == ""


def test_a_worker_that_dies_while_loading(ml_root, tmp_path):
    """A worker that never gets as far as a model is not replaced for ever: exit code 3 and a reason."""
    with ServingProcess(ml_root, tmp_path / "log") as process:
        process.wait_until_it_listens()
        os.kill(process.worker, signal.SIGKILL)
        assert process.exit_code(PATIENCE_S) == 3
        assert "PlatformError: The worker died while it loaded the model." in process.log


def test_a_folder_without_a_model(tmp_path):
    """Without a trained model the server ends with exit code 2 and one sentence, and was never healthy."""
    (tmp_path / "model").mkdir()
    with ServingProcess(tmp_path, tmp_path / "log") as process:
        with pytest.raises(TimeoutError):
            process.wait_until_ready()
        assert process.exit_code(PATIENCE_S) == 2
        _assert_one_sentence(process.log, "UserError", "no trained model")


def test_wrong_settings(tmp_path):
    """Wrong environment variables end the start at once, all named in one sentence, with exit code 2."""
    settings: Any = {
        "serving_threads": "many",
        "sagemaker_max_payload_in_mb": "-1",
        "serving_precison": "fp32",
    }
    with ServingProcess(tmp_path, tmp_path / "log", **settings) as process:
        assert process.exit_code(PATIENCE_S) == 2
        _assert_one_sentence(
            process.log, "UserError", "SERVING_THREADS='many'", "SAGEMAKER_MAX_PAYLOAD_IN_MB",
            "unknown environment variable 'SERVING_PRECISON', did you mean SERVING_PRECISION?",
        )  # fmt: skip


def test_a_port_that_is_taken(tmp_path):
    """A port that somebody listens on is named in one sentence, with exit code 3."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with ServingProcess(tmp_path, tmp_path / "log", sagemaker_bind_to_port=port) as process:
            assert process.exit_code(PATIENCE_S) == 3
            _assert_one_sentence(
                process.log, "PlatformError", f"{port}: Address already in use. ", "SAGEMAKER_BIND_TO_PORT"
            )


def test_no_folder_for_temporary_files(tmp_path):
    """Where no file can be written the server ends with exit code 3 and one sentence."""
    command = ["prlimit", "--fsize=0", sys.executable, str(CONTAINER / "serve")]
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(CONTAINER),
        "PYTHONDONTWRITEBYTECODE": "1",
        "ML_ROOT": str(tmp_path),
        "SERVING_HOST": "127.0.0.1",
        "SAGEMAKER_BIND_TO_PORT": str(free_port()),
    }
    result = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert result.returncode == 3
    _assert_one_sentence(result.stdout + result.stderr, "PlatformError", "TMPDIR")


def _assert_one_sentence(log: str, family: str, *parts: str) -> None:
    (line,) = (line for line in log.splitlines() if " INFO plan: " not in line)
    assert re.match(rf"\S+ ERROR {family}: ", line)
    for part in parts:
        assert part in line
