"""The access log of a real server: a line for each answer, in order on each connection, however the worker ends."""

import http.client
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.patience import PATIENCE_S
from support.serving_process import ServingProcess
from support.toy_artifact import make_artifact

CALLERS = 8
ID = "X-Amzn-SageMaker-Inference-Id"


@pytest.fixture(scope="module")
def ml_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ml")
    make_artifact(root / "model")
    return root


def _answered(port: int, caller: int, most: int) -> list[str]:
    """Ask on one kept connection, at most so often, until it is closed; return the ids that were answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    answered = []
    for number in range(most):
        own = f"{caller} {number}"
        connection.request("POST", "/invocations", '"apple"', {"Content-Type": "application/json", ID: own})
        response = connection.getresponse()
        response.read()
        assert response.status == 200
        answered.append(own)
        if response.headers["Connection"] == "close":
            break
    connection.close()
    return answered


def _logged(log: str, caller: int) -> list[str]:
    entries = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [
        entry["inference_id"] for entry in entries if entry.get("inference_id", "").startswith(f"{caller} ")
    ]


def test_a_stop_loses_no_line(ml_root, tmp_path):
    """What is answered until the last moment of a stop is in the log, once and in its order."""
    with ServingProcess(ml_root, tmp_path / "log") as process, ThreadPoolExecutor(CALLERS) as pool:
        process.wait_until_ready()
        futures = [pool.submit(_answered, process.port, caller, 10**6) for caller in range(CALLERS)]
        while process.log.count("inference_id") < 10 * CALLERS:
            time.sleep(0.01)
        process.signal(signal.SIGTERM)
        answered = [future.result() for future in futures]
        assert process.exit_code(PATIENCE_S) == 0
        assert [_logged(process.log, caller) for caller in range(CALLERS)] == answered
        assert min(map(len, answered)) > 1


def test_a_worker_that_is_ended_loses_no_line(ml_root, tmp_path):
    """SIGABRT is what the parent sends to a worker that hangs; it raises SystemExit in the event loop."""
    with ServingProcess(ml_root, tmp_path / "log") as process:
        process.wait_until_ready()
        answered = _answered(process.port, 1, 100)
        worker = process.worker
        os.kill(worker, signal.SIGABRT)
        while process.worker == worker:
            time.sleep(0.01)
        assert _logged(process.log, 1) == answered


def test_a_stop_does_not_wait_for_a_log_that_nobody_reads(ml_root, tmp_path):
    """Lines that the pipe does not take are lost; requests are answered, and the server ends by itself."""
    os.mkfifo(tmp_path / "log")
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    with ServingProcess(ml_root, tmp_path / "log", sagemaker_container_log_level=40) as process:
        process.wait_until_ready()
        assert _answered(process.port, 1, 400), "more lines than a pipe takes"
        process.signal(signal.SIGTERM)
        assert process.exit_code(PATIENCE_S) == 0
    os.close(reader)
