"""local_test/engine.sh with a real engine: an image stands for the files that lie here, or is not used."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.containers import REPOSITORY, docker, engine_problem
from support.patience import PATIENCE_S

_NAME = "bert-classifier-test-engine"


@pytest.fixture
def make_image() -> Iterator[Callable[[str, str], None]]:
    """Return a function that makes an empty image under a tag, with a digest as its label or without one."""
    if problem := engine_problem():
        pytest.skip(problem)
    tags = []

    def make(tag: str, digest: str) -> None:
        labels = ["--label", f"bert-classifier.program-digest={digest}"] if digest else []
        command = ["docker", "build", "--quiet", *labels, "--tag", f"{_NAME}:{tag}", "-"]
        subprocess.run(
            command, input=b"FROM scratch\nENV A=1\n", capture_output=True, check=True, timeout=PATIENCE_S
        )
        tags.append(tag)

    yield make
    for tag in tags:
        docker("rmi", "--force", f"{_NAME}:{tag}")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of the project that a user has changed nothing in yet."""
    for folder in ("container", "docker", "local_test"):
        ignored = shutil.ignore_patterns("__pycache__", "model", "checkpoints", "output")
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(REPOSITORY / "LICENSE", tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def script(path: Path, *arguments: str, engine: str, tag: str) -> "subprocess.CompletedProcess[str]":
    """Run a script as make does."""
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "ENGINE": engine, "IMAGE": _NAME, "TAG": tag}
    return subprocess.run(
        [str(path), *arguments], env=environ, capture_output=True, text=True, timeout=PATIENCE_S
    )


def digest_of(tree: Path) -> str:
    """Return the digest of the program's files."""
    return subprocess.run(
        [tree / "docker" / "program_digest.sh"], capture_output=True, text=True
    ).stdout.strip()


def test_an_image_of_the_files_that_lie_here_is_used(tree, make_image):
    """Its label is the digest of the working tree: both `auto` and `docker` take it."""
    make_image("same", digest_of(tree))
    for engine in ("auto", "docker"):
        assert script(tree / "local_test" / "engine.sh", engine=engine, tag="same").stdout == "docker\n"


@pytest.mark.parametrize(
    ("label", "problem"),
    [("0" * 64, "was built from other files"), ("", "does not say which files")],
)
def test_an_old_or_foreign_image_is_not_used(tree, make_image, label, problem):
    """`auto` says so in one line and takes the process; `docker` refuses, with the remedy."""
    make_image("other", label)
    auto = script(tree / "local_test" / "engine.sh", engine="auto", tag="other")
    assert auto.stdout == "process\n"
    assert problem in auto.stderr
    assert "make build" in auto.stderr
    assert auto.stderr.count("\n") == 1
    refused = script(tree / "local_test" / "engine.sh", engine="docker", tag="other")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert problem in refused.stderr
    assert "Run make build" in refused.stderr


def test_the_users_own_builder_is_run(tree, make_image):
    """With the image of before the change at hand, a training runs the changed builder.py, not the image's."""
    make_image("before", digest_of(tree))
    builder = tree / "container" / "bert_classifier" / "builder.py"
    builder.write_text('raise SystemExit("the builder of the user")\n')
    test_dir = tree / "local_test" / "test_dir"
    ended = script(tree / "local_test" / "train_local.sh", str(test_dir), engine="auto", tag="before")
    assert "the builder of the user" in ended.stdout + ended.stderr
    assert ended.returncode == 1
