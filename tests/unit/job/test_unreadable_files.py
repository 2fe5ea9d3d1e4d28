"""Files that permissions or the disk do not let be read or replaced are no damaged ones: the platform's, by name."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bert_classifier.artifact.contents import ARTIFACT_FILES
from bert_classifier.artifact.manifest import verify
from bert_classifier.data.job_files import check_files, read_class_list
from bert_classifier.data.records import read_lines
from bert_classifier.errors import PlatformError, UserError, cannot_read
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.encoder_folder import check_encoder
from bert_classifier.job.environment import Environment
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.clear_text import assert_clear
from support.toy_artifact import make_artifact
from support.without_privileges import without_privileges


@pytest.fixture
def environment(ml_root: Path) -> Environment:
    """Return a toy job."""
    return Environment.read(ml_root, {})


def check(environment: Environment) -> None:
    """Look at a job's files as `train` does first."""
    check_files(TrainConfig(max_seq_length=64), environment)


def refused(path: Path, look: Callable[[], object]) -> PlatformError:
    """Return the error for a file that may not be read, after it was found to be readable otherwise."""
    look()
    path.chmod(0)
    with without_privileges(), pytest.raises(PlatformError) as caught:
        look()
    assert_clear(caught.value)
    assert "Permission denied" in caught.value.cause
    assert "access" in caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    "name",
    [
        "model/config.json",
        "model/model.safetensors",
        "model/tokenizer.json",
        "model/tokenizer_config.json",
        "model",
        "train/train.csv",
        "validation/validation.csv",
        "class/classes.txt",
        "class",
    ],
)
def test_a_file_of_the_job_that_may_not_be_read_is_named(environment: Environment, name: str) -> None:
    """Neither the encoder is called damaged nor the list of classes missing: the sentence says what to give."""
    path = environment.root / "input" / "data" / name
    assert str(path) in refused(path, lambda: check(environment)).cause
    path.chmod(0o700)


def test_a_list_of_classes_in_a_folder_that_may_not_be_searched_is_not_ignored(
    environment: Environment,
) -> None:
    """Training without it would number the classes otherwise."""
    assert read_class_list(TrainConfig(), environment)
    folder = environment.channels["class"].path
    error = refused(folder, lambda: read_class_list(TrainConfig(), environment))
    assert "classes.txt" in error.cause
    folder.chmod(0o700)


def test_a_tokenizer_that_may_not_be_read_is_named(environment: Environment) -> None:
    """Where it is loaded as well."""
    folder = environment.channels["model"].path
    assert "tokenizer.json" in refused(folder / "tokenizer.json", lambda: load_tokenizer(str(folder))).cause


def test_lines_that_may_not_be_read_are_the_platforms(environment: Environment) -> None:
    """In the middle of the work too."""
    path = environment.channels["train"].path / "train.csv"
    assert str(path) in refused(path, lambda: list(read_lines(path))).cause


def test_a_served_model_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    """Its digest cannot be compared: that does not mean it differs."""
    folder = make_artifact(tmp_path / "model")
    weights = folder / "model.safetensors"
    assert str(weights) in refused(weights, lambda: verify(folder, ARTIFACT_FILES)).cause


def test_weights_that_are_missing_are_still_the_users(environment: Environment) -> None:
    """Nothing to give access to."""
    folder = environment.channels["model"].path
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError):
        check_encoder(str(folder), 64)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_the_disks_faults_are_the_platforms(number: int) -> None:
    """With what helps against each."""
    error = cannot_read("/opt/ml/x", OSError(number, os.strerror(number)), "Copy it again.")
    assert isinstance(error, PlatformError)
    assert_clear(error)
    assert "Copy" not in error.remedy
    assert isinstance(cannot_read("x", OSError(errno.ENOENT, "none"), "Copy it again."), UserError)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the administrator makes files of other users")
@pytest.mark.parametrize("left", ["model/config.json", "output/data/report.html", "output/failure"])
def test_what_another_user_has_left_is_reported_at_the_start(environment: Environment, left: str) -> None:
    """In sticky folders the run may write but not replace: reported before training, not at its end."""
    environment.prepare_outputs()
    path = environment.root / left
    path.write_text("an earlier run's")
    os.chown(path, 12345, 12345)
    os.chown(path.parent, 12346, 12346)
    path.parent.chmod(0o1777)
    environment.prepare_outputs()  # an administrator may
    with without_privileges(), pytest.raises(PlatformError) as caught:
        environment.prepare_outputs()
    assert_clear(caught.value)
    assert f"{path} is another user's (Operation not permitted)." in caught.value.cause
    assert "volume_size" not in caught.value.remedy
    os.chown(path, os.geteuid(), -1)
    with without_privileges():
        environment.prepare_outputs()  # one's own in another's sticky folder
    assert path.read_text() == "an earlier run's"
