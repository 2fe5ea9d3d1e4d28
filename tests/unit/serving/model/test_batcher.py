"""The batcher: who shares a pass with whom, who pays for a failure, and that nobody waits for ever."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

import pytest

from bert_classifier.errors import RequestError
from bert_classifier.serving import memory
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.batcher import MicroBatcher
from support.patience import PATIENCE_S

LATER = 1e12  # a deadline that does not come


class Gate:
    """A predictor that says which texts it got together, and can be made to wait, to fail or to miscount."""

    def __init__(self) -> None:
        self.passes: list[list[str]] = []
        self.is_broken = False
        self.most = 1000  # texts that there is memory for
        self.is_busy = threading.Event()
        self.may_go = threading.Event()
        self.may_go.set()

    def predict(self, texts: Sequence[str]) -> list[str]:
        self.passes.append(list(texts))
        self.is_busy.set()
        assert self.may_go.wait(PATIENCE_S)
        if self.is_broken:
            raise OSError("the device is gone")
        if len(texts) > self.most:
            raise RuntimeError("could not create a primitive")
        if "poison" in texts:
            raise ValueError("poison")
        if "exit" in texts:
            raise SystemExit
        return [text.upper() for text in texts if text != "lost"]


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def batcher(gate: Gate) -> Iterator[MicroBatcher[str]]:
    made = _make(gate)
    yield made
    gate.may_go.set()
    made.close(PATIENCE_S)


def _make(gate: Gate, **settings: Any) -> MicroBatcher[str]:
    chosen = {"cost_of": len, "max_cost": 100, "max_waiting_cost": 1000, **settings}
    return MicroBatcher([gate.predict], metrics=Metrics(), **chosen)


def _while_busy(batcher: MicroBatcher[str], gate: Gate) -> "Future[list[str | Exception]]":
    """Submit one request and return when its pass has begun and is held."""
    gate.may_go.clear()
    gate.is_busy.clear()
    first = batcher.submit(["first"], LATER)
    assert gate.is_busy.wait(PATIENCE_S)
    return first


def test_results_come_in_the_order_of_the_texts(batcher):
    """A request gets one result a text, in order."""
    assert batcher.submit(["a", "b", "c"], LATER).result(PATIENCE_S) == ["A", "B", "C"]


def test_what_has_queued_shares_the_next_pass(batcher, gate):
    """Requests that came while a pass ran are predicted together, and each gets its own results."""
    first = _while_busy(batcher, gate)
    others = [batcher.submit([f"x{i}", f"y{i}"], LATER) for i in range(3)]
    gate.may_go.set()
    assert first.result(PATIENCE_S) == ["FIRST"]
    assert [other.result(PATIENCE_S) for other in others] == [[f"X{i}", f"Y{i}"] for i in range(3)]
    assert gate.passes == [["first"], ["x0", "y0", "x1", "y1", "x2", "y2"]]


def test_a_large_request_leaves_room_for_a_small_one(gate):
    """A pass is bounded, and a small request does not wait for all of a large one."""
    batcher = _make(gate, max_cost=10)
    gate.may_go.clear()
    large = batcher.submit(["aaaaa"] * 10, LATER)
    assert gate.is_busy.wait(PATIENCE_S)
    small = batcher.submit(["b"], LATER)
    gate.may_go.set()
    assert small.result(PATIENCE_S) == ["B"]
    assert large.result(PATIENCE_S) == ["AAAAA"] * 10
    assert gate.passes[:2] == [["aaaaa", "aaaaa"], ["aaaaa", "b"]]
    assert batcher.close(PATIENCE_S)


def test_a_text_dearer_than_a_pass_is_predicted_all_the_same(gate):
    """A text that costs more than a pass may is taken alone."""
    batcher = _make(gate, max_cost=2)
    assert batcher.submit(["a", "long text", "b"], LATER).result(PATIENCE_S) == ["A", "LONG TEXT", "B"]
    assert gate.passes == [["a"], ["long text"], ["b"]]
    assert batcher.close(PATIENCE_S)


def test_only_the_culprit_fails(batcher, gate):
    """When a pass fails, its halves are tried: other requests, and other texts of the same, get their results."""
    first = _while_busy(batcher, gate)
    good, bad = batcher.submit(["good"], LATER), batcher.submit(["poison"], LATER)
    mixed = batcher.submit(["a", "b", "poison", "c"], LATER)
    gate.may_go.set()
    assert first.result(PATIENCE_S) == ["FIRST"]
    assert good.result(PATIENCE_S) == ["GOOD"]
    with pytest.raises(ValueError, match="poison"):
        bad.result(PATIENCE_S)
    *others, failure, last = mixed.result(PATIENCE_S)
    assert [*others, last] == ["A", "B", "C"]
    assert isinstance(failure, ValueError)
    assert batcher.is_alive
    assert batcher.submit(["next"], LATER).result(PATIENCE_S) == ["NEXT"]


def test_a_result_too_few_is_a_failure_and_not_a_shift(batcher, gate):
    """When the numbers of texts and results differ, no text gets a neighbour's result."""
    first = _while_busy(batcher, gate)
    short, whole = batcher.submit(["lost", "b"], LATER), batcher.submit(["c", "d"], LATER)
    gate.may_go.set()
    first.result(PATIENCE_S)
    assert whole.result(PATIENCE_S) == ["C", "D"]
    lost, found = short.result(PATIENCE_S)
    assert found == "B"
    assert str(lost) == "0 results for 1 texts"


def test_a_model_that_fails_on_a_plain_text_is_given_up(batcher, gate):
    """A failure that is not the text's, such as a broken device, is seen: nobody is served wrongly or waits."""
    assert batcher.problem(60) is None
    gate.is_broken = True
    with pytest.raises(OSError, match="device"):
        batcher.submit(["a"], LATER).result(PATIENCE_S)
    assert "OSError" in batcher.problem(60)
    assert not batcher.is_alive
    with pytest.raises(RequestError) as caught:
        batcher.submit(["b"], LATER)
    assert caught.value.status == 503


@pytest.mark.parametrize("is_left", [True, False])
def test_halves_are_not_tried_where_memory_has_run_out(batcher, gate, monkeypatch, is_left):
    """They would fail one by one for minutes: all that wait get 503. With memory left, the pass was too large."""
    monkeypatch.setattr(memory, "_gets_more", lambda: is_left)
    gate.most = 3
    first = _while_busy(batcher, gate)
    futures = [batcher.submit(["a"] * 8, LATER), batcher.submit(["b"], LATER)]
    gate.may_go.set()
    assert first.result(PATIENCE_S) == ["FIRST"]
    if is_left:
        assert [future.result(PATIENCE_S) for future in futures] == [["A"] * 8, ["B"]]
        assert batcher.is_alive
        return
    for future in futures:
        with pytest.raises(RequestError) as caught:
            future.result(PATIENCE_S)
        assert caught.value.status == 503
    assert batcher.problem(60) == memory.NO_MEMORY
    assert gate.passes == [["first"], ["a"] * 4 + ["b"]]


def test_a_pass_that_does_not_end_is_seen(batcher, gate):
    """A model that says nothing for longer than allowed is a problem while it lasts."""
    first = _while_busy(batcher, gate)
    assert batcher.problem(60) is None
    while batcher.problem(0.01) is None:
        time.sleep(0.001)
    assert "0.01 s" in batcher.problem(0.01)
    gate.may_go.set()
    first.result(PATIENCE_S)
    while batcher.problem(0.0) is not None:
        time.sleep(0.001)


def test_abandoned_requests_fail_at_once(batcher, gate):
    """abandon() answers what is in the model and what waits for it with 503."""
    jobs = [_while_busy(batcher, gate), batcher.submit(["second"], LATER)]
    batcher.abandon()
    for job in jobs:
        with pytest.raises(RequestError) as caught:
            job.result(0)
        assert caught.value.status == 503
    gate.may_go.set()


def test_two_models_share_the_work():
    """With two model threads two passes run at once, and a request's results are in order all the same."""
    both = threading.Barrier(2, timeout=PATIENCE_S)

    def predict(texts: Sequence[str]) -> list[str]:
        both.wait()
        return [text.upper() for text in texts]

    chosen: dict[str, Any] = {"cost_of": len, "max_cost": 2, "max_waiting_cost": 1000}
    batcher = MicroBatcher([predict, predict], metrics=Metrics(), **chosen)
    texts = [chr(97 + i) for i in range(16)]
    assert batcher.submit(texts, LATER).result(PATIENCE_S) == [text.upper() for text in texts]
    assert batcher.close(PATIENCE_S)


def test_nobody_is_predicted_for_who_has_left(batcher, gate):
    """Texts of a cancelled request never reach the model."""
    first = _while_busy(batcher, gate)
    left, stays = batcher.submit(["left"], LATER), batcher.submit(["stays"], LATER)
    assert left.cancel()
    gate.may_go.set()
    assert (first.result(PATIENCE_S), stays.result(30)) == (["FIRST"], ["STAYS"])
    assert gate.passes == [["first"], ["stays"]]
    with pytest.raises(CancelledError):
        left.result(PATIENCE_S)


def test_nothing_is_begun_after_the_deadline(batcher, gate):
    """A request whose time is up gets 504, and its texts never reach the model."""
    first = _while_busy(batcher, gate)
    late = batcher.submit(["late"], time.monotonic())
    gate.may_go.set()
    first.result(PATIENCE_S)
    with pytest.raises(RequestError) as caught:
        late.result(PATIENCE_S)
    assert caught.value.status == 504
    assert gate.passes == [["first"]]


def test_a_request_too_many_is_refused_at_once(gate):
    """More than may wait is refused with 429 while the model is busy, and served afterwards."""
    batcher = _make(gate, max_waiting_cost=8)
    first = _while_busy(batcher, gate)
    second = batcher.submit(["second", "too"], LATER)  # costs 9: where nothing waits anything is taken
    with pytest.raises(RequestError) as caught:
        batcher.submit(["x"], LATER)
    assert caught.value.status == 429
    assert second.cancel()
    gate.may_go.set()
    assert first.result(PATIENCE_S) == ["FIRST"]
    while True:
        try:
            assert batcher.submit(["third"], LATER).result(PATIENCE_S) == ["THIRD"]
            break
        except RequestError:  # the model has not looked at the cancelled one yet
            time.sleep(0.001)
    assert gate.passes == [["first"], ["third"]]
    assert batcher.close(PATIENCE_S)


def test_closing_answers_what_waits(gate):
    """close() lets the requests that are in finish, and refuses new ones with 503."""
    batcher = _make(gate)
    first = _while_busy(batcher, gate)
    second = batcher.submit(["second"], LATER)
    assert not batcher.close(timeout=0)
    assert not batcher.is_alive
    with pytest.raises(RequestError) as caught:
        batcher.submit(["third"], LATER)
    assert caught.value.status == 503
    gate.may_go.set()
    assert batcher.close(timeout=PATIENCE_S)
    assert (first.result(0), second.result(0)) == (["FIRST"], ["SECOND"])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # its death is the point
def test_a_dead_thread_is_seen_and_nobody_waits_for_it(batcher, gate):
    """When a thread ends for whatever reason, waiting requests get 503 and is_alive turns false."""
    first = _while_busy(batcher, gate)
    fatal, other = batcher.submit(["exit"], LATER), batcher.submit(["other"], LATER)
    gate.may_go.set()
    assert first.result(PATIENCE_S) == ["FIRST"]
    for future in (fatal, other):
        with pytest.raises(RequestError) as caught:
            future.result(PATIENCE_S)
        assert caught.value.status == 503
    assert not batcher.is_alive


def test_many_threads_get_their_own_results(batcher):
    """Under concurrent use every request gets the results of its own texts."""
    texts = [[f"t{i}-{j}" for j in range(i % 5 + 1)] for i in range(200)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda own: batcher.submit(own, LATER).result(PATIENCE_S), texts))
    assert answers == [[text.upper() for text in own] for own in texts]
