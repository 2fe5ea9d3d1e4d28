"""The start of a job: what is checked before any data are read, and how a signal stops it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import AlbertConfig, AlbertModel

from bert_classifier.evaluation.command import run as evaluate
from support.fakes import make_ml_root, toy_rows, write_csv
from support.patience import PATIENCE_S
from support.train_cluster import started
from support.train_process import CONTAINER, train_in_process

REPOSITORY = Path(__file__).parents[2]
Damage = Callable[[Path], Any]
BROKEN_ROW = '"1","t","never closed\n'


@pytest.fixture(scope="module")
def good_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a picture of /opt/ml that nothing is wrong with; copies of it get damaged."""
    return make_ml_root(tmp_path_factory.mktemp("good") / "ml", rows=12)


def setting(**values: str) -> Damage:
    """Set these hyperparameters."""
    return lambda root: edit(root / "input" / "config" / "hyperparameters.json", **values)


def config(**values: Any) -> Damage:
    """Change the encoder's configuration."""
    return lambda root: edit(root / "input" / "data" / "model" / "config.json", **values)


def edit(path: Path, **values: Any) -> None:
    """Change fields of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def model_file(name: str, damage: Damage) -> Damage:
    """Damage a file of the encoder."""
    return lambda root: damage(root / "input" / "data" / "model" / name)


def layers_that_share_weights(root: Path) -> None:
    """Give the job an encoder whose layers share their weights, and set layer_decay."""
    folder = root / "input" / "data" / "model"
    vocabulary = json.loads((folder / "config.json").read_text())["vocab_size"]
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "embedding_size": 16,
        "intermediate_size": 64,
        "num_attention_heads": 4,
    }
    AlbertModel(AlbertConfig(vocab_size=vocabulary, num_hidden_layers=2, **sizes)).save_pretrained(folder)
    setting(layer_decay="0.9")(root)


# What is wrong, the message, and whether torch must be loaded to know.
TOLD_FIRST: dict[str, tuple[Damage, str, bool]] = {
    "empty model channel": (model_file("config.json", Path.unlink), "has no config.json", False),
    "weights cut off": (
        model_file("model.safetensors", lambda path: os.truncate(path, 30_000)), "30000 bytes instead of", False,
    ),
    "Git LFS pointer": (
        model_file("model.safetensors", lambda path: path.write_text("version https://git-lfs.github.com/spec/v1")),
        "is a pointer of Git LFS", False,
    ),
    "longer than the model": (setting(max_seq_length="513"), "more than the 512 tokens", False),
    "no such class file": (setting(class_file="names.txt"), "has the file names.txt", False),
    "no such validation file": (setting(validation_file="other.csv"), "has no file other.csv", False),
    "empty test channel": (lambda root: (root / "input/data/test/test.csv").unlink(), "Channel test", False),
    "unknown family": (config(model_type="nonesuch"), "is of type nonesuch", False),
    "decoder": (config(model_type="gpt2"), "not a text encoder", False),
    "vocabulary too small": (config(vocab_size=10), "it says vocab_size=10", False),
    "other weights": (
        model_file("model.safetensors", lambda path: save_file({"x": torch.ones(2)}, path, {"format": "pt"})),
        "they have others, such as x", True,
    ),
    "broken tokenizer": (model_file("tokenizer.json", lambda path: os.truncate(path, 700)), "tokenizer in", True),
    "no folder, no hub": (
        lambda root: (shutil.rmtree(root / "input/data/model"), setting(model_name="./nowhere")(root),
                      edit_out(root / "input/config/inputdataconfig.json", "model")),
        "There is no folder ./nowhere", True,
    ),
    "layers that share weights": (layers_that_share_weights, "layer_decay cannot be applied", True),
    "fp16 on a CPU": (setting(precision="fp16"), "precision=fp16 needs a GPU", True),
}  # fmt: skip


def edit_out(path: Path, name: str) -> None:
    """Take a field out of a JSON file."""
    fields = json.loads(path.read_text())
    del fields[name]
    path.write_text(json.dumps(fields))


@pytest.mark.parametrize("name", TOLD_FIRST)
def test_what_takes_less_to_find_is_reported_before_the_data(good_root, tmp_path, capsys, name):
    """However broken the data are: not a row of them is read before encoder, settings and files are in order."""
    damage, expected, _ = TOLD_FIRST[name]
    root = Path(shutil.copytree(good_root, tmp_path / "ml"))
    with (root / "input" / "data" / "train" / "train.csv").open("a") as file:
        file.write(BROKEN_ROW)
    outcome = train_in_process(root, capsys)
    assert "never closed" in outcome.failure  # so much for the data
    damage(root)
    outcome = train_in_process(root, capsys)
    assert outcome.code == 2
    assert expected in outcome.failure
    assert "reading the data" not in outcome.log


@pytest.mark.parametrize("name", [name for name, case in TOLD_FIRST.items() if not case[2]])
def test_what_the_files_show_is_reported_without_torch(good_root, tmp_path, name):
    """In a fresh process, before seconds go into loading it."""
    damage, expected, _ = TOLD_FIRST[name]
    root = Path(shutil.copytree(good_root, tmp_path / "ml"))
    damage(root)
    code = (
        "import sys\nfrom bert_classifier.training.launch import main\n"
        f"code = main({{'ML_ROOT': {str(root)!r}}})\n"
        "assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)\nsys.exit(code)\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(CONTAINER)}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2, ended.stderr
    assert expected in (root / "output" / "failure").read_text()


def test_the_doctor_tells_the_encoder_before_the_data(good_root, tmp_path):
    """As a training would."""
    root = Path(shutil.copytree(good_root, tmp_path / "ml"))
    with (root / "input" / "data" / "train" / "train.csv").open("a") as file:
        file.write(BROKEN_ROW)
    setting(max_seq_length="513")(root)
    ended = subprocess.run(
        [sys.executable, str(REPOSITORY / "local_test" / "doctor_data.py"), str(root)],
        env={**os.environ, "PYTHONPATH": str(CONTAINER)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "more than the 512 tokens" in ended.stderr
    assert "never closed" not in ended.stderr


def test_the_doctor_is_not_killed_at_its_end(good_root):
    """Ctrl-C behind the last line comes too late to stop anything: the exit code is that of the findings."""
    command = [sys.executable, str(REPOSITORY / "local_test" / "doctor_data.py"), str(good_root)]
    environ = {**os.environ, "PYTHONPATH": str(CONTAINER), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("details:"):
                time.sleep(0.02)
                process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0


def test_an_evaluation_proves_its_output_first(tmp_path, caplog):
    """Not after an hour of predictions: a folder that cannot be written is reported even without model and data."""
    (tmp_path / "taken").write_text("a file")
    folders = [f"--model={tmp_path / 'none'}", f"--data={tmp_path / 'none.csv'}"]
    assert evaluate(["evaluate", *folders, f"--output={tmp_path / 'taken'}"]) == 3
    assert "The results cannot be written to" in caplog.text


@pytest.fixture(scope="module")
def large_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a toy job whose data take some seconds to read, and some to tokenise."""
    root = make_ml_root(tmp_path_factory.mktemp("large") / "ml")
    write_csv(root / "input" / "data" / "train" / "train.csv", toy_rows(500) * 300)
    return root


def test_a_signal_at_the_start_ends_the_job_there(large_root, tmp_path):
    """143, while the texts are tokenised, with nothing left in the folder for temporary files."""
    root, scratch = tmp_path / "ml", tmp_path / "tmp"
    for folder in (root, scratch):
        folder.mkdir()
    (root / "input").symlink_to(large_root / "input")
    with started([root], environ={"TMPDIR": str(scratch)}, is_forked=True) as (host,):
        host.wait_for("tokenising the texts")
        host.process.send_signal(signal.SIGTERM)
        assert host.process.wait(PATIENCE_S) == 143
    log = host.log.read_text()
    assert "stopped by SIGTERM" in log
    assert "examining the data" not in log
    assert list(scratch.iterdir()) == []
    assert not (root / "output" / "failure").exists()


@pytest.mark.slow
def test_a_job_leaves_nothing_in_the_folder_for_temporary_files(good_root, tmp_path):
    """Neither one process, nor two that share the tokens, nor a failure on the way."""
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    one, two, broken = (
        Path(shutil.copytree(good_root, tmp_path / name)) for name in ("one", "two", "broken")
    )
    setting(processes_per_host="2")(two)
    write_csv(broken / "input" / "data" / "train" / "train.csv", [("Alpha", "one class only")] * 9)
    for root, code in ((one, 0), (two, 0), (broken, 2)):
        setting(num_train_epochs="1")(root)
        with started([root], environ={"TMPDIR": str(scratch)}, is_forked=True) as (host,):
            assert host.process.wait(PATIENCE_S) == code, host.log.read_text()
        assert list(scratch.iterdir()) == []
