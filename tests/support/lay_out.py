"""Lay a folder out as `make` does, and look at what training reads of it."""

from collections.abc import Callable
from pathlib import Path

import prepare_test_dir
from bert_classifier.job.environment import Environment

CSV = "label,text\na,one\nb,two\n"
Make = Callable[..., Path]


def run(folder: Path, *arguments: object) -> int:
    """Lay a folder out; return the exit status."""
    return prepare_test_dir.main([str(folder), *map(str, arguments)])


def names(folder: Path, channel: str = "train") -> list[str]:
    """Return the files that training reads."""
    found = Environment.read(folder, {}).channels[channel]
    return [str(path.relative_to(found.path)) for path in found.files()]
