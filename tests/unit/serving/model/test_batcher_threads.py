"""Two model threads of one batcher share what waits."""

import threading
from collections.abc import Sequence

from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.batcher import MicroBatcher
from support.patience import PATIENCE_S

LATER = 1e12  # a deadline that does not come


def test_no_thread_takes_more_than_its_part():
    """With two model threads, what waits is shared by two passes, and neither takes all."""
    both, passes = threading.Barrier(2), []

    def predict(texts: Sequence[str]) -> list[str]:
        passes.append(len(texts))
        both.wait(PATIENCE_S)
        return list(texts)

    batcher = MicroBatcher(
        [predict, predict], cost_of=len, max_cost=100, max_waiting_cost=1000, metrics=Metrics()
    )
    held = [batcher.submit([text], LATER) for text in "ab"]
    assert [future.result(PATIENCE_S) for future in held] == [["a"], ["b"]]
    with batcher._lock:  # so that all wait before a thread takes any
        waiting = [batcher.submit([text], LATER) for text in "cdefghij"]
    assert [future.result(PATIENCE_S) for future in waiting] == [[text] for text in "cdefghij"]
    assert passes[:2] == [1, 1]
    assert sorted(passes[2:]) in ([4, 4], [3, 5])  # a thread may not have put its last pass behind it yet
    batcher.close(PATIENCE_S)
