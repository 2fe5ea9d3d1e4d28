"""The Docker engine, by its command line: containers and networks that are removed when the rehearsal ends."""

import contextlib
import dataclasses
import io
import itertools
import json
import platform
import shutil
import subprocess
import tarfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sagemaker_emulator.docker_command import PATIENCE, EngineError, docker, error_of, inspect

KILLED = 137  # exit code of a first process that SIGKILL has ended
_WORDS = 160  # characters of a log line in a message
_ABSENT = ("could not find the file", "no such file or directory", "not a directory")  # of docker cp
_ENDED = "The rehearsal was ended."
_CLOSING = 50  # attempts to remove everything


@dataclasses.dataclass(frozen=True)
class Stop:
    """How a container was stopped.

    Attributes:
        code: exit code of its first process.
        seconds: from SIGTERM to its end.
        was_running: whether it was running at SIGTERM.
    """

    code: int
    seconds: float
    was_running: bool


class Container:
    """A container that was started, or only made."""

    def __init__(self, name: str) -> None:
        self.name = name

    def wait(self, timeout: float) -> int | None:
        """Return the exit code of the first process; None when it still runs after `timeout` seconds."""
        try:
            return int(docker("wait", self.name, timeout=timeout))
        except subprocess.TimeoutExpired:
            return None

    def is_running(self) -> bool:
        """Return whether the first process is still there."""
        return bool(inspect(self.name)["State"]["Running"])

    def log(self) -> bytes:
        """Return everything written so far, both streams."""
        ended = subprocess.run(  # noqa: S603
            ["docker", "logs", self.name],  # noqa: S607
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=PATIENCE,
        )
        if ended.returncode:
            raise error_of(f"docker logs: {ended.stdout[-400:].decode('utf-8', 'replace').strip()}")
        return ended.stdout

    def last_words(self) -> str:
        """Return the last line of the log that is not blank, shortened."""
        lines = [line.strip() for line in self.log().decode("utf-8", "replace").splitlines() if line.strip()]
        if not lines:
            return "nothing in the log"
        return lines[-1] if len(lines[-1]) <= _WORDS else f"…{lines[-1][-_WORDS:]}"

    @contextlib.contextmanager
    def watched(self) -> Iterator[Callable[[], bool]]:
        """Yield what says whether the first process has ended, without a command of docker's for each answer."""
        command = ["docker", "wait", self.name]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as waiting:  # noqa: S603
            try:
                yield lambda: waiting.poll() is not None and not self.is_running()
            finally:
                waiting.terminate()

    def wait_until(self, holds: Callable[[], bool], timeout: float) -> bool:
        """Wait for a condition while the container runs; return whether it came."""
        deadline = time.monotonic() + timeout
        with self.watched() as has_ended:
            while not holds():
                if has_ended() or time.monotonic() > deadline:
                    return holds()
                time.sleep(0.3)
        return True

    def kill(self, signal_name: str = "KILL") -> None:
        """Send a signal to the first process, unless it has ended."""
        with contextlib.suppress(EngineError):
            docker("kill", "--signal", signal_name, self.name)

    def stop(self, grace: int) -> "Stop":
        """Do what SageMaker does: SIGTERM, and SIGKILL after `grace` seconds."""
        began = time.monotonic()
        try:
            docker("kill", "--signal", "TERM", self.name)  # which fails when the first process has ended
        except EngineError as error:
            if "is not running" not in str(error):
                raise
            return Stop(int(inspect(self.name)["State"]["ExitCode"]), 0.0, was_running=False)
        if self.wait(grace) is None:
            self.kill("KILL")
        docker("wait", self.name)
        seconds = time.monotonic() - began
        return Stop(int(inspect(self.name)["State"]["ExitCode"]), seconds, was_running=True)

    def written(self) -> list[str]:
        """Return what was added or changed in the container's own file system, mounts apart."""
        lines = docker("diff", self.name).decode("utf-8", "replace").splitlines()
        return [line[2:] for line in lines if line[0] in "AC"]

    def read(self, path: str) -> list[tuple[tarfile.TarInfo, bytes]]:
        """Return what lies at a path of the container, links followed; empty when nothing does.

        Raises:
            EngineError: when the engine does not say.
        """
        try:
            packed = docker("cp", "--follow-link", f"{self.name}:{path}", "-")
        except EngineError as error:
            if any(words in str(error).lower() for words in _ABSENT):
                return []
            raise
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            return [(member, _content(archive, member)) for member in archive]

    def address(self, port: int) -> tuple[str, int]:
        """Return where the host reaches a port of the container."""
        settings = inspect(self.name)["NetworkSettings"]
        published = (settings["Ports"] or {}).get(f"{port}/tcp")
        if published:
            return "127.0.0.1", int(published[0]["HostPort"])
        return str(next(iter(settings["Networks"].values()))["IPAddress"]), port


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member) if member.isfile() else None
    return file.read() if file else b""


class Engine:
    """The containers and networks of one rehearsal, under one label, so that nothing stays behind.

    Attributes:
        reaches_containers: whether this machine has a route to an internal network. Docker Desktop has none: there
            a port is published, and the container keeps its way out.
    """

    def __init__(self) -> None:
        self.run_id = uuid.uuid4().hex[:8]
        self._label = f"sagemaker-emulator={self.run_id}"
        self._numbers = itertools.count(1)
        self._closed = threading.Event()
        info = self._probe()
        is_remote = "Desktop" in str(info["OperatingSystem"]) or "rootless" in str(info["SecurityOptions"])
        self.reaches_containers = platform.system() == "Linux" and not is_remote
        self.has_containerd_store = "containerd.snapshotter" in str(info["DriverStatus"])

    def _probe(self) -> dict[str, Any]:
        if shutil.which("docker") is None:
            raise EngineError("This machine has no docker command: install Docker.")
        try:
            info = dict(json.loads(docker("info", "--format", "{{json .}}", timeout=20)))
        except (EngineError, ValueError, subprocess.TimeoutExpired) as error:
            raise EngineError("Docker does not respond: start it (see docker info).") from error
        if "OperatingSystem" not in info or info.get("ServerErrors"):
            raise EngineError("Docker does not respond: start it (see docker info).")
        return info

    def image(self, name: str) -> dict[str, Any]:
        """Return what the engine knows about an image.

        Raises:
            EngineError: when this machine does not have it.
        """
        try:
            (details,) = json.loads(docker("image", "inspect", name))
        except EngineError as error:
            raise EngineError(
                f"This machine has no image {name}: build it or pull it, and check the spelling."
            ) from error
        return dict(details)

    def start(self, image: str, words: Sequence[str], options: Sequence[str]) -> Container:
        """Start a container in the background."""
        name = self._next_name()
        docker("run", "--detach", f"--name={name}", f"--label={self._label}", *options, image, *words)
        if self._closed.is_set():  # since this began: close() may not have seen it
            self.remove(Container(name))
            raise EngineError(_ENDED)
        return Container(name)

    @contextlib.contextmanager
    def made(self, image: str) -> Iterator[Container]:
        """Make a container without starting it, for a look at its files."""
        name = self._next_name()
        docker("create", f"--name={name}", f"--label={self._label}", image, "train")
        try:
            yield Container(name)
        finally:
            self.remove(Container(name))

    @contextlib.contextmanager
    def running(self, image: str, words: Sequence[str], options: Sequence[str]) -> Iterator[Container]:
        """Start a container in the background and remove it in the end."""
        container = self.start(image, words, options)
        try:
            yield container
        finally:
            self.remove(container)

    def remove(self, container: Container) -> None:
        """Remove a container, ending it if it still runs."""
        with contextlib.suppress(EngineError):
            docker("rm", "--force", "--volumes", container.name)

    @contextlib.contextmanager
    def network(self, *, is_open: bool = False) -> Iterator[str]:
        """Make an internal network (or one with a way out), on which containers know each other by name."""
        name = self._next_name()
        way = [] if is_open else ["--internal"]
        docker("network", "create", *way, f"--label={self._label}", name)
        try:
            yield name
        finally:
            with contextlib.suppress(EngineError):
                docker("network", "rm", name)

    def close(self) -> None:
        """Remove everything, and refuse to make anything more."""
        self._closed.set()
        for _ in range(_CLOSING):
            left = self._listed("ps", "--all")
            networks = self._listed("network", "ls")
            if not left and not networks:
                return
            with contextlib.suppress(EngineError):  # another thread may be removing the same
                if left:
                    docker("rm", "--force", "--volumes", *left)
                if networks:
                    docker("network", "rm", *networks)
            time.sleep(0.2)

    def _listed(self, *words: str) -> list[str]:
        """Return the identifiers of what this rehearsal has made and not yet removed."""
        return docker(*words, "--quiet", "--filter", f"label={self._label}").decode().split()

    def _next_name(self) -> str:
        if self._closed.is_set():
            raise EngineError(_ENDED)
        return f"sagemaker-emulator-{self.run_id}-{next(self._numbers)}"
