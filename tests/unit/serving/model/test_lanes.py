"""Model threads that take turns at one GPU: who takes how much, and which thread is woken."""

import functools
import threading
from collections.abc import Iterator, Sequence

import pytest

from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.batcher import MicroBatcher
from support.patience import PATIENCE_S

LATER = 1e12  # a deadline that does not come


class Threads:
    """Model threads whose passes are held until `may_go`; notes who got which texts."""

    def __init__(self, lanes: Sequence[str]) -> None:
        self.passes: list[tuple[str, list[str]]] = []
        self.may_go = threading.Event()
        self._begun = threading.Semaphore(0)
        self.batcher = MicroBatcher(
            [functools.partial(self._predict, lane) for lane in lanes],
            cost_of=len,
            max_cost=100,
            max_waiting_cost=1000,
            metrics=Metrics(),
            lanes=lanes,
        )
        self._wait_until_asleep(len(lanes))

    def _wait_until_asleep(self, count: int) -> None:
        pause = threading.Event()
        while len(self.batcher._asleep) < count:
            pause.wait(0.001)

    def _predict(self, lane: str, texts: Sequence[str]) -> list[str]:
        self.passes.append((lane, list(texts)))
        self._begun.release()
        assert self.may_go.wait(PATIENCE_S)
        return [text.upper() for text in texts]

    def has_begun(self, passes: int = 1) -> bool:
        """Wait until so many more passes have begun."""
        return all(self._begun.acquire(timeout=PATIENCE_S) for _ in range(passes))


@pytest.fixture
def one_gpu() -> Iterator[Threads]:
    threads = Threads(["cuda:0", "cuda:0"])
    yield threads
    threads.may_go.set()
    assert threads.batcher.close(PATIENCE_S)


def test_threads_of_one_gpu_do_not_divide_a_request(one_gpu):
    """Two halves would be computed one after the other; it is one pass, and the other thread stays idle."""
    texts = [f"text {number}" for number in range(10)]
    answer = one_gpu.batcher.submit(texts, LATER)
    one_gpu.may_go.set()
    assert answer.result(PATIENCE_S) == [text.upper() for text in texts]
    assert one_gpu.passes == [("cuda:0", texts)]


def test_the_next_request_is_tokenised_during_the_pass(one_gpu):
    """The second thread takes what comes while the first waits for the GPU, and takes all of it."""
    first = one_gpu.batcher.submit(["first"], LATER)
    assert one_gpu.has_begun()
    second = one_gpu.batcher.submit(["a", "b", "c", "d"], LATER)
    assert one_gpu.has_begun()
    assert [texts for _, texts in one_gpu.passes] == [["first"], ["a", "b", "c", "d"]]
    one_gpu.may_go.set()
    assert (first.result(PATIENCE_S), second.result(30)) == (["FIRST"], ["A", "B", "C", "D"])


@pytest.mark.parametrize("lanes", [["cuda:0", "cuda:1"] * 2, ["cuda:0", "cuda:0", "cuda:1", "cuda:1"]])
def test_an_idle_gpu_is_woken_before_a_busy_one(lanes):
    """The second request goes to the other GPU, whichever thread fell asleep last."""
    threads = Threads(lanes)
    for number in range(4):
        threads.batcher.submit([f"text {number}"], LATER)
        assert threads.has_begun()
    used = [lane for lane, _ in threads.passes]
    assert set(used[:2]) == set(used[2:]) == {"cuda:0", "cuda:1"}
    threads.may_go.set()
    assert threads.batcher.close(PATIENCE_S)


def test_gpus_share_a_request():
    """Four threads of two GPUs cut it into two passes of about equal cost, one per GPU."""
    threads = Threads(["cuda:0", "cuda:1"] * 2)
    answer = threads.batcher.submit(list("abcdefgh"), LATER)
    assert threads.has_begun(2)
    assert dict(threads.passes) == {threads.passes[0][0]: list("abcd"), threads.passes[1][0]: list("efgh")}
    assert {lane for lane, _ in threads.passes} == {"cuda:0", "cuda:1"}
    threads.may_go.set()
    assert answer.result(PATIENCE_S) == list("ABCDEFGH")
    assert threads.batcher.close(PATIENCE_S)
