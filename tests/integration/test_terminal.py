"""A training at a terminal: a bar below whole lines, whoever writes them, and what is told at the end."""

import json
import re

import pytest

from support.fakes import make_ml_root, toy_rows, write_csv
from support.screen import screen_of
from support.terminal_run import fork_at_terminal, train_at_terminal

SETTINGS = {"num_train_epochs": "3", "seed": "3"}
TERMINAL = {"TERM": "xterm"}
_TIME = re.compile(r"\d\d:\d\d:\d\d ")
_BAR = re.compile(r"step/s|s/step|B/s|text/s|\d%\|")


def logged(screen: list[str]) -> list[str]:
    """Return the lines of the log; where one is torn, or a bar is left, fail."""
    torn = [line for line in screen if _BAR.search(line) or _TIME.search(line, 1)]
    assert torn == []
    return [line[9:] for line in screen if _TIME.match(line)]


@pytest.mark.parametrize(("columns", "ranks"), [(400, 2), (60, 1)])
def test_no_line_is_torn(tmp_path, columns, ranks):
    """The bar is drawn, and is gone at the end; evaluations are told in words, and the model's quality last."""
    root = make_ml_root(tmp_path / "ml", hyperparameters={**SETTINGS, "processes_per_host": str(ranks)})
    code, written = fork_at_terminal(root, columns, environ=TERMINAL)
    screen = screen_of(written, columns)
    assert code == 0, "\n".join(screen)
    assert re.search(r"training: +\d+%", written)
    lines = logged(screen)
    assert "train_loss=" not in written
    if columns < 400:  # lines are wrapped
        return
    epochs = [
        line for line in lines if re.match(r"step \d+ of \d+: \d+ of 24 validation texts right, loss ", line)
    ]
    assert len(epochs) == 3
    information = json.loads((root / "model" / "training.json").read_text(encoding="utf-8"))
    closing = screen[screen.index(next(line for line in screen if " done in " in line)) + 1 :]
    assert closing[0] == information["headline"].split(" (")[0] + " (" + closing[0].split(" (", 1)[1]
    assert f"Report: {root / 'output' / 'data' / 'report.html'}" in closing
    assert information["headline"] in (root / "model" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("ranks", "is_saved"), [(1, True), (2, True), (1, False)])
def test_ctrl_c_tells_where_the_run_stands(tmp_path, ranks, is_saved):
    """In the middle: what is saved, and which model is there; no traceback, nothing torn."""
    settings = {**SETTINGS, "num_train_epochs": "300", "processes_per_host": str(ranks)}
    root = make_ml_root(tmp_path / "ml", hyperparameters=settings)
    if is_saved:
        (root / "checkpoints").mkdir()
    run = train_at_terminal if ranks == 2 else fork_at_terminal
    code, written = run(root, 300, stop_at="best so far)", environ=TERMINAL)
    screen = screen_of(written, 300)
    assert code == 143, "\n".join(screen)
    lines = logged([line for line in screen if line != "^C"])
    standing = [line for line in lines if line.startswith("stopped at step ")]
    assert len(standing) == 1
    saved = "is saved: the same job goes on from there"
    assert standing[0].endswith(saved if is_saved else "is not saved: there is no checkpoint folder")
    assert sum(line.startswith("checkpoint at ") for line in lines) == is_saved
    assert f"the model so far is in {root / 'model'}" in lines
    assert lines[-1] == "stopped by SIGINT"
    assert "Traceback" not in written


def test_ctrl_c_before_training_loses_nothing(tmp_path):
    """While the data are read, which takes seconds, there is nothing to save."""
    root = make_ml_root(tmp_path / "ml", hyperparameters=SETTINGS)
    write_csv(root / "input" / "data" / "train" / "train.csv", toy_rows(500) * 300)
    code, written = train_at_terminal(root, 300, stop_at="reading the data", environ=TERMINAL)
    assert code == 143, written
    assert logged(screen_of(written, 300))[-1] == "stopped by SIGINT before training began: nothing is lost"


@pytest.mark.parametrize(
    ("environ", "settings"),
    [({"TERM": "dumb"}, {}), (TERMINAL, {"logging_steps": "1"})],
    ids=["dumb", "by hand"],
)
def test_metric_lines_are_kept(tmp_path, environ, settings):
    """A terminal that can show no bar gets the log of a file; logging_steps asks for its numbers."""
    root = make_ml_root(tmp_path / "ml", hyperparameters={**SETTINGS, **settings})
    code, written = fork_at_terminal(root, 1000, environ=environ)
    assert code == 0, written
    assert " train_loss=" in written
    assert " eval_accuracy=" in written
    is_dumb = environ["TERM"] == "dumb"
    assert ("\x1b" in written or "%|" in written) != is_dumb
    assert ("validation texts right" in written) != is_dumb
