"""What a server meets in the long run: too little memory for a pass, a clock that jumps, many requests."""

import json
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.batcher import MicroBatcher
from support.patience import PATIENCE_S

LATER = 1e12  # a deadline that does not come


def _batcher(predict) -> MicroBatcher[str]:
    return MicroBatcher([predict], cost_of=len, max_cost=1000, max_waiting_cost=10_000, metrics=Metrics())


def test_a_pass_that_memory_does_not_suffice_for_is_tried_in_parts():
    """Texts that do not fit into memory together are answered all the same, and the server goes on."""

    def predict(texts: Sequence[str]) -> list[str]:
        if len(texts) > 2:
            raise MemoryError
        return [text.upper() for text in texts]

    batcher = _batcher(predict)
    assert batcher.submit(list("abcdefg"), LATER).result(PATIENCE_S) == list("ABCDEFG")
    assert batcher.problem(60) is None
    assert batcher.close(PATIENCE_S)


def test_the_wall_clock_does_not_matter(monkeypatch):
    """A clock that is set a day ahead or back ends no request early and lets none wait for ever."""
    went = threading.Event()

    def predict(texts: Sequence[str]) -> list[str]:
        assert went.wait(PATIENCE_S)
        return list(texts)

    batcher = _batcher(predict)
    now = time.time()
    results = []
    for jump in (86_400, -86_400):
        monkeypatch.setattr(time, "time", lambda jump=jump: now + jump)
        results.append(batcher.submit([str(jump)], time.monotonic() + PATIENCE_S))
    assert batcher.problem(60) is None
    went.set()
    assert [result.result(PATIENCE_S) for result in results] == [["86400"], ["-86400"]]
    assert batcher.close(PATIENCE_S)


def test_memory_does_not_grow_with_the_requests_answered(make_service, predictor):
    """After a warm-up thousands of mixed requests, good and bad, leave the process as large as it was."""
    client = create_app(make_service(predictor), ServeConfig()).test_client()
    bodies = ['"apple river"', '["a", "b"]', "{", "[]", '{"inputs": 3}', json.dumps("stone " * 300)]

    def ask(count: int) -> None:
        for number in range(count):
            client.post("/invocations", data=bodies[number % len(bodies)], content_type="application/json")

    ask(600)
    before = _resident_mb()
    ask(2400)
    assert _resident_mb() - before < 8  # 2,400 requests that leak 4 KB each would take 9 MB


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20
