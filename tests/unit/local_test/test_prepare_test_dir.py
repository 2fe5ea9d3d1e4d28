"""local_test/prepare_test_dir.py: a folder laid out as /opt/ml from files of the user's own."""

import json
from pathlib import Path
from typing import Any

import pytest

import prepare_test_dir
from bert_classifier.job.environment import Environment
from support.fakes import make_bare_checkpoint


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    """Return a data file of the user's, under a name of the user's."""
    path = tmp_path / "my texts.csv"
    path.write_text('label,text\na,"one, two"\nb,three\n')
    return path


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """Return a folder that looks like a pretrained encoder, with a file that does not belong to one."""
    folder = make_bare_checkpoint(tmp_path / "encoder")
    (folder / "README.md").write_text("{}")
    return folder


def run(*arguments: object) -> int:
    """Run the command as `make` does."""
    return prepare_test_dir.main([str(argument) for argument in arguments])


@pytest.mark.parametrize("at", range(3))
def test_an_empty_path_is_refused(csv_file: Path, at: int, capsys: pytest.CaptureFixture[str]) -> None:
    """As from a variable that is not set: it would be the folder that one stands in."""
    arguments = [str(csv_file.parent / "run"), "--train", str(csv_file), "--model", str(csv_file.parent)]
    arguments[(0, 2, 4)[at]] = ""
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    assert "it is empty" in capsys.readouterr().err
    assert not (csv_file.parent / "run").exists()


def config_of(folder: Path, name: str) -> Any:
    """Return a file of input/config."""
    return json.loads((folder / "input" / "config" / f"{name}.json").read_text())


def test_a_new_folder_is_a_complete_picture_of_opt_ml(tmp_path: Path, csv_file: Path) -> None:
    """Every file given lands in its channel, and the training's own reader finds all of it."""
    folder = tmp_path / "new" / "run"
    classes = tmp_path / "names.txt"
    classes.write_text("a\nb\n")
    lines = tmp_path / "held.jsonl"
    lines.write_text('{"label": "a", "text": "x"}\n')
    status = run(folder, "--train", csv_file, "--validation", lines, "--test", csv_file, "--classes", classes,
                 "--hyperparameters", "num_train_epochs=2 learning_rate=1e-4")  # fmt: skip
    assert status == 0
    environment = Environment.read(folder, {})
    assert sorted(environment.channels) == ["class", "test", "train", "validation"]
    assert [p.name for p in environment.channels["validation"].files()] == ["held.jsonl"]
    assert environment.channels["train"].files()[0].read_bytes() == csv_file.read_bytes()
    assert environment.channels["class"].find("classes.txt")
    assert environment.hyperparameters == {"learning_rate": "1e-4", "num_train_epochs": "2"}
    assert environment.hosts == ("algo-1",)
    assert config_of(folder, "inputdataconfig")["validation"]["ContentType"] == "application/jsonlines"


def test_hyperparameters_are_kept_updated_and_taken_out(tmp_path: Path, csv_file: Path) -> None:
    """A later call changes the named values only; an empty value removes one."""
    run(tmp_path / "ml", "--train", csv_file, "--hyperparameters", "seed=1 num_train_epochs=2")
    assert run(tmp_path / "ml", "--hyperparameters", "seed=7 num_train_epochs= weight_decay=0") == 0
    assert config_of(tmp_path / "ml", "hyperparameters") == {"seed": "7", "weight_decay": "0"}


def test_what_other_data_left_is_named(
    tmp_path: Path, csv_file: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With other training data in a used folder, name the files and settings of before that are used as well."""
    folder, other = tmp_path / "ml", tmp_path / "other.csv"
    other.write_text("label,text\nb,x\na,y\n")
    first = ("--train", csv_file, "--validation", csv_file, "--hyperparameters", "seed=1 weight_decay=0")
    assert run(folder, *first, "--model", encoder) == 0
    assert run(folder, "--train", csv_file) == 0
    assert "from before" not in capsys.readouterr().out
    assert run(folder, "--train", other, "--hyperparameters", "seed=2") == 0
    (message,) = [line for line in capsys.readouterr().out.splitlines() if "from before" in line]
    data = folder / "input" / "data"
    assert message.startswith(
        f"new training data, but from before: {data}/model, {data}/validation, weight_decay=0 ("
    )
    assert "seed" not in message


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        ("num_train_epoch=2", "did you mean num_train_epochs?"),
        ("seed=many", "seed='many'"),
        ("seed", "seed is not name=value"),
        ('seed="1', "cannot be read"),
        ("seed=1 seed=2", "HP gives seed twice. Leave one of them out."),
        ("seed=1 model_name=x global_batch_size=8 per_device_batch_size=2", "give one of the two forms"),
    ],
)
def test_wrong_hyperparameters_are_never_written(
    tmp_path: Path, csv_file: Path, capsys: pytest.CaptureFixture[str], assignments: str, message: str
) -> None:
    """A mistake is reported in one line, and the folder stays as it was, so that the next call starts clean."""
    run(tmp_path / "ml", "--train", csv_file, "--hyperparameters", "seed=3")
    capsys.readouterr()
    assert run(tmp_path / "ml", "--hyperparameters", assignments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert config_of(tmp_path / "ml", "hyperparameters") == {"seed": "3"}


def test_a_second_run_replaces_the_file_of_the_first(tmp_path: Path, csv_file: Path) -> None:
    """The channel holds the new rows only: they are never mixed with those of an earlier run."""
    run(tmp_path / "ml", "--train", csv_file)
    csv_file.write_text("label,text\nc,four\n")
    assert run(tmp_path / "ml", "--train", csv_file) == 0
    channel = tmp_path / "ml" / "input" / "data" / "train"
    assert [p.read_text() for p in channel.glob("[!.]*")] == ["label,text\nc,four\n"]


def test_files_of_the_users_own_are_not_mixed_with_new_ones(
    tmp_path: Path, csv_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A channel that holds another file is refused by name, and nothing is written anywhere."""
    channel = tmp_path / "ml" / "input" / "data" / "validation"
    channel.mkdir(parents=True)
    (channel / "mine.csv").write_text("a,b\n")
    assert run(tmp_path / "ml", "--train", csv_file, "--validation", csv_file) == 2
    assert "already holds mine.csv" in capsys.readouterr().err
    assert not (tmp_path / "ml" / "input" / "data" / "train").exists()
    assert not (tmp_path / "ml" / "input" / "config").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.csv", "There is no file or folder"),
        ("texts.xlsx", "texts.xlsx cannot be train: its suffix is none of data"),
        ("", "has no data file for train: it holds texts.xlsx"),
    ],
)
def test_a_file_that_cannot_be_data_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    """A missing file, a spreadsheet and a folder of them each get one sentence."""
    (tmp_path / "texts.xlsx").write_text("x")
    assert run(tmp_path / "ml", "--train", tmp_path / name) == 2
    assert message in capsys.readouterr().err


def test_a_folder_without_training_data_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped TEST_DIR says what to give and makes nothing."""
    assert run(tmp_path / "typo") == 2
    assert "TRAIN=my.csv" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()


def test_the_bundled_sample_is_not_overwritten(csv_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Own data without a TEST_DIR of its own would replace files of the project: it is refused."""
    before = (prepare_test_dir.SAMPLE / "input" / "data" / "train" / "train.csv").read_bytes()
    assert run(prepare_test_dir.SAMPLE, "--train", csv_file) == 2
    assert "bundled sample" in capsys.readouterr().err
    assert (prepare_test_dir.SAMPLE / "input" / "data" / "train" / "train.csv").read_bytes() == before


def test_a_folder_with_nothing_to_change_is_not_touched() -> None:
    """Laying the sample out again writes no file, so that a repository stays clean."""
    files = sorted((prepare_test_dir.SAMPLE / "input" / "config").iterdir())
    before = [(path.name, path.stat().st_mtime_ns) for path in files]
    assert run(prepare_test_dir.SAMPLE) == 0
    files = sorted((prepare_test_dir.SAMPLE / "input" / "config").iterdir())
    assert [(path.name, path.stat().st_mtime_ns) for path in files] == before


def test_an_encoder_becomes_the_model_channel(tmp_path: Path, csv_file: Path, encoder: Path) -> None:
    """The encoder's own files are copied, others are not, and the data file needs no second copy."""
    assert run(tmp_path / "ml", "--train", csv_file, "--model", encoder) == 0
    names = sorted(p.name for p in (tmp_path / "ml" / "input" / "data" / "model").glob("[!.]*"))
    assert names == ["config.json", "model.safetensors", "tokenizer.json"]
    assert not list((tmp_path / "ml" / "input" / "data").glob(".*"))


def test_a_revision_beside_a_folder_is_refused_before_anything_is_copied(
    tmp_path: Path, csv_file: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The job would refuse it, once the checkpoint is there."""
    folder = tmp_path / "run"
    assert run(folder, "--train", csv_file, "--model", encoder, "--hyperparameters", "revision=v1.5") == 2
    assert "revision='v1.5' is one of the model hub, but the encoder is a folder" in capsys.readouterr().err
    assert not folder.exists()


def test_an_adapter_that_stays_behind_is_named(
    tmp_path: Path, csv_file: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The weights beside it are whole, and are not those that it was trained into."""
    (encoder / "adapter_config.json").write_text("{}")
    assert run(tmp_path / "run", "--train", csv_file, "--model", encoder) == 0
    assert "holds an adapter (adapter_config.json) beside the weights" in capsys.readouterr().out


def test_an_interrupted_copy_leaves_no_channel_behind(tmp_path: Path, csv_file: Path, encoder: Path) -> None:
    """What an interrupted copy left is invisible to the training, and the next call completes it."""
    run(tmp_path / "ml", "--train", csv_file)
    data = tmp_path / "ml" / "input" / "data"
    (data / ".model.part").mkdir()
    (data / ".model.part" / "model.safetensors").write_text("half")
    assert "model" not in Environment.read(tmp_path / "ml", {}).channels
    assert run(tmp_path / "ml", "--model", encoder) == 0
    assert (data / "model" / "model.safetensors").read_bytes() == (encoder / "model.safetensors").read_bytes()


def test_a_folder_that_is_no_encoder_is_refused(
    tmp_path: Path, csv_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without weights is named before any file is copied."""
    assert run(tmp_path / "ml", "--train", csv_file, "--model", tmp_path) == 2
    assert "has no config.json: it holds my texts.csv" in capsys.readouterr().err
    assert not (tmp_path / "ml").exists()


def test_a_model_name_is_not_silently_overruled(
    tmp_path: Path, csv_file: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a model channel there, asking for a model of the hub is refused instead of ignored."""
    run(tmp_path / "ml", "--train", csv_file, "--model", encoder)
    assert run(tmp_path / "ml", "--hyperparameters", "model_name=bert-large-uncased") == 2
    assert "instead of model_name" in capsys.readouterr().err
    assert config_of(tmp_path / "ml", "hyperparameters") == {}


def test_a_broken_configuration_is_reported(
    tmp_path: Path, csv_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hyperparameters.json that is no JSON object is named and left alone."""
    run(tmp_path / "ml", "--train", csv_file)
    path = tmp_path / "ml" / "input" / "config" / "hyperparameters.json"
    for content in ("{", "[]"):
        path.write_text(content)
        assert run(tmp_path / "ml", "--hyperparameters", "seed=1") == 2
        assert "hyperparameters.json" in capsys.readouterr().err
        assert path.read_text() == content


def test_a_former_name_replaces_what_the_folder_holds(csv_file: Path) -> None:
    """epochs=2 is the newest word on num_train_epochs, not a second one; and the other way round."""
    folder = csv_file.parent / "run"
    assert run(folder, "--train", csv_file, "--hyperparameters", "num_train_epochs=3 seed=1") == 0
    for newest in ("epochs=2", "num_train_epochs=4"):
        assert run(folder, "--hyperparameters", newest) == 0
        written = json.loads((folder / "input" / "config" / "hyperparameters.json").read_text())
        name, _, value = newest.partition("=")
        assert written == {name: value, "seed": "1"}
