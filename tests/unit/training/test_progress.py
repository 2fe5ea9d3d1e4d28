"""Metric lines of a run: when they come, and that their numbers are those of the steps since the last one."""

import logging
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.training import progress as progress_module
from bert_classifier.training.progress import Progress, StepReport, TextProgress, metric_line

NAMES = [
    "step", "total_steps", "epoch", "train_loss", "grad_norm", "learning_rate",
    "examples_per_second", "tokens_per_second", "padding_share", "data_share", "sync_share", "scaling", "eta_seconds",
]  # fmt: skip
VALUES = st.one_of(st.integers(-(10**12), 10**12), st.floats(-1e15, 1e15, allow_nan=False))


def report(loss: float = 0.5, examples: int = 8, rate: float = 2e-5) -> StepReport:
    """Return what one step did."""
    return StepReport(loss, 1.5, rate, examples, tokens=30 * examples, padded_tokens=40 * examples)


def lines_of(caplog: pytest.LogCaptureFixture) -> list[dict[str, float]]:
    """Return the logged metric lines, read as a metric service would."""
    return [
        {name: float(value) for name, value in re.findall(r"(\w+)=(-?[0-9.]+)(?=\s|$)", message)}
        for message in caplog.messages
    ]


@pytest.fixture(autouse=True)
def _log_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="bert_classifier")


def test_first_and_last_step_are_always_logged(caplog):
    """Between them a line comes when its interval has passed: none in a run of moments."""
    progress = Progress(20, 5)
    for step in range(1, 21):
        progress.update(step, report())
    assert [line["step"] for line in lines_of(caplog)] == [1, 20]


def test_lines_by_steps(caplog):
    """log_every counts steps of the run, not of this attempt."""
    progress = Progress(20, 5, first_step=6, log_every=4)
    for step in range(7, 21):
        progress.update(step, report())
    assert [line["step"] for line in lines_of(caplog)] == [7, 8, 12, 16, 20]


def test_a_line_sums_the_steps_since_the_last(caplog):
    """Loss is the mean over texts, not over steps; learning rate and norm are the last step's."""
    progress = Progress(4, 2, log_every=3)
    progress.update(1, report(loss=9.0))
    progress.update(2, report(loss=1.0, examples=30))
    progress.update(3, report(loss=4.0, examples=10, rate=1e-5))
    line = lines_of(caplog)[1]
    assert list(line) == NAMES
    assert line["train_loss"] == pytest.approx((30 * 1.0 + 10 * 4.0) / 40)
    assert line["learning_rate"] == pytest.approx(1e-5)
    assert line["grad_norm"] == 1.5
    assert line["epoch"] == 1.5
    assert line["padding_share"] == pytest.approx(0.25)
    assert line["examples_per_second"] > 0
    assert line["tokens_per_second"] == pytest.approx(30 * line["examples_per_second"], rel=0.01)


class Clock:
    """Stands for the module time: moves when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let progress read a clock of the test's own."""
    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    return clock


def test_lines_by_time(caplog, clock):
    """Without log_every a line comes every ten seconds."""
    progress = Progress(20, 5)
    for step in range(1, 21):
        clock.now += 3
        progress.update(step, report())
    assert [line["step"] for line in lines_of(caplog)] == [1, 5, 9, 13, 17, 20]


def test_rates_and_remaining_time(caplog, clock):
    """Four seconds per step of eight texts are two texts per second; the rest is expected at that rate."""
    progress = Progress(10, 5, first_step=4, log_every=2)
    for step in range(5, 11):
        clock.now += 4
        progress.update(step, report())
    lines = lines_of(caplog)
    assert [line["examples_per_second"] for line in lines] == [2.0] * 4
    assert [line["tokens_per_second"] for line in lines] == [60.0] * 4
    assert [(line["step"], line["eta_seconds"]) for line in lines] == [(5, 20), (6, 16), (8, 8), (10, 0)]


def test_time_left_out_does_not_count(caplog, clock):
    """An evaluation of an hour between two steps does not lower the rates, though it counts for the rest."""
    progress = Progress(3, 3, log_every=1)
    clock.now += 2
    progress.update(1, report())
    clock.now += 3600
    progress.exclude(3600)
    clock.now += 2
    progress.update(2, report())
    first, second = lines_of(caplog)
    assert first["examples_per_second"] == second["examples_per_second"] == 4.0
    assert second["eta_seconds"] == 1802


def test_no_line_holds_an_exponent(caplog):
    """Regexes of metric services cut an exponent off, and 2e-05 would be 2."""
    Progress(1, 1).update(1, report(loss=1e-9, rate=3e-7))
    assert not re.search(r"\d[eE][+-]?\d", caplog.text)
    assert lines_of(caplog)[0]["learning_rate"] == pytest.approx(3e-7)


def test_bar_is_drawn_and_taken_off(capsys):
    """Where it is wanted, the bar goes to standard error, and standard output stays the log's."""
    progress = Progress(3, 3, bar=True)
    progress.update(1, report())
    progress.close()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "step" in captured.err


def test_without_a_bar_nothing_is_drawn(capsys):
    """In a job the log holds lines, nothing else."""
    progress = Progress(3, 3)
    progress.update(1, report())
    progress.close()
    assert capsys.readouterr().err == ""


def test_progress_is_logged_now_and_then_with_an_estimate(caplog, clock):
    """A line when ten seconds have passed since the last: how far, of how much, and how long the rest takes."""
    progress = TextProgress("train", 1000)
    for done, seconds in ((100, 4), (200, 6), (300, 1), (400, 9)):
        clock.now += seconds
        progress.update(done)
    progress.close()
    assert caplog.messages == [
        "train: 200 of 1000 texts tokenised, about 40 s to go",
        "train: 400 of 1000 texts tokenised, about 30 s to go",
    ]


def test_texts_have_a_bar_where_it_is_seen(capsys, caplog):
    """With the channel's name, on standard error; the log has no line then."""
    progress = TextProgress("train", 10, bar=True)
    progress.update(4)
    progress.update(10)
    progress.close()
    assert "train" in capsys.readouterr().err
    assert caplog.messages == []


def test_the_last_steps_are_logged_wherever_training_ends(caplog):
    """Stopped, or ended early: the last loss of the log is not that of step 1."""
    progress = Progress(20, 5)
    for step in range(1, 8):
        progress.update(step, report(loss=float(step)))
    progress.close()
    progress.close()
    assert [(line["step"], line["train_loss"]) for line in lines_of(caplog)] == [(1, 1.0), (7, 4.5)]


@given(values=st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), VALUES, max_size=6))
def test_metric_lines_are_read_back(values):
    """Every value is plain decimals without an exponent, and close to what it was."""
    line = metric_line(values)
    pairs = re.findall(r"(?:^| )([a-z0-9_]+)=(-?[0-9]+(?:\.[0-9]+)?)(?= |$)", line)
    assert " ".join(f"{name}={number}" for name, number in pairs) == line
    assert [name for name, _ in pairs] == list(values)
    for (_, number), value in zip(pairs, values.values(), strict=True):
        assert math.isclose(
            float(number), value, rel_tol=1e-3, abs_tol=6e-5 if abs(value) >= 0.001 else 1e-10
        )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2e-5, "0.0000200000"), (1e-7, "0.0000001000"), (0.0, "0.0000"), (0.25, "0.2500"), (3, "3"),
        (12345.678, "12346"), (-0.5, "-0.5000"), (0.001, "0.0010"), (1e9, "1000000000"),
        (999.99999, "1000.0000"), (-2e-12, "-0.0000000000"),
    ],
)  # fmt: skip
def test_numbers_are_written_plainly(value, text):
    """A learning rate keeps its digits, a throughput loses its fraction."""
    assert metric_line({"x": value}) == f"x={text}"
