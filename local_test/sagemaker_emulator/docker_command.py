"""The command `docker`: run it, and tell why it failed."""

import json
import re
import subprocess
from typing import Any

PATIENCE = 180.0  # seconds for a command of the engine's; a busy machine takes long to make a container
_GONE = re.compile(r"(?i)no such (?:container|object): sagemaker-emulator-")


class EngineError(Exception):
    """The engine does not answer, or refused a command."""


class GoneError(EngineError):
    """A container of the rehearsal's was removed while a check used it, which says nothing about the image."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "Something else on this machine removed a container of the rehearsal, which was ended:"
            f" it says nothing about the image. Rehearse again. ({reason})"
        )


def docker(*arguments: str, timeout: float = PATIENCE) -> bytes:
    """Run one docker command and return what it prints.

    Raises:
        EngineError: when it fails, with docker's own reason.
        subprocess.TimeoutExpired: when it takes longer than `timeout` seconds.
    """
    ended = subprocess.run(  # noqa: S603 - the words are this package's own
        ["docker", *arguments],  # noqa: S607
        capture_output=True,
        check=False,
        timeout=timeout,
    )
    if ended.returncode:
        reason = ended.stderr.decode("utf-8", "replace").strip() or f"exit code {ended.returncode}"
        raise error_of(f"docker {arguments[0]}: {reason[-400:]}")
    return ended.stdout


def error_of(reason: str) -> EngineError:
    """Return the error for docker's own reason."""
    return GoneError(reason) if _GONE.search(reason) else EngineError(reason)


def inspect(name: str) -> dict[str, Any]:
    """Return what the engine knows about an image or a container."""
    (details,) = json.loads(docker("inspect", name))
    return dict(details)
