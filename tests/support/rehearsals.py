"""Runs of the emulator of SageMaker, and what they found."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.containers import REPOSITORY

EMULATOR = REPOSITORY / "local_test" / "sagemaker_emulator"
LONGEST = 900  # seconds of a rehearsal on a machine that others use too; alone it takes two minutes


def rehearsal(file: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that runs the command and returns what it wrote to `file` with --json, and its exit code."""

    def run(image: str, *options: object) -> dict[str, Any]:
        command = [sys.executable, str(EMULATOR), image, "--json", str(file), *map(str, options)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            try:
                table, log = running.communicate(timeout=LONGEST)
            except subprocess.TimeoutExpired:
                running.terminate()  # unlike SIGKILL, that leaves nothing behind
                pytest.fail(f"no end within {LONGEST} s: {''.join(running.communicate())}")
        assert file.exists(), table + log
        result = json.loads(file.read_text(encoding="utf-8"))
        return {**result, "exit code": running.returncode, "table": table}

    return run


def with_outcome(result: dict[str, Any], outcome: str) -> dict[str, str]:
    """Return what was seen by the checks of an outcome."""
    return {row["check"]: row["seen"] for row in result["checks"] if row["outcome"] == outcome}


def passed(result: dict[str, Any]) -> set[str]:
    """Return the checks that passed, those apart that look at the image alone."""
    return {name for name in with_outcome(result, "PASS") if not name.startswith("image.")}
