"""Small requests that find a model thread idle: predicted by the thread that brings them, in that one's place."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from bert_classifier.errors import RequestError
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.batcher import MicroBatcher
from support.patience import PATIENCE_S

LATER = 1e12  # a deadline that does not come
QUICK = 10  # characters


class Model:
    """A predictor that notes who computes what, and can be held."""

    def __init__(self) -> None:
        self.passes: list[tuple[str, list[str]]] = []
        self.at_once, self.most_at_once = 0, 0
        self.may_go = threading.Event()
        self.may_go.set()
        self._lock = threading.Lock()

    def predict(self, texts: Sequence[str]) -> list[str]:
        with self._lock:
            self.passes.append((threading.current_thread().name, list(texts)))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            assert self.may_go.wait(PATIENCE_S)
            time.sleep(0.0005)  # for others to come meanwhile
            if "exit" in texts:
                raise SystemExit
            if "poison" in texts:
                raise ValueError("poison")
            return [text.upper() for text in texts]
        finally:
            with self._lock:
                self.at_once -= 1


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def make(model: Model) -> Iterator[Callable[..., MicroBatcher[str]]]:
    made: list[MicroBatcher[str]] = []

    def make(threads: int = 1) -> MicroBatcher[str]:
        settings: dict[str, Any] = {"cost_of": len, "max_cost": 100, "max_waiting_cost": 1000}
        predicts = [model.predict] * threads
        made.append(MicroBatcher(predicts, metrics=Metrics(), quick_cost=QUICK, **settings))
        _wait_until(lambda: len(made[-1]._asleep) == threads)
        return made[-1]

    yield make
    model.may_go.set()
    for batcher in made:
        batcher.close(PATIENCE_S)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8, thread_name_prefix="caller") as made:
        yield made


def _wait_until(condition: Callable[[], Any]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


def _held(batcher: MicroBatcher[str], model: Model, pool: ThreadPoolExecutor, text: str) -> "Future[Any]":
    """Have another thread bring a text, and return once it is in the model and stays there."""
    model.may_go.clear()
    before = len(model.passes)
    caller = pool.submit(lambda: batcher.submit([text], LATER).result(PATIENCE_S))
    _wait_until(lambda: len(model.passes) > before)
    return caller


def test_whoever_brings_it_predicts_it(make, model):
    """The results are there when submit returns, and no other thread has done anything."""
    batcher = make()
    assert batcher.submit(["a"], LATER).result(0) == ["A"]
    assert model.passes == [(threading.current_thread().name, ["a"])]


def test_a_larger_one_is_left_to_the_model_thread(make, model):
    """What costs more than quick_cost may need several cores, which only a model thread has."""
    assert make().submit(["a" * (QUICK + 1)], LATER).result(PATIENCE_S) == ["A" * (QUICK + 1)]
    assert model.passes[0][0] == "model-0"


def test_several_texts_are_shared_by_idle_model_threads(make, model):
    """One thread alone would take twice as long for them, however short they are."""
    batcher = make(threads=2)
    model.may_go.clear()
    both = batcher.submit(["a", "b"], LATER)
    _wait_until(lambda: len(model.passes) == 2)
    model.may_go.set()
    assert both.result(PATIENCE_S) == ["A", "B"]
    assert sorted(name for name, _ in model.passes) == ["model-0", "model-1"]


def test_it_may_be_predicted_otherwise_than_by_model_threads(model):
    """Such as on one core."""
    batcher = MicroBatcher(
        [model.predict],
        cost_of=len,
        max_cost=100,
        max_waiting_cost=1000,
        metrics=Metrics(),
        quick_cost=QUICK,
        quick_predicts=[lambda texts: [f"quick {text}" for text in texts]],
    )
    _wait_until(lambda: batcher._asleep)
    assert batcher.submit(["a"], LATER).result(0) == ["quick a"]
    assert batcher.submit(["a", "b"], LATER).result(PATIENCE_S) == ["A", "B"]
    assert batcher.close(PATIENCE_S)


def test_nobody_computes_beside_as_many_as_there_are_models(make, model, pool):
    """A place is taken once; those who come meanwhile wait in the queue, and share the next pass."""
    batcher = make(threads=2)
    first = [_held(batcher, model, pool, text) for text in ("one", "two")]
    waiting = [batcher.submit([text], LATER) for text in "abc"]
    assert len(model.passes) == 2
    model.may_go.set()
    assert [caller.result(PATIENCE_S) for caller in first] == [["ONE"], ["TWO"]]
    assert [each.result(PATIENCE_S) for each in waiting] == [["A"], ["B"], ["C"]]
    assert model.most_at_once == 2
    assert {name for name, _ in model.passes[2:]} <= {"model-0", "model-1"}


def test_the_next_one_finds_the_place_free_again(make, model):
    """After a pass in another's place, that one is idle as before, also for what is not quick."""
    batcher = make()
    for _ in range(3):
        assert batcher.submit(["a"], LATER).result(0) == ["A"]
        assert batcher.submit(["long enough to wait"], LATER).result(PATIENCE_S) == ["LONG ENOUGH TO WAIT"]
        _wait_until(lambda: batcher._asleep)
    assert [name == "model-0" for name, _ in model.passes] == [False, True] * 3


def test_a_text_that_fails_here_fails_alone(make):
    """Its error is raised; the model answers the next one."""
    batcher = make()
    with pytest.raises(ValueError, match="poison"):
        batcher.submit(["poison"], LATER).result(0)
    assert batcher.submit(["a"], LATER).result(0) == ["A"]


def test_what_would_end_a_model_thread_ends_the_model(make):
    """Whoever brought it gets 503, as do all who come later; the thread itself lives on."""
    batcher = make()
    with pytest.raises(RequestError) as caught:
        batcher.submit(["exit"], LATER).result(0)
    assert caught.value.status == 503
    assert batcher.problem(60) == "a model thread has died"
    with pytest.raises(RequestError):
        batcher.submit(["a"], LATER)


def test_nothing_is_begun_after_the_deadline(make, model):
    """A request whose time is up gets 504 and never reaches the model."""
    batcher = make()
    with pytest.raises(RequestError) as caught:
        batcher.submit(["late"], time.monotonic()).result(PATIENCE_S)
    assert caught.value.status == 504
    assert not model.passes


def test_a_pass_that_does_not_end_is_seen_and_its_request_can_be_given_up(make, model, pool):
    """Such a pass is a problem while it lasts; abandon() fails its request, whose thread cannot answer yet."""
    batcher = make()
    caller = _held(batcher, model, pool, "stuck")
    _wait_until(lambda: batcher.problem(0.01) is not None)
    (job,) = batcher._unfinished
    batcher.abandon()
    with pytest.raises(RequestError):
        job.future.result(0)
    model.may_go.set()
    with pytest.raises(RequestError):
        caller.result(PATIENCE_S)
    _wait_until(lambda: batcher.problem(0.0) is None)


def test_closing_loses_nothing(make, model, pool):
    """What is being predicted by its own thread ends, and what waits behind it is answered."""
    batcher = make()
    first = _held(batcher, model, pool, "first")
    second = batcher.submit(["second"], LATER)
    closing = pool.submit(batcher.close, PATIENCE_S)
    model.may_go.set()
    assert closing.result(PATIENCE_S)
    assert (first.result(PATIENCE_S), second.result(0)) == (["FIRST"], ["SECOND"])


def test_many_threads_get_their_own_results(make, model, pool):
    """Quick and slow requests at once: each gets the results of its own texts, and no place is lost."""
    batcher = make(threads=2)
    texts = [[f"t{i}-{j}" for j in range(i % 4 + 1)] for i in range(300)]
    answers = list(pool.map(lambda own: batcher.submit(own, LATER).result(PATIENCE_S), texts))
    assert answers == [[text.upper() for text in own] for own in texts]
    assert model.most_at_once <= 2
    _wait_until(lambda: sorted(batcher._asleep) == [0, 1])
    assert not batcher._unfinished
    assert not batcher._waiting_cost
    assert {name.split("-")[0].split("_")[0] for name, _ in model.passes} == {"caller", "model"}
