"""Classes that a user wrote for an earlier version train in today's package, unchanged."""

import json
import shutil
from pathlib import Path

import pytest

from support.documents import apply_diff, blocks, section
from support.fakes import make_pretrained, toy_rows
from support.source_tree import CONTAINER, ROOT
from support.train_process import train_as_process

CLASSES = Path("tests/earlier_runs/85a7ef1/own_dataset.md")
SETTINGS = {"num_train_epochs": "1", "max_seq_length": "64", "train_file": "SMSSpamCollection"}


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """Return a copy of the container's folder whose builder.py names the user's classes, without the worked example."""
    copy = tmp_path / "container"
    shutil.copytree(CONTAINER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    package, text = copy / "bert_classifier", (ROOT / CLASSES).read_text(encoding="utf-8")
    (classes,) = blocks(text, "python")
    # The names of the classes have stayed, the lines of builder.py that they replace have not.
    (swap,) = blocks(section(Path("README.md"), "Your own Dataset in three steps"), "diff")
    (package / "sms.py").write_text(classes, encoding="utf-8")
    (package / "dbpedia.py").unlink()
    builder = package / "builder.py"
    builder.write_text(apply_diff(swap, builder.read_text(encoding="utf-8")), encoding="utf-8")
    return copy


def test_classes_of_an_earlier_version_train(container: Path, tmp_path: Path) -> None:
    """What they import is there, what they define is used: labels, the positive class, the places of texts."""
    data, config = tmp_path / "ml" / "input" / "data", tmp_path / "ml" / "input" / "config"
    make_pretrained(data / "model")
    (data / "train").mkdir()
    lines = [f"{'spam' if label == 'Alpha' else 'ham'}\t{text}\n" for label, text in toy_rows(48, 2)]
    (data / "train" / "SMSSpamCollection").write_text("".join(lines), encoding="utf-8")
    config.mkdir()
    (config / "hyperparameters.json").write_text(json.dumps(SETTINGS))
    outcome = train_as_process(tmp_path / "ml", container=container)
    assert outcome.code == 0, outcome.log
    assert json.loads((tmp_path / "ml" / "model" / "training.json").read_text())["labels"] == ["ham", "spam"]
    report = (tmp_path / "ml" / "output" / "data" / "data_report.json").read_text()
    assert set(json.loads(report)["channels"]["train"]["classes"]) == {"ham", "spam"}
