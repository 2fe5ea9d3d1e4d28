"""Containers of the image under test: started, watched and removed by name."""

import contextlib
import dataclasses
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

from support.patience import PATIENCE_S

REPOSITORY = Path(__file__).parents[2]
# What SageMaker does not promise: a writable root, a network, rights, a user that the image knows.
CONFINED = ("--read-only", "--cap-drop=ALL", "--network=none", "--user=12345:12345", "--tmpfs=/tmp")


def engine_problem() -> str:
    """Return why no container can be run here, or nothing."""
    if shutil.which("docker") is None:
        return "this machine has no docker"
    try:
        answer = docker("version", "--format", "{{.Server.Version}}", check=False, timeout=10)
    except subprocess.TimeoutExpired:
        return "the Docker engine does not answer"
    return "" if answer.returncode == 0 else "no Docker engine answers"


def docker(
    *arguments: str, check: bool = True, timeout: float = PATIENCE_S
) -> "subprocess.CompletedProcess[str]":
    """Run one docker command."""
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=check, timeout=timeout
    )


@dataclasses.dataclass(frozen=True)
class Container:
    """A container that was started."""

    name: str

    def wait(self, timeout: float = PATIENCE_S) -> int:
        """Return the exit code of its first process."""
        return int(docker("wait", self.name, timeout=timeout).stdout)

    def log(self) -> str:
        """Return what it has written so far."""
        log = docker("logs", self.name)
        return log.stdout + log.stderr

    def signal(self, name: str) -> None:
        """Send a signal to its first process."""
        docker("kill", "--signal", name, self.name)


@contextlib.contextmanager
def container(image: str, command: str, *options: str, root: Path | None = None) -> Iterator[Container]:
    """Start a container in the background and remove it afterwards.

    Args:
        root: what stands for /opt/ml.
    """
    name = f"bert-classifier-test-{uuid.uuid4().hex[:12]}"
    mounts = [f"--volume={root}:/opt/ml"] if root else []
    docker("run", "--detach", f"--name={name}", "--env=OMP_NUM_THREADS=1", *mounts, *options, image, command)
    try:
        yield Container(name)
    finally:
        docker("rm", "--force", "--volumes", name)


def open_to_all(root: Path) -> Path:
    """Let any user write below a folder, as a container of another user has to; return it."""
    for folder, _, files in os.walk(root):
        Path(folder).chmod(0o777)
        for file in files:
            Path(folder, file).chmod(0o666)
    return root
