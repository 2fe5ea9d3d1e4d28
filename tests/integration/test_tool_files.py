"""Files straight from their tools, from the train channel to the artifact, and the same files evaluated with it."""

import json
import shutil
from pathlib import Path

import pytest

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.evaluation.command import run
from support.fakes import empty_train_channel, make_ml_root
from support.tool_files import TOOL_FILES
from support.tool_files.made import write_files
from support.train_process import Outcome, train_in_process

TRAINED = (
    "excel-unicode-text",
    "pandas-csv-index",
    "label-studio-json-min",
    "bigquery-json",
    "ground-truth",
    "hugging-face-parquet",
    "sms-spam-given",
)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a picture of /opt/ml with a train and a model channel; copies of it get tools' files."""
    root = make_ml_root(tmp_path_factory.mktemp("picture") / "ml", rows=4)
    empty_train_channel(root)
    return root


def trained(picture: Path, root: Path, key: str, capsys: pytest.CaptureFixture[str]) -> Outcome:
    """Train for a few steps on a tool's files."""
    shutil.copytree(picture, root)
    write_files(root / "input" / "data" / "train", TOOL_FILES[key])
    path = root / "input" / "config" / "hyperparameters.json"
    settings = {**json.loads(path.read_text(encoding="utf-8")), **TOOL_FILES[key].settings}
    path.write_text(json.dumps(settings), encoding="utf-8")
    return train_in_process(root, capsys)


@pytest.mark.parametrize("key", TRAINED)
def test_a_tools_file_is_trained_on_and_evaluated(picture, tmp_path, capsys, key):
    """The model has the file's classes, the log names its columns before training, and evaluation reads it alike."""
    case = TOOL_FILES[key]
    outcome = trained(picture, tmp_path / "ml", key, capsys)
    assert outcome.code == 0, outcome.log
    assert sorted(load_artifact(tmp_path / "ml" / "model").labels) == sorted(
        {label for label, _ in case.pairs}
    )
    understood, _, _ = outcome.log.partition("tokenising")
    (name,) = case.files
    assert name in understood
    assert f"{len(case.pairs)} rows" in understood
    assert not any(text in outcome.log for _, text in case.pairs)
    data, output = tmp_path / "ml" / "input" / "data" / "train" / name, tmp_path / "evaluated"
    arguments = ["--model", str(tmp_path / "ml" / "model"), "--data", str(data), "--output", str(output)]
    assert run(["evaluate", *arguments]) == 0
    written = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    assert written["dataset"] == {"item_count": len(case.pairs), "channel": name}


def test_labels_joined_in_one_cell_are_a_warning(picture, tmp_path, capsys):
    """Amazon Comprehend writes several labels per text with bars: each combination is a class, and the log says so."""
    root = tmp_path / "ml"
    outcome = trained(picture, root, "comprehend-multi-label", capsys)
    assert outcome.code == 0, outcome.log
    warnings = [line for line in outcome.log.splitlines() if "WARNING" in line and "praise|question" in line]
    assert warnings, outcome.log
    assert "praise|question" in (root / "output" / "data" / "data_report.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", ["vertex-csv", "sms-spam", "jigsaw"])
def test_a_tools_file_is_refused_by_the_job(picture, tmp_path, capsys, key):
    """Exit code 2, and the failure file holds the sentence that the reader has for it."""
    outcome = trained(picture, tmp_path / "ml", key, capsys)
    assert outcome.code == 2, outcome.log
    assert [word for word in TOOL_FILES[key].says if word not in outcome.failure] == []
    assert not list((tmp_path / "ml" / "model").glob("*"))
