"""The Docker engine on this machine, through its command."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

from bert_classifier.errors import PlatformError, UserError
from launcher.aws.registry import Registry

_ANSWER_S = 30  # a command that only asks; a push takes as long as the network does


class Engine:
    """Runs docker with a configuration of its own, so that no login stays behind in the user's.

    Use it as a context: the configuration is removed in the end.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)

    def __enter__(self) -> "Engine":
        if shutil.which("docker", path=self._environ.get("PATH", os.defpath)) is None:
            raise PlatformError(
                "This machine has no docker.", "Install Docker, or push from one that has it."
            )
        # A fresh configuration knows no contexts, so the engine that is in use is asked for before.
        address = self.run(
            "context", "inspect", "--format", "{{.Endpoints.docker.Host}}", check=False
        ).strip()
        if address:
            self._environ["DOCKER_HOST"] = address
        self._folder = tempfile.TemporaryDirectory(prefix="launcher-docker-")
        self._environ["DOCKER_CONFIG"] = self._folder.name
        self.run("version", "--format", "{{.Server.Version}}")
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def run(self, *arguments: str, told: str = "", timeout: float = _ANSWER_S, check: bool = True) -> str:
        """Run a docker command; return what it prints.

        Args:
            told: what it reads from standard input.
        Raises:
            PlatformError: with the command's own last line.
        """
        command = ["docker", *arguments]
        try:
            ended = subprocess.run(  # noqa: S603 - the words are the launcher's own
                command,
                env=self._environ,
                input=told,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise PlatformError(
                f"docker {arguments[0]} gave no answer in {timeout:.0f} s.", "See whether the engine is well."
            ) from error
        if ended.returncode and check:
            last = (ended.stderr.strip() or ended.stdout.strip() or "no reason given").splitlines()[-1]
            raise PlatformError(f"docker {arguments[0]} failed: {last.rstrip('.')}.", "Start or mend Docker.")
        return ended.stdout

    def inspect(self, image: str) -> dict[str, Any]:
        """Return what the engine knows of a local image.

        Raises:
            UserError: when there is none of that name.
        """
        found = json.loads(self.run("image", "inspect", image, check=False) or "[]")
        if not found:
            raise UserError(f"There is no local image {image}.", "Build it: make build (FLAVOUR=cpu or gpu).")
        first: dict[str, Any] = found[0]
        return first

    def log_in(self, registry: Registry) -> None:
        """Log in to a registry; the password goes through standard input, never the command line."""
        self.run(
            "login", "--username", registry.user, "--password-stdin", registry.host, told=registry.password
        )

    def push(self, image: str, uri: str) -> None:
        """Push a local image under another name, its progress shown on standard error."""
        self.run("tag", image, uri)
        command = ["docker", "push", uri]
        try:
            ended = subprocess.run(  # noqa: S603 - the words are the launcher's own
                command,
                env=self._environ,
                stdout=2,
                check=False,
            )
        finally:
            self.run("rmi", "--no-prune", uri, check=False)
        if ended.returncode:
            raise PlatformError(f"docker push {uri} failed.", "See its messages above, and try again.")
