"""Fill a channel of a folder laid out as /opt/ml: complete or not at all, with a record of its files.

By the record the next command replaces what an earlier one has laid out, and never what a user put there or changed.
"""

import contextlib
import fcntl
import filecmp
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bert_classifier.job.json_files import read_object

RECORD = ".laid_out.json"
_FICLONE = 0x40049409  # linux/fs.h


class ChannelFolder:
    """One channel below input/data.

    Args:
        path: its folder, which may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._staging = path.with_name(f".{path.name}.part")
        self._former = path.with_name(f".{path.name}.former")
        self._restore()
        self._record = read_object(path / RECORD, "Remove it.", is_optional=True)

    @property
    def is_default(self) -> bool:
        """Whether a command filled it by itself, not on the user's word."""
        return bool(self._record.get("is_default"))

    def names(self) -> list[str]:
        """Return the visible files, relative to the folder."""
        files = (path for path in self.path.rglob("*") if path.is_symlink() or not path.is_dir())
        names = (path.relative_to(self.path) for path in files)
        return sorted(str(name) for name in names if not any(part.startswith(".") for part in name.parts))

    def foreign(self, files: Mapping[str, Path]) -> list[str]:
        """Return the files that would be lost if these replaced the channel's.

        They are neither as a command has laid them out, nor is their content that of a given file or of the one that
        they were copied from.
        """
        return [
            name
            for name in self.names()
            if not self._is_intact(name)
            and not any(
                _is_same(self.path / name, other) for other in [*self._origin_of(name), *files.values()]
            )
        ]

    def holds(self, files: Mapping[str, Path]) -> bool:
        """Whether the channel holds these files already, perhaps under other names."""
        if self._is_copy_of(files):
            return True
        names = self.names()
        pairs = zip(names, (files[name] for name in sorted(files)), strict=False)
        return len(names) == len(files) and all(_is_same(self.path / name, path) for name, path in pairs)

    def stage(self, files: Mapping[str, Path], *, is_default: bool = False) -> None:
        """Copy files beside the channel.

        A copy, and no hard link, because what the user writes into the original must not change a job's data. A file
        system that shares blocks (Btrfs, XFS) clones it instead.

        Args:
            files: by their names in the channel.
        """
        if self._is_copy_of(files) and self.is_default == is_default:
            return
        shutil.rmtree(self._staging, ignore_errors=True)
        try:
            for name, source in files.items():
                (self._staging / name).parent.mkdir(parents=True, exist_ok=True)
                _copy(source, self._staging / name)
            entries = {name: self._entry(name, source) for name, source in files.items()}
            record = {"is_default": is_default, "files": entries}
            (self._staging / RECORD).write_text(json.dumps(record, indent=2), encoding="utf-8")
        except BaseException:
            shutil.rmtree(self._staging, ignore_errors=True)
            raise

    def replace(self) -> None:
        """Put what was staged in the channel's place; its hidden files stay."""
        if not self._staging.is_dir():
            return
        if self.path.exists():
            self.path.rename(self._former)
        self._staging.rename(self.path)
        self._remove_former()

    def remove(self) -> None:
        """Remove the channel, if it is there."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _restore(self) -> None:
        """Complete or undo what an interrupted command has begun."""
        if self._former.is_dir() and not self.path.exists():
            self._former.rename(self.path)
        elif self._former.is_dir():
            self._remove_former()

    def _remove_former(self) -> None:
        if self._former.is_symlink():
            self._former.unlink()
        elif self._former.is_dir():
            for path in self._former.glob(".*"):
                if path.name != RECORD and not (self.path / path.name).exists():
                    path.rename(self.path / path.name)
            shutil.rmtree(self._former)

    def _entry(self, name: str, source: Path) -> dict[str, Any]:
        return {"from": str(source.resolve()), "source": _stamp(source), "copy": _stamp(self._staging / name)}

    def _is_copy_of(self, files: Mapping[str, Path]) -> bool:
        """Whether the channel's files are unchanged copies of exactly these."""
        entries = self._record.get("files", {})
        return self.names() == sorted(files) and all(
            self._is_intact(name)
            and entries[name]["from"] == str(path.resolve())
            and entries[name]["source"] == _stamp(path)
            for name, path in files.items()
        )

    def _origin_of(self, name: str) -> list[Path]:
        """Return what a file was copied from, if it still lies outside the channel."""
        entry = self._record.get("files", {}).get(name)
        origin = Path(entry["from"]) if entry else self.path.resolve()
        return [] if origin.is_relative_to(self.path.resolve()) else [origin]

    def _is_intact(self, name: str) -> bool:
        entry = self._record.get("files", {}).get(name)
        return entry is not None and entry["copy"] == _stamp(self.path / name)


def _is_same(one: Path, other: Path) -> bool:
    """Whether both are files of the same content."""
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)


def _stamp(path: Path) -> list[int]:
    """Return size and time of the last change, which a new content changes."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as original, target.open("wb") as copy, contextlib.suppress(OSError):
        fcntl.ioctl(copy.fileno(), _FICLONE, original.fileno())
        return
    shutil.copyfile(source, target)
