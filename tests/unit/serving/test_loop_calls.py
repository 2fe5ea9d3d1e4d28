"""What threads leave to the event loop: every call is made, and those that wait together wake it once."""

import os
import select
import threading
from collections.abc import Iterator

import pytest

from bert_classifier.serving.loop_calls import LoopCalls
from support.patience import PATIENCE_S


@pytest.fixture
def calls() -> Iterator[LoopCalls]:
    """Return a queue of calls."""
    made = LoopCalls()
    made.init()
    yield made
    made.close()


def _is_awake(calls: LoopCalls, seconds: float = 0) -> bool:
    return bool(select.select([calls.fileno()], [], [], seconds)[0])


def test_calls_that_wait_together_wake_the_loop_once(calls):
    """One byte lies in the pipe for all of them, and none after they have been made."""
    made: list[object] = []
    for number in range(300):
        calls.defer(made.append, number)
    assert os.read(calls.fileno(), 1000) == b"\0"
    calls.run_callbacks(None)
    assert made == list(range(300))
    assert not _is_awake(calls)


def test_a_call_of_a_call_wakes_the_loop_again(calls):
    """It is not made in the same turn, which could then last for ever, but it is not forgotten either."""
    made: list[object] = []
    calls.defer(lambda: calls.defer(made.append, "later"))
    calls.run_callbacks(None)
    assert made == []
    assert _is_awake(calls)
    calls.run_callbacks(None)
    assert made == ["later"]


def test_no_call_is_left_behind(calls):
    """Whatever the moment at which threads leave their calls, the loop wakes for each."""
    made: list[tuple[int, int]] = []

    def leave_calls(name: int) -> None:
        for number in range(5000):
            calls.defer(made.append, (name, number))

    threads = [threading.Thread(target=leave_calls, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    while len(made) < 20_000:
        assert _is_awake(calls, PATIENCE_S)
        calls.run_callbacks(None)
    for name in range(4):
        assert [number for own, number in made if own == name] == list(range(5000))
