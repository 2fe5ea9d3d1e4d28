"""Local files as a batch transform would upload them, with what it says of them."""

import json
from pathlib import Path
from typing import Any

from bert_classifier.job.findings import Severity
from launcher.aws.account import Account
from launcher.aws.s3 import Location
from launcher.findings import Finding
from launcher.inputs.transform import TransformInput, check_input, input_of
from launcher.settings.account import AccountSettings
from launcher.settings.inference import TransformSettings


def look(given: Path, scratch: Path, **settings: Any) -> tuple[TransformInput, list[Finding]]:
    """Return the texts at a path as they would be uploaded, and all findings."""
    scratch.mkdir()
    chosen = TransformSettings(input=str(given), **settings)
    found = input_of(chosen, Location("a-bucket", "mine/"), Account(AccountSettings()), scratch)
    return found, list(check_input(chosen, found))


def uploaded(found: TransformInput) -> dict[str, bytes]:
    """Return the contents of what would be uploaded, by name."""
    assert found.local
    return {name: path.read_bytes() for name, path in found.local.files.items()}


def texts_in(found: TransformInput) -> list[str | None]:
    """Return the texts of JSON Lines that would be uploaded; None for a row that cannot be read."""
    assert found.content_type == "application/jsonlines"
    lines = [json.loads(line) for body in uploaded(found).values() for line in body.decode().splitlines()]
    return [line["text"] if isinstance(line, dict) else line for line in lines]


def wrong_in(findings: list[Finding]) -> list[Finding]:
    """Return what is no good news."""
    return [one for one in findings if one.severity is not Severity.OK]


def write(path: Path, content: str | bytes) -> Path:
    """Write a file."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
