"""docker/program_digest.sh: which files stand for what an image holds."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
DOCKERFILE = (REPOSITORY / "docker" / "Dockerfile").read_text(encoding="utf-8")
COPIED = [
    source for line in re.findall(r"(?m)^COPY (?!--from)(.+)$", DOCKERFILE) for source in line.split()[:-1]
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of what is built, without git, as in a downloaded archive."""
    for folder in ("container", "docker"):
        shutil.copytree(
            REPOSITORY / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "launcher")
        )
    shutil.copy(REPOSITORY / "LICENSE", tmp_path)
    return tmp_path


def digest_of(tree: Path) -> str:
    """Return what the script prints."""
    script = tree / "docker" / "program_digest.sh"
    return subprocess.run(["bash", str(script)], capture_output=True, text=True, check=True, cwd="/").stdout


def test_it_is_the_same_for_the_same_files(tree: Path) -> None:
    """Place and times do not matter."""
    assert re.fullmatch(r"[0-9a-f]{64}\n", digest_of(tree))
    assert digest_of(tree) == digest_of(REPOSITORY)


@pytest.mark.parametrize("path", [*COPIED, "docker/Dockerfile", "container/bert_classifier/builder.py"])
def test_each_file_that_the_image_gets_counts(tree: Path, path: str) -> None:
    """One byte more in anything that the Dockerfile copies, and in the Dockerfile, is another program."""
    before = digest_of(tree)
    file = tree / path / "new.py" if (tree / path).is_dir() else tree / path
    with file.open("a") as opened:
        opened.write("\n")
    assert digest_of(tree) != before


@pytest.mark.parametrize(
    "path",
    [
        "container/bert_classifier/__pycache__/builder.cpython-311.pyc",
        "container/bert_classifier/builder.pyc",
        "container/requirements-dev.txt",
        "docker/launcher/commands/push.py",
        "tests/test_it.py",
    ],
)
def test_what_the_image_does_not_get_does_not_count(tree: Path, path: str) -> None:
    """Compiled files, which .dockerignore keeps out, and the host's side may differ."""
    before = digest_of(tree)
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text("anything")
    assert digest_of(tree) == before
