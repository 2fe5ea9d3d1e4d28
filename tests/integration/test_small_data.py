"""Small data with nothing set: a run that learns, says what it chose, and warns where nothing was learnt."""

import json
import re
from pathlib import Path

import pytest

from bert_classifier.artifact.artifact import load_artifact
from support.fakes import make_ml_root
from support.forked_jobs import train_forked
from support.train_process import Outcome

LEFT_TO_THE_PROGRAM = ("num_train_epochs", "learning_rate", "global_batch_size")


def trained(folder: Path, **settings: str) -> tuple[Path, Outcome]:
    """Train on 48 toy texts of three classes; of the recipe only what is given is set."""
    root = make_ml_root(folder, rows=48)
    description = root / "input" / "config" / "hyperparameters.json"
    values = json.loads(description.read_text(encoding="utf-8"))
    values = {name: value for name, value in values.items() if name not in LEFT_TO_THE_PROGRAM}
    description.write_text(json.dumps({**values, **settings}), encoding="utf-8")
    return root, train_forked(root)


def report_of(root: Path) -> str:
    """Return report.html."""
    return (root / "output" / "data" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("ranks", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_the_recipe_follows_from_the_data(tmp_path, ranks):
    """120 steps of 8 texts, on any number of ranks; the log, training.json and the report say what was chosen."""
    root, outcome = trained(
        tmp_path / "ml", learning_rate="0.002", num_train_epochs="auto", processes_per_host=ranks
    )
    assert outcome.code == 0, outcome.log
    chosen = "chosen for 48 training texts and an encoder of width 32: batch 8, 20 epochs (120 steps); set"
    assert outcome.log.count(f"{chosen} global_batch_size, num_train_epochs to override") == 1
    info = load_artifact(root / "model").info
    assert info["steps"] == info["kept_step"] == 120
    settings = info["hyperparameters"]
    assert [settings[name] for name in LEFT_TO_THE_PROGRAM] == [20, 0.002, 8]
    assert info["automatic_hyperparameters"] == ["global_batch_size", "num_train_epochs", "warmup_ratio"]
    assert info["classes_from"] == "class file"
    assert info["metrics"]["test"]["accuracy"] > 0.8
    assert info["warnings"] == []
    assert re.findall(r"WARNING (?!data: )", outcome.log) == []
    by_hand, _, automatic = report_of(root).partition("<h3>Settings chosen automatically</h3>")
    assert automatic.index("<dt>num_train_epochs</dt><dd>20</dd>") < automatic.index("</dl>")
    assert re.search("<dt>settings set by hand</dt><dd>.*learning_rate=0.002", by_hand)
    assert "The model keeps the weights of step 120" in report_of(root)


@pytest.mark.slow
def test_a_run_that_learns_nothing_says_so(tmp_path):
    """What the defaults were once: the log, training.json and the report warn, and name the settings."""
    settings = {"num_train_epochs": "3", "global_batch_size": "32", "learning_rate": "5e-05"}
    root, outcome = trained(tmp_path / "ml", **settings)
    assert outcome.code == 0, outcome.log
    (warning,) = (s for s in load_artifact(root / "model").info["warnings"] if "hardly moved" in s)
    assert "num_train_epochs (3), learning_rate (5e-05), global_batch_size (32)" in warning
    assert f"WARNING {warning}" in outcome.log
    assert warning.split(":")[0] in report_of(root)
