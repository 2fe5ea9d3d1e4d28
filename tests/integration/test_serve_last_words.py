"""What a stop says to those whose requests are in a pass that does not end."""

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bert_classifier.serving.model.plan import MOST_SIDE_BY_SIDE
from support.patience import PATIENCE_S
from support.serving_process import CONTAINER, ServingProcess
from support.toy_artifact import make_artifact

FAULTY_MODEL = Path(__file__).parents[1] / "support" / "faulty_model"
STOPS_WITHIN_S = 28  # SageMaker kills after 30
CALLERS = MOST_SIDE_BY_SIDE + 2  # some of whom wait for the model


def _wait_for(process: ServingProcess, line: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while line not in process.ask("GET", "/metrics")[1].decode().splitlines():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.slow
def test_a_stop_answers_for_a_model_that_hangs(tmp_path):
    """Each gets 503 in time, whether its own thread is in the model or waits for another's; the log has them all."""
    make_artifact(tmp_path / "ml" / "model")
    path = f"{FAULTY_MODEL}:{CONTAINER}"
    with (
        ServingProcess(tmp_path / "ml", tmp_path / "log", pythonpath=path) as process,
        ThreadPoolExecutor(CALLERS) as pool,
    ):
        process.wait_until_ready()
        asked = [pool.submit(process.invoke, '["hang"]') for _ in range(CALLERS)]
        _wait_for(process, f"bert_requests_in_flight {CALLERS}.0")
        process.signal(signal.SIGTERM)
        answers = [each.result(PATIENCE_S) for each in asked]
        assert process.exit_code(STOPS_WITHIN_S) == 0
        assert [status for status, _ in answers] == [503] * CALLERS
        assert {json.loads(body)["code"] for _, body in answers} == {"not_ready"}
        lines = [json.loads(line) for line in process.log.splitlines() if line.startswith('{"time"')]
        assert [line["status"] for line in lines if line["status"] != 200] == [503] * CALLERS
