"""Jobs that cannot be done: each ends with its exit code and one clear sentence, before anything is trained."""

import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.clear_text import assert_clear_text
from support.fakes import make_ml_root
from support.train_process import train_in_process

Damage = Callable[[Path], Any]
TRAIN = "input/data/train/train.csv"
HYPERPARAMETERS = "input/config/hyperparameters.json"
RESOURCES = "input/config/resourceconfig.json"


@pytest.fixture(scope="module")
def good_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a picture of /opt/ml that nothing is wrong with; copies of it get damaged."""
    return make_ml_root(tmp_path_factory.mktemp("good") / "ml", rows=12)


def write(name: str, content: str | bytes) -> Damage:
    """Put this into a file."""
    raw = content if isinstance(content, bytes) else content.encode()
    return lambda root: (root / name).write_bytes(raw)


def append(name: str, content: str | bytes) -> Damage:
    """Add this to a file."""
    raw = content if isinstance(content, bytes) else content.encode()
    return lambda root: (root / name).write_bytes((root / name).read_bytes() + raw)


def settings(**values: Any) -> Damage:
    """Set these hyperparameters besides the good ones."""

    def damage(root: Path) -> None:
        recorded = json.loads((root / HYPERPARAMETERS).read_text())
        (root / HYPERPARAMETERS).write_text(json.dumps({**recorded, **values}))

    return damage


def replace_train(name: str, content: bytes) -> Damage:
    """Give the train channel another file instead of its own."""

    def damage(root: Path) -> None:
        (root / TRAIN).unlink()
        (root / TRAIN).with_name(name).write_bytes(content)

    return damage


def pipe(root: Path) -> None:
    """Let the train channel be a pipe, as in input mode Pipe."""
    (root / TRAIN).unlink()
    os.mkfifo(root / "input/data/train/train_0")


def no_channel(name: str) -> Damage:
    """Remove a channel, declaration included."""

    def damage(root: Path) -> None:
        shutil.rmtree(root / "input/data" / name)
        path = root / "input/config/inputdataconfig.json"
        recorded = json.loads(path.read_text())
        del recorded[name]
        path.write_text(json.dumps(recorded))

    return damage


def unwritable(name: str) -> Damage:
    """Mount a folder that not even root can write to."""
    return lambda root: (root / name).symlink_to("/proc")


MODEL = "input/data/model/"
BAD_JOBS: dict[str, tuple[Damage, int, str]] = {
    # quoting
    "open quote": (append(TRAIN, '"1","t","never closed\n'), 2, "train.csv line 13: a quote opened"),
    "text behind a quote": (append(TRAIN, '1,t,"a" b\n'), 2, "train.csv line 13: it is not valid CSV"),
    # labels
    "unknown label": (
        append(TRAIN, "4,t,text\n"),
        2,
        "line 13: label '4' is neither a class name nor a number",
    ),
    "many unknown labels": (
        append(TRAIN, "Delta,t,text\n" * 5000),
        2,
        "5,000 rows of the data cannot be used",
    ),
    "empty label": (append(TRAIN, ",t,text\n"), 2, "train.csv line 13: the label is empty"),
    "missing cell": (append(TRAIN, "1,text\n"), 2, "train.csv line 13: it has 2 cells instead of 3"),
    "label of the test channel": (
        append("input/data/test/test.csv", "0,t,x\n"),
        2,
        "test.csv line 7: label '0'",
    ),
    # encodings
    "Latin-1": (append(TRAIN, "1,t,Größe\n".encode("latin-1")), 2, "is not UTF-8 in line 13"),
    "UTF-16": (write(TRAIN, "1,t,text\n".encode("utf-16-le")), 2, "Set encoding=utf-16-le"),
    "overlong": (append(TRAIN, b"1,t,\xc0\xaf\n"), 2, "is not UTF-8 in line 13"),
    "lone surrogate": (
        replace_train("train.jsonl", b'{"label": "1", "text": "\\ud800"}\n'),
        2,
        "train.jsonl line 1: the text holds half of a surrogate pair",
    ),
    # control characters
    "NUL": (append(TRAIN, "1,t,a\0b\n"), 2, "train.csv line 13: it holds a NUL"),
    "classes with a control character": (
        write("input/data/class/classes.txt", "Alpha\nBe\x0bta\nGamma\n"),
        2,
        "reverse_map(1) gives 'Be\\x0bta'",
    ),
    # channels and files
    "no train channel": (no_channel("train"), 2, "The job has no train channel"),
    "train channel declared but absent": (
        lambda root: shutil.rmtree(root / "input/data/train"),
        2,
        "Channel train is declared, but",
    ),
    "empty train channel": (lambda root: (root / TRAIN).unlink(), 2, "it is empty"),
    "packed": (
        replace_train("train.csv.zip", gzip.compress(b"1,a,b\n", mtime=0)),
        2,
        "it holds train.csv.zip",
    ),
    "Parquet": (replace_train("train.parquet", b"PAR1"), 2, "train.parquet is Parquet, but its end"),
    "header without columns known": (
        replace_train("train.csv", b"label,body,label\n"),
        2,
        "train.csv: 2 columns could be the label",
    ),
    "columns swapped": (
        replace_train("train.csv", b"Some text.,1\n"),
        2,
        "line 1: label 'Some text.' is neither",
    ),
    "second file with other columns": (
        write("input/data/train/b.csv", "a,b,c,d\n"),
        2,
        "b.csv: 4 columns and no header that is known",
    ),
    "no classes file": (
        lambda root: (root / "input/data/class/classes.txt").unlink(),
        2,
        "has the file classes.txt",
    ),
    "one class": (replace_train("train.csv", b"1,a,b\n" * 9), 2, "The training data hold only one class"),
    # pipes
    "pipe": (pipe, 2, "Channel train holds the pipe"),
    # hyperparameters
    "misspelt": (settings(learning_rat="1e-5"), 2, "did you mean learning_rate?"),
    "out of range": (settings(warmup_ratio="2"), 2, "warmup_ratio='2' is not a number from 0 to 1"),
    "not a number": (settings(learning_rate="nan"), 2, "learning_rate='nan' is not a number"),
    "underscored": (settings(seed="1_000"), 2, "seed='1_000' is not a whole number"),
    "full-width digits": (settings(seed="１２"), 2, "is not a whole number"),
    "both batch forms": (settings(per_device_batch_size="4"), 2, "both set the batch"),
    "longer than the model": (settings(max_seq_length="1024"), 2, "max_seq_length=1024 is more than the 512"),
    "fp16 without a GPU": (settings(precision="fp16"), 2, "precision=fp16 needs a GPU"),
    "train_file elsewhere": (settings(train_file="other.csv"), 2, "has no file other.csv"),
    # the job's description
    "hyperparameters malformed": (
        write(HYPERPARAMETERS, '{"seed": '),
        2,
        "hyperparameters.json is not valid JSON",
    ),
    "hyperparameters a list": (write(HYPERPARAMETERS, "[]"), 2, "hyperparameters.json holds a JSON list"),
    "resources malformed": (write(RESOURCES, "{'hosts'}"), 2, "resourceconfig.json is not valid JSON"),
    "hosts no list": (write(RESOURCES, '{"hosts": "algo-1"}'), 2, "hosts must be a list of names"),
    "host not among the hosts": (
        write(RESOURCES, '{"current_host": "algo-3", "hosts": ["algo-2", "algo-1"]}'),
        2,
        "current_host 'algo-3' is not among hosts",
    ),
    "no input": (lambda root: shutil.rmtree(root / "input"), 2, "There is no folder"),
    # mounts
    "model folder a file": (write("model", "x"), 3, "Cannot write to"),
    "model folder read-only": (unwritable("model"), 3, "Cannot write to"),
    # the pretrained model
    "model channel empty": (
        lambda root: [path.unlink() for path in (root / MODEL).iterdir()],
        2,
        "has no config.json",
    ),
    "weights cut": (lambda root: os.truncate(root / MODEL / "model.safetensors", 999), 2, "is damaged"),
    "weights pickled": (
        lambda root: (root / MODEL / "model.safetensors").rename(root / MODEL / "pytorch_model.bin"),
        2,
        "run `make convert-model MODEL=folder` on your machine",
    ),
    "no tokenizer": (
        lambda root: [(root / MODEL / name).unlink() for name in ("tokenizer.json", "tokenizer_config.json")],
        2,
        "has no tokenizer with a vocabulary",
    ),
    "no model channel, no such folder": (
        lambda root: (no_channel("model")(root), settings(model_name="./nowhere")(root)),
        2,
        "There is no folder ./nowhere",
    ),
}


@pytest.mark.parametrize("name", BAD_JOBS)
def test_bad_job_ends_with_one_clear_sentence(good_root, tmp_path, capsys, name):
    """Exit code, failure file and log say the same: cause and remedy, no traceback, and nothing was saved."""
    damage, code, expected = BAD_JOBS[name]
    root = Path(shutil.copytree(good_root, tmp_path / "ml"))
    damage(root)
    outcome = train_in_process(root, capsys)
    assert outcome.code == code, outcome.log
    assert expected in outcome.failure
    assert outcome.failure.startswith("UserError: " if code == 2 else "PlatformError: ")
    assert_clear_text(outcome.failure)
    assert outcome.failure in outcome.log
    assert "Traceback" not in outcome.log
    assert not (root / "model" / "manifest.json").exists()


def test_output_that_is_no_folder_is_reported_in_the_log(good_root, tmp_path, capsys):
    """Where not even the failure file can be written, the log has the reason."""
    root = Path(shutil.copytree(good_root, tmp_path / "ml"))
    (root / "output").write_text("a file")
    outcome = train_in_process(root, capsys)
    assert outcome.code == 3
    assert f"PlatformError: Cannot write to {root / 'output' / 'data'}: " in outcome.log
    assert "Traceback" not in outcome.log
