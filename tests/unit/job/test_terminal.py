"""Lines above a bar: what a terminal shows when several write to it, and where there is no terminal."""

import io
import logging
import os
import sys
from collections.abc import Iterator, Mapping

import pytest

from bert_classifier import log
from bert_classifier.job import terminal
from bert_classifier.job.terminal import LinesAboveBar, has_bar, is_watched, redraw_with, use_terminal
from support.screen import screen_of


class _Terminal(io.StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True

    def use(self, monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
        """Run a program on it, until the test ends."""
        monkeypatch.setattr(sys, "stdout", self)
        monkeypatch.setattr(sys, "stderr", self)
        use_terminal(variables)


CAPABLE = {"TERM": "xterm"}


@pytest.fixture
def tty() -> Iterator[_Terminal]:
    """Return a terminal, whose bar is removed."""
    yield _Terminal()
    redraw_with(None)


def draw_on(tty: _Terminal) -> None:
    """Draw a bar."""
    tty.write("\r 50%|##  | 1/2")


def test_lines_and_a_bar_share_a_terminal(tty, monkeypatch):
    """Prints, the pieces of a line and a traceback stand above the bar, whole; the bar follows them."""
    tty.use(monkeypatch, CAPABLE)
    redraw_with(lambda: draw_on(tty))
    draw_on(tty)
    sys.stdout.writelines(["one", " ", "2\n"])
    sys.stderr.write("Traceback:\n  line\nError\n")
    sys.stdout.write("no end of line")
    draw_on(tty)
    assert screen_of(tty.getvalue(), 40) == ["one 2", "Traceback:", "  line", "Error", " 50%|##  | 1/2"]
    sys.stdout.write(", and its end\n")
    assert screen_of(tty.getvalue(), 40)[-2:] == ["no end of line, and its end", " 50%|##  | 1/2"]


def test_another_process_clears_a_bar_that_it_does_not_know(tty):
    """Its lines are whole, and the bar comes back with its next drawing."""
    draw_on(tty)
    LinesAboveBar(tty).write("from another process\n")
    draw_on(tty)
    assert screen_of(tty.getvalue(), 40) == ["from another process", " 50%|##  | 1/2"]


def test_bars_of_other_libraries_pass(tty, monkeypatch):
    """What has a carriage return is not held back until its line ends, nor cleared in between."""
    tty.use(monkeypatch, CAPABLE)
    sys.stderr.write("\rloading 1 %")
    sys.stderr.write("\rloading 9 %")
    assert screen_of(tty.getvalue(), 40) == ["loading 9 %"]
    sys.stderr.write(" of it\n")
    assert screen_of(tty.getvalue(), 40) == ["loading 9 % of it"]


@pytest.mark.parametrize(
    ("variables", "bar"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "dumb"}, False),
        ({}, False),
        ({"TERM": "xterm", "TRAINING_JOB_NAME": "job"}, False),
    ],
)
def test_a_bar_needs_a_capable_terminal(tty, monkeypatch, variables, bar):
    """None on dumb ones, and none in a SageMaker job, whose log it would flood."""
    tty.use(monkeypatch, variables)
    assert (has_bar(), is_watched()) == (bar, bar)


def test_a_log_in_a_file_is_not_watched(tty, monkeypatch):
    """With standard output in a file, the bar stands on standard error, and the file gets the whole log."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", tty)
    use_terminal(CAPABLE)
    assert (has_bar(), is_watched()) == (True, False)
    assert not isinstance(sys.stdout, LinesAboveBar)


@pytest.mark.parametrize(
    ("columns", "width"), [(120, 117), (40, 37), (2, 1), (0, 77)], ids=["wide", "narrow", "tiny", "unknown"]
)
def test_a_bar_leaves_room_for_an_echo(tty, monkeypatch, columns, width):
    """^C after a bar of the whole width would wrap, and leave the bar behind."""
    monkeypatch.setattr(sys, "stderr", tty)
    monkeypatch.setattr(tty, "fileno", lambda: 1)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((columns, 24)))
    assert terminal.bar_width() == width


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """Return the package's logger, whose handlers are put back."""
    found = logging.getLogger("bert_classifier")
    handlers, level, propagate = found.handlers[:], found.level, found.propagate
    yield found
    found.handlers[:], found.level, found.propagate = handlers, level, propagate


@pytest.mark.parametrize("is_watched", [True, False])
def test_each_reader_gets_its_lines(logger, is_watched):
    """A person reads words, a service numbers; what is for both is never left out."""
    stream = io.StringIO()
    log.configure("INFO", stream, is_watched=is_watched)
    logger.info("loss=1", extra=log.METRICS)
    logger.info("a loss of 1", extra=log.PEOPLE)
    logger.warning("careful")
    first, second = stream.getvalue().splitlines()
    assert first.endswith("a loss of 1" if is_watched else "loss=1")
    assert ("INFO" in first, "WARNING" in second) == (not is_watched, True)
    log.show_metrics()
    logger.info("loss=2", extra=log.METRICS)
    logger.info("a loss of 2", extra=log.PEOPLE)
    assert len(stream.getvalue().splitlines()) == (4 if is_watched else 3)
