"""Stop signals: recorded, or obeyed at once where nothing can be lost."""

import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from bert_classifier.training.signals import Stopped, StopSignal
from support.patience import PATIENCE_S


@pytest.fixture
def stop() -> Iterator[StopSignal]:
    """Return one that listens; the test's own handlers come back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    listening = StopSignal()
    listening.listen()
    yield listening
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_is_only_noted(stop):
    """What runs goes on until it asks."""
    signal.raise_signal(signal.SIGTERM)
    assert stop.number == signal.SIGTERM
    with pytest.raises(Stopped, match="SIGTERM"):
        stop.check()


def test_the_first_signal_counts(stop):
    """make train-local sends SIGTERM after the terminal's SIGINT."""
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Stopped, match=r"^SIGINT$"):
        stop.check()


def test_immediately_leaves_in_the_middle_even_of_code_that_survives_any_error(stop):
    """A loop that never asks, and catches what it can, is left by the signal itself."""
    turns = []

    def read() -> None:
        for turn in range(10):
            try:
                turns.append(turn)
                if turn == 3:
                    os.kill(os.getpid(), signal.SIGHUP)
            except Exception:  # noqa: BLE001 - as a Dataset may
                turns.append(-1)

    with pytest.raises(Stopped, match="SIGHUP before training began: nothing is lost"), stop.immediately():
        read()
    assert turns == [0, 1, 2, 3]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_that_python_drops_comes_again(stop, number):
    """It drops what is raised while an object is finalised, which happens at each import."""

    class Finalised:
        def __del__(self) -> None:
            signal.raise_signal(number)

    def work() -> None:
        Finalised()
        time.sleep(PATIENCE_S)
        pytest.fail("it worked on")

    with pytest.raises(Stopped, match=signal.Signals(number).name), stop.immediately():
        work()


def test_what_else_python_drops_is_shown(stop, monkeypatch):
    """By the hook that was there, which is there again behind it."""
    shown = []
    monkeypatch.setattr(sys, "unraisablehook", before := lambda dropped: shown.append(dropped.exc_value))

    class Broken:
        def __del__(self) -> None:
            raise ValueError

    with stop.immediately():
        Broken()
    assert [type(error) for error in shown] == [ValueError]
    assert sys.unraisablehook is before


def test_a_signal_that_came_before_counts(stop):
    """Nothing is begun."""
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Stopped, match="SIGTERM"), stop.immediately():
        pytest.fail("begun")


def test_the_leaving_is_not_disturbed_by_another_signal(stop):
    """What cleans up on the way out runs to its end."""
    cleaned = []

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            cleaned.append(True)

    with pytest.raises(Stopped, match="SIGTERM"), stop.immediately():
        work()
    assert cleaned == [True]


def test_behind_it_signals_are_noted_again(stop):
    """Only the block is left at once."""
    with stop.immediately():
        pass
    signal.raise_signal(signal.SIGTERM)
    assert stop.number == signal.SIGTERM
