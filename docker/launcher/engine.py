"""The Docker engine on this machine, through its command."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

from bert_classifier.errors import PlatformError, UserError

_ANSWER_S = 30  # for all commands but push


class Engine:
    """Runs docker with a temporary configuration, so that no login remains in the user's.

    Use it as a context manager, which removes the configuration.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)

    def __enter__(self) -> "Engine":
        if shutil.which("docker", path=self._environ.get("PATH", os.defpath)) is None:
            raise PlatformError(
                "This machine has no docker.", "Install Docker, or push from a machine that has it."
            )
        # A fresh configuration has no contexts, so look up the present engine before.
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

    def run(self, *arguments: str, stdin: str = "", timeout: float = _ANSWER_S, check: bool = True) -> str:
        """Run a docker command; return its standard output.

        Raises:
            PlatformError: with the command's last line.
        """
        command = ["docker", *arguments]
        try:
            ended = subprocess.run(  # noqa: S603 - the words are the launcher's own
                command,
                env=self._environ,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise PlatformError(
                f"docker {arguments[0]} did not respond within {timeout:.0f} s.", "Check the Docker engine."
            ) from error
        if ended.returncode and check:
            last = (ended.stderr.strip() or ended.stdout.strip() or "no reason given").splitlines()[-1]
            raise PlatformError(
                f"docker {arguments[0]} failed: {last.rstrip('.')}.", "Start or repair Docker."
            )
        return ended.stdout

    def inspect(self, image: str) -> dict[str, Any]:
        """Return the engine's description of a local image.

        Raises:
            UserError: when there is none of that name.
        """
        found = json.loads(self.run("image", "inspect", image, check=False) or "[]")
        if not found:
            raise UserError(f"There is no local image {image}.", "Build it: make build (FLAVOUR=cpu or gpu).")
        first: dict[str, Any] = found[0]
        return first

    def log_in(self, host: str, user: str, password: str) -> None:
        """Log in to a registry; the password goes through standard input, not the command line."""
        self.run("login", "--username", user, "--password-stdin", host, stdin=password)

    def push(self, image: str, uri: str) -> None:
        """Push a local image under another name, showing progress on standard error."""
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
            raise PlatformError(f"docker push {uri} failed.", "See its output above, and try again.")
