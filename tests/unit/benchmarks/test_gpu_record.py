"""The record on a GPU, as far as it needs none: what is refused, judged, read from a log, written down."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gpu import document, goals, parts, prices, train_log
from benchmarks.gpu.training_job import choose_rows, remarks
from bert_classifier.errors import UserError
from support.patience import PATIENCE_S
from support.source_tree import ROOT

SCRIPT = ROOT / "tests" / "benchmarks" / "gpu_record.py"
PATHS = os.pathsep.join(str(ROOT / name) for name in ("container", "tests", "local_test"))

LOG = """\
2026-11-28T19:25:40 INFO reading the data
2026-11-28T19:25:41 INFO tokenising the texts: train 2000, validation 692
2026-11-28T19:25:42 INFO examining the data
2026-11-28T19:25:42 INFO data: 1 finding, in output/data/data_report.json
2026-11-28T19:25:45 INFO training 109.5 M parameters on 1 × cuda (2 threads, bf16): 8 steps of 256 texts
2026-11-28T19:25:45 INFO step=1 total_steps=8 epoch=0.1250 train_loss=2.6000 examples_per_second=3000
2026-11-28T19:25:50 INFO step=8 total_steps=8 epoch=1.0000 train_loss=0.0170 examples_per_second=3344
2026-11-28T19:25:52 INFO step=8 eval_loss=0.0400 eval_accuracy=0.9865 eval_macro_f1=0.9860 best_step=8
2026-11-28T19:25:55 INFO the model has the weights of step 8 of 8 (best evaluation, keep_weights=auto)
2026-11-28T19:25:55 INFO kept_step=8 eval_loss=0.0400
2026-11-28T19:25:55 INFO test_texts=65000 test_accuracy=0.9931 test_loss=0.0300
2026-11-28T19:25:56 INFO done in 22 s: ml/model
"""


def lines() -> list[train_log.Line]:
    """Return the log, each line a second and a half after the one before."""
    return [train_log.Line(1.5 * number, text) for number, text in enumerate(LOG.splitlines(), start=2)]


def test_a_machine_without_a_gpu_is_refused_in_one_sentence_and_nothing_is_written(tmp_path: Path) -> None:
    """Before data are read; the sentence says what to do."""
    command = [sys.executable, str(SCRIPT), "--train", "missing.csv", "--output", str(tmp_path / "record")]
    environ = {**os.environ, "PYTHONPATH": PATHS, "CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("gpu-record measures an NVIDIA GPU, and none can be used: ")
    assert "Run it on a machine that has one" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / "record").exists()


def test_a_python_without_the_requirements_is_refused() -> None:
    """The package that is missing is named."""
    command = [sys.executable, "-S", str(SCRIPT), "--check"]
    ended = subprocess.run(
        command, env={"PYTHONPATH": PATHS}, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert ended.returncode == 2
    assert "cannot measure a GPU: No module named 'accelerate'" in ended.stderr


def test_phases_follow_each_other_and_fill_the_time() -> None:
    """Each lasts until the next begins, the last one until the program ended."""
    phases = train_log.phases_of(lines(), 20.0)
    assert list(phases) == [
        "starting", "reading", "tokenising", "examining the data", "loading the model", "training",
        "evaluating on validation", "evaluating on test, exporting", "writing reports",
    ]  # fmt: skip
    assert phases["starting"] == 3.0
    assert phases["training"] == 3.0  # the first of eight steps does not end it
    assert phases["writing reports"] == 5.0
    assert sum(phases.values()) == pytest.approx(20.0)


def test_a_log_that_ends_early_gives_the_phases_until_then() -> None:
    """As of a program that ran out of time while it trained."""
    phases = train_log.phases_of(lines()[:6], 100.0)
    assert list(phases)[-1] == "training"
    assert phases["training"] == 91.0
    assert not train_log.is_done(lines()[:6])
    assert train_log.is_done(lines())


def test_scores_are_read_by_their_whole_name() -> None:
    """eval_accuracy is not accuracy, and kept_step's line repeats no test score."""
    assert train_log.values_of(lines(), "test_accuracy") == [0.9931]
    assert train_log.values_of(lines(), "accuracy") == []
    assert train_log.values_of(lines(), "examples_per_second") == [3000, 3344]


def judged(**figures: list[goals.Figure]) -> dict[str, tuple[object, str]]:
    """Return what was measured and the outcome, by the figure that a goal looks at."""
    results = goals.judge_all({name.replace("_", "-"): found for name, found in figures.items()})
    return {
        goal.figure + ("" if goal.part != "speed" else "@speed"): (result["measured"], result["outcome"])
        for goal, result in zip(goals.GOALS, results, strict=True)
    }


def test_nothing_measured_is_no_goal_missed() -> None:
    """A part that did not run, or measured something else, leaves its goals open."""
    assert {outcome for _, outcome in judged().values()} == {goals.NOT_MEASURED}
    few = {"texts": 2000, "seconds": 5.0, "is_bert_base": True, "exit_code": 0}
    assert judged(job=[few, {"phase": "reading", "seconds": 1.0}])["seconds"] == (None, goals.NOT_MEASURED)
    assert judged(speed_256=[{"batch": 256, "share_of_peak": None}])["share_of_peak@speed"][0] is None


@pytest.mark.parametrize(("seconds", "outcome"), [(59.9, goals.MET), (60.0, goals.NOT_MET)])
def test_the_whole_program_counts_with_all_texts_of_bert_base(seconds, outcome) -> None:
    """Another encoder, or a run that failed, does not."""
    whole = {"texts": 560_000, "seconds": seconds, "is_bert_base": True, "exit_code": 0}
    assert judged(job=[whole])["seconds"] == (seconds, outcome)
    for other in ({"is_bert_base": False}, {"exit_code": 1}):
        assert judged(job=[{**whole, **other}])["seconds"] == (None, goals.NOT_MEASURED)


def test_the_best_figure_of_the_right_kind_counts() -> None:
    """Large batches for the share of the peak, batch 32 beside the other trainer, 64 tokens for serving."""
    result = judged(
        speed_32=[{"batch": 32, "share_of_peak": 0.9, "times_transformers": 2.1}],
        speed_256=[{"batch": 256, "share_of_peak": 0.41, "times_transformers": 9.0}],
        speed_1024=[{"batch": 1024, "share_of_peak": 0.46, "times_transformers": None}],
        bits_reproducible=[{"mode": "reproducible", "is_identical": True}],
        bits_default=[{"mode": "default", "is_identical": False}],
        serving=[
            {"lengths": "64", "texts_per_second": 1999.0},
            {"lengths": "real", "texts_per_second": 9000.0},
        ],
    )
    assert result["share_of_peak@speed"] == (0.46, goals.MET)
    assert result["times_transformers@speed"] == (2.1, goals.MET)
    assert result["is_identical"] == (1.0, goals.MET)
    assert result["texts_per_second"] == (1999.0, goals.NOT_MET)


def test_a_gradient_counts_only_if_memory_ran_out() -> None:
    """Micro-batches that were not halved have shown nothing."""
    figure = {"first_budget": 65_536, "gradient_change": 0.004}
    assert judged(memory=[{**figure, "budget": 16_384}])["gradient_change"] == (0.004, goals.MET)
    assert judged(memory=[{**figure, "budget": 65_536}])["gradient_change"] == (None, goals.NOT_MEASURED)


def test_dollars_are_seconds_times_the_price_that_was_given() -> None:
    """One price, or several with names; without any, nothing."""
    assert prices.dollars_for(1800, prices.parse_prices("6.88")) == {"given": pytest.approx(3.44)}
    several = prices.parse_prices("ml.p5.4xlarge=6.88 spot=$2.5")
    assert prices.dollars_for(60, several) == pytest.approx({"ml.p5.4xlarge": 6.88 / 60, "spot": 2.5 / 60})
    assert prices.dollars_for(60, prices.parse_prices("")) == {}


@pytest.mark.parametrize("text", ["cheap", "-1", "0", "nan", "inf", "h100=", "6.88 €"])
def test_what_is_no_price_is_refused(text: str) -> None:
    """With an example of one."""
    with pytest.raises(UserError, match=r"is no price\. Give dollars per hour"):
        prices.parse_prices(text)


def test_all_of_a_whole_data_set_is_trained_on_once() -> None:
    """With a test file, validation is taken out of it; the rest of it is the test."""
    rows = choose_rows(560_000, 70_000, 560_000)
    assert not rows.is_repeated
    assert np.array_equal(np.sort(rows.train), np.arange(560_000))
    assert (len(rows.validation), len(rows.test)) == (3500, 66_500)
    assert not np.intersect1d(rows.validation, rows.test).size


def test_few_texts_are_repeated_but_for_those_held_out() -> None:
    """Each as often as any other, give or take one; validation shares none with them."""
    rows = choose_rows(300, 0, 2000)
    assert rows.is_repeated
    assert len(rows.test) == 0
    assert len(rows.validation) == 15
    assert not np.intersect1d(rows.validation, rows.train).size
    assert set(np.unique(rows.train, return_counts=True)[1]) <= {7, 8}


def test_the_record_says_what_its_numbers_do_not_mean() -> None:
    """Random weights have no accuracy, and repeated texts none either."""
    said = " ".join(remarks([{"is_repeated": True, "test_texts": 0}], None))
    assert "random weights: its accuracy means nothing" in said
    assert "speed only" in said
    assert "held out of the training file" in said
    assert "speed only" not in " ".join(remarks([{"is_repeated": False, "test_texts": 9}], Path("base")))


FIGURE = "open(sys.argv[-1], 'a').write('{\"a\": 1}\\n{\"half')"


@pytest.mark.parametrize(
    ("code", "seconds", "outcome"),
    [
        (f"import sys; {FIGURE}", 60, "ended"),
        (f"import sys; {FIGURE}; sys.exit(3)", 60, "failed"),
        (f"import sys, time; {FIGURE}; time.sleep(600)", 5, "out of time"),
    ],
)
def test_a_part_that_fails_keeps_what_it_measured(code: str, seconds: float, outcome: str) -> None:
    """And a line that it was writing when it was killed is left out."""
    part = parts.run_part("x", [sys.executable, "-c", code], seconds)
    assert (part.outcome, part.figures) == (outcome, [{"a": 1}])


def test_a_part_without_time_is_not_started() -> None:
    """Nor does it look for its program."""
    assert parts.run_part("x", ["no-such-program"], 1).outcome == "no time left"


def test_the_page_holds_every_figure_beside_the_goals(tmp_path: Path) -> None:
    """Figures with the same names share a table; the JSON holds the same as it was."""
    record = {
        "date": "2026-11-28 19:25 UTC",
        "machine": {"card": "H100", "driver": "580"},
        "remarks": ["speed only"],
        "goals": goals.judge_all({"serving": [{"lengths": "64", "texts_per_second": 2345.6}]}),
        "parts": [
            {
                "name": "job",
                "outcome": "ended",
                "seconds": 70.2,
                "figures": [
                    {"texts": 560_000}, {"phase": "reading", "seconds": 3.14159}, {"phase": "x", "seconds": None},
                ],
            }
        ],
    }  # fmt: skip
    document.write(tmp_path / "new", record)
    page = (tmp_path / "new" / "gpu_record.md").read_text(encoding="utf-8")
    for line in (
        "- card: H100", "- speed only", "## job: ended in 70 s", "| 560,000 |", "| reading | 3.14 |", "| x | – |",
    ):  # fmt: skip
        assert line in page
    assert "at least 2,000 | 2,346 | met |" in page
    assert page.count("| phase | seconds |") == 1
    assert json.loads((tmp_path / "new" / "gpu_record.json").read_text(encoding="utf-8")) == record
