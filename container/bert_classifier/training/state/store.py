"""The checkpoint folder: the newest checkpoint that verifies, and which ones may go.

Nothing else touches the folder.
"""

import hashlib
import itertools
import json
import logging
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bert_classifier.errors import PlatformError
from bert_classifier.job.atomic_io import remove_partial_files
from bert_classifier.training.state.checkpoint import (
    Checkpoint,
    DamagedCheckpointError,
    load_checkpoint,
    metadata_of,
    write_checkpoint,
)

logger = logging.getLogger(__name__)

KEEP = 3
_NAME = re.compile(r"checkpoint-([0-9a-f]{12})-([0-9]{9})\.safetensors")
_UPLOADED = ".sagemaker-uploaded"  # what the sync to S3 leaves beside a file that has arrived
_UPLOADING = ".sagemaker-uploading"
_ASIDE = "damaged-"  # before the name of a checkpoint that was set aside
_MOST_NAMED = 5


class CheckpointStore:
    """The checkpoints of one run in a folder that other runs may share.

    Args:
        folder: exists and can be written.
        fingerprint: of the run, by field; checkpoints of another one are never loaded or deleted.
    """

    def __init__(self, folder: Path, fingerprint: Mapping[str, Any]) -> None:
        self._folder = folder
        self._fingerprint = dict(fingerprint)
        self._run = digest_of_fingerprint(fingerprint)
        self._verified: set[str] = set()  # names of files that this process has written or found sound
        self._unusable: dict[str, str] = {}  # name → why
        self._unread: set[str] = set()  # those of them whose content is not known

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint, then delete those that are no longer needed; return its path.

        Raises:
            OSError: when the disk does not take it; earlier checkpoints are then untouched.
        """
        path = self._folder / f"checkpoint-{self._run}-{checkpoint.step:09d}.safetensors"
        _forget_upload(path)
        write_checkpoint(path, checkpoint, self._fingerprint)
        self._verified.add(path.name)
        self._unusable.pop(path.name, None)
        self._unread.discard(path.name)
        try:
            self._prune()
        except (OSError, PlatformError) as error:  # costs room, not the run
            logger.warning("old checkpoints cannot be removed: %s", error)
        return path

    def load_newest(self, *, may_be_damaged: bool = False) -> Checkpoint | None:
        """Return the newest checkpoint of this run that verifies; None when the folder has none of this run.

        Args:
            may_be_damaged: return None as well where all of this run's checkpoints are damaged; before the first save
                they are to be set aside.
        Raises:
            PlatformError: when none of this run's checkpoints can be used, naming them; always where the disk or its
                permissions are the reason: what was not read may be sound.
            UserError: when one of them was written in a later format than this program knows.
        """
        own = self._own()
        for step, path in own:
            try:
                found = load_checkpoint(path, step, self._fingerprint)
            except (DamagedCheckpointError, OSError) as error:
                # Left where it is: SageMaker would mirror its deletion to S3, where it may be sound.
                self._unusable[path.name] = _why(error)
                if isinstance(error, OSError):
                    self._unread.add(path.name)
                logger.warning("checkpoint %s cannot be used: %s", path.name, _why(error))
            else:
                self._verified.add(path.name)
                return found
        if own and (self._unread or not may_be_damaged):
            raise self._none_usable()
        self._tell_of_others()
        return None

    def set_damaged_aside(self) -> None:
        """Give this run's checkpoints other names where none of them can be used, so that the run may begin anew.

        Raises:
            OSError: when the folder does not allow it.
        """
        if not self._verified:
            for _, path in self._own():
                self._set_aside(path)

    def remove_leftovers(self) -> None:
        """Remove files that an interrupted save left half written."""
        remove_partial_files(self._folder, "checkpoint-*")

    def sizes_kept(self) -> list[int]:
        """Return the bytes of each of this run's checkpoints that make room for new ones, KEEP at most."""
        return [_size(path) for _, path in self._ranked()[:KEEP]]

    def bytes_of_others(self) -> int:
        """Return the bytes of the checkpoints that stay whatever this run does: those of other runs."""
        return sum(_size(path) for run, _, path in self._all() if run != self._run)

    def damaged_sizes(self) -> dict[str, int]:
        """Return name and bytes of the damaged checkpoints that stay: set aside, or to be set aside."""
        aside = [path for path in self._folder.glob(f"{_ASIDE}*") if path.name.endswith(".safetensors")]
        staying = aside if self._verified else [*aside, *(path for _, path in self._own())]
        return {path.name: _size(path) for path in sorted(staying)}

    def _own(self) -> list[tuple[int, Path]]:
        """Return (step, path) of this run's checkpoints, newest first by step: times are lost on the way through S3."""
        return sorted(((s, p) for run, s, p in self._all() if run == self._run), reverse=True)

    def _all(self) -> list[tuple[str, int, Path]]:
        """Return (run, step, path) of all checkpoints.

        Raises:
            PlatformError: when the folder cannot be read.
        """
        try:
            matches = [(_NAME.fullmatch(path.name), path) for path in self._folder.iterdir()]
        except OSError as error:
            raise PlatformError(
                f"The checkpoints in {self._folder} cannot be read: {error.strerror}.",
                "Check the mount, and the permissions of the user the container runs as.",
            ) from error
        return [(match[1], int(match[2]), path) for match, path in matches if match]

    def _ranked(self) -> list[tuple[int, Path]]:
        """Return (step, path) of this run's checkpoints in the order in which they are worth keeping.

        Those that are known to be sound come first, newest first; those that are known to be damaged are left out
        until the run has passed their step.
        """
        own = self._own()
        reached = max((step for step, path in own if path.name in self._verified), default=-1)
        counted = [(s, p) for s, p in own if p.name not in self._unusable or s < reached]
        return sorted(counted, key=lambda item: (self._worth(item[1]), item[0]), reverse=True)

    def _worth(self, path: Path) -> int:
        return 2 if path.name in self._verified else int(path.name not in self._unusable)

    def _prune(self) -> None:
        """Delete what is older than the newest sound one and not among the KEEP most worth keeping.

        SageMaker mirrors deletions to S3: where it marks uploads, a file goes only after a newer one has arrived there.
        """
        ranked = self._ranked()
        sound = [(step, path.name) for step, path in ranked if path.name in self._verified]
        names = {path.name for path in self._folder.iterdir()}
        if any(name.endswith((_UPLOADED, _UPLOADING)) for name in names):
            sound = [(step, name) for step, name in sound if name + _UPLOADED in names]
        for step, path in ranked[KEEP:]:
            if any(newer > step for newer, _ in sound):
                _remove(path)

    def _set_aside(self, path: Path) -> None:
        numbers = itertools.chain([""], (f"{number}-" for number in itertools.count(2)))
        names = (path.with_name(f"{_ASIDE}{number}{path.name}") for number in numbers)
        target = next(name for name in names if not os.path.lexists(name))
        path.rename(target)
        _forget_upload(path)
        self._unusable.pop(path.name, None)
        logger.warning("checkpoint %s is set aside as %s: the run begins at step 0", path.name, target.name)

    def _none_usable(self) -> PlatformError:
        told = [f"{name} ({why})" for name, why in self._unusable.items()]
        more = f" and {len(told) - _MOST_NAMED} more" if len(told) > _MOST_NAMED else ""
        remedy = (
            "Restore one of them (a versioned bucket keeps earlier versions), or begin at step 0 with"
            " damaged_checkpoints=set_aside (S3 then loses them under these names: copy there first what may be sound)."
        )
        if self._unread:
            remedy = (
                "Give the user the container runs as access to them and check the mount: what could not be read may be"
                " sound, and is never set aside."
            )
        return PlatformError(
            f"This run has checkpoints in {self._folder}, but none can be used: {', '.join(told[:_MOST_NAMED])}{more}.",
            remedy,
        )

    def _tell_of_others(self) -> None:
        """Say why the checkpoints that are there are not this run's, so that a fresh start is no riddle."""
        others = sorted((step, path) for run, step, path in self._all() if run != self._run)
        if others:
            logger.warning(
                "%d checkpoint(s) of another run are left alone; the newest %s",
                len(others),
                self._difference(others[-1][1]),
            )
        try:
            below = sorted(path for path in self._folder.glob("*/*") if _NAME.fullmatch(path.name))
        except OSError as error:
            logger.warning("not all folders in %s can be looked into: %s", self._folder, error)
            return
        if below:
            logger.warning(
                "%d checkpoint(s) in %s are not looked at: to resume them, let checkpoint_s3_uri name that folder",
                len(below),
                below[0].parent,
            )

    def _difference(self, path: Path) -> str:
        """Say in what the run of a checkpoint differs from this one."""
        try:
            theirs = metadata_of(path).fingerprint
        except (DamagedCheckpointError, OSError) as error:
            return f"({path.name}) cannot be used: {_why(error)}"
        fields = [
            name
            for name in sorted({*theirs, *self._fingerprint})
            if _differs(name, theirs, self._fingerprint)
        ]
        return f"differs in: {', '.join(fields)}" if fields else f"({path.name}) has got another name"


def digest_of_fingerprint(fingerprint: Mapping[str, Any]) -> str:
    """Return a run's name: 12 hexadecimal digits that two runs share where their identities are equal."""
    canonical = json.dumps(dict(fingerprint), sort_keys=True).encode()
    return hashlib.sha256(canonical).hexdigest()[:12]


def _differs(field: str, *fingerprints: Mapping[str, Any]) -> bool:
    """Say whether a field differs as far as a run's name is concerned: 1 is not 1.0, and null is not nothing."""
    return (
        len({json.dumps(fingerprint[field]) if field in fingerprint else "" for fingerprint in fingerprints})
        > 1
    )


def _why(error: Exception) -> str:
    """Return why a file cannot be used."""
    return f"it cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)


def _size(path: Path) -> int:
    """Return the bytes that a file takes; 0 for anything else, and for what has gone or does not tell."""
    try:
        told = path.lstat()
    except OSError:
        return 0
    return told.st_size if stat.S_ISREG(told.st_mode) else 0


def _remove(path: Path) -> None:
    """Delete a checkpoint that is no longer needed; a disk that refuses costs room, not the run."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("the old checkpoint %s cannot be removed: %s", path.name, error.strerror)


def _forget_upload(path: Path) -> None:
    """Remove the mark that a file of this name has arrived in S3: what bears the name next has not."""
    path.with_name(path.name + _UPLOADED).unlink(missing_ok=True)
