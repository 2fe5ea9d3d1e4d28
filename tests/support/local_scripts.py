"""The scripts of local_test/ with a bare environment, in a copy of the repository, beside a docker that is none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from support.patience import PATIENCE_S

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = REPOSITORY / "local_test"
DOCKER = """#!/usr/bin/env bash
case "$1 $2" in
    "version ") exit {engine} ;;
    "image inspect") [[ "$*" != *program-digest* ]] || echo "{label}"; exit {image} ;;
    *) printf '%s\\n' "$@" ;;
esac
"""


def run(
    script: Path, *arguments: object, path: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a script with a bare environment; `path` comes first in PATH."""
    search = os.pathsep.join([*([str(path)] if path else []), "/usr/bin", "/bin"])
    command = ["bash", str(script), *map(str, arguments)]
    environ = {"PATH": search, **variables}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE_S)


def digest_of(repository: Path = REPOSITORY) -> str:
    """Return the digest of the program's files in a repository."""
    return run(repository / "docker" / "program_digest.sh").stdout.strip()


def fake_docker(folder: Path, *, engine: int = 0, image: int = 0, label: str = "") -> Path:
    """Put a docker on a PATH: `version` and `image inspect` exit as asked, `run` prints its arguments."""
    folder.mkdir()
    (folder / "docker").write_text(DOCKER.format(engine=engine, image=image, label=label))
    (folder / "docker").chmod(0o755)
    return folder


def copy_repository(root: Path) -> Path:
    """Copy the real scripts, to run with a `train` that write_train writes; return the folder."""
    (root / ".venv" / "bin").mkdir(parents=True)
    for folder in ("container", "docker"):
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "LICENSE", root)
    (root / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (root / "ml" / "input" / "data" / "model").mkdir(parents=True)
    shutil.copytree(SCRIPTS, root / "local_test", ignore=shutil.ignore_patterns("test_dir"))
    return root


def write_train(repository: Path, *lines: str) -> None:
    """Write the program that stands for container/train."""
    head = ["import os, pathlib, sys", "root = pathlib.Path(os.environ['ML_ROOT'])"]
    (repository / "container" / "train").write_text("\n".join([*head, *lines]) + "\n")
