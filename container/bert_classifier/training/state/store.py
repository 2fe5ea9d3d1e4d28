"""The checkpoint folder: choose the checkpoint to resume from, and delete old ones."""

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
    read_metadata,
    write_checkpoint,
)
from bert_classifier.training.state.upload_markers import UPLOADED, marks_uploads, remove_upload_marker

logger = logging.getLogger(__name__)

KEEP = 3
NAME = re.compile(r"checkpoint-([0-9a-f]{12})-([0-9]{9})\.safetensors")
_ASIDE = "damaged-"  # prefix of a checkpoint that was set aside
_MOST_NAMED = 5
# Hyperparameters by the fields of the fingerprint that they set, where the names differ.
_HYPERPARAMETERS = {
    "gradient_shards": "num_gradient_groups",
    "global_batch": "global_batch_size",
    "layer_depths": "layer_decay",
    "master_weights": "precision (bf16 has float32 master weights now)",
    "rows_per_micro_batch": "per_device_batch_size",
    "token_budget": "max_tokens_per_micro_batch",
}
_FOLLOWS_FROM = {"token_budget": "reproducible", "master_weights": "precision"}


class CheckpointStore:
    """The checkpoints of one run in a folder that other runs may share; nothing else changes the folder.

    Args:
        folder: exists and is writable.
        fingerprint: of the run, by field; checkpoints of other runs are never loaded or deleted.
    """

    def __init__(self, folder: Path, fingerprint: Mapping[str, Any]) -> None:
        self._folder = folder
        self._fingerprint = dict(fingerprint)
        self._run = digest_of_fingerprint(fingerprint)
        self._verified: set[str] = set()  # names of files that this process has written or verified
        self._unusable: dict[str, Exception] = {}  # by name; after an OSError, the file may be intact

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint, then delete those that are no longer needed; return its path.

        Raises:
            OSError: when it cannot be written; earlier checkpoints are then untouched.
        """
        path = self._folder / f"checkpoint-{self._run}-{checkpoint.step:09d}.safetensors"
        remove_upload_marker(path)
        write_checkpoint(path, checkpoint, self._fingerprint)
        self._verified.add(path.name)
        self._unusable.pop(path.name, None)
        try:
            self._prune()
        except (OSError, PlatformError) as error:  # costs only disk space
            logger.warning("old checkpoints cannot be deleted: %s", error)
        return path

    def load_newest(self, *, may_be_damaged: bool = False, warns_of_others: bool = True) -> Checkpoint | None:
        """Return this run's newest intact checkpoint; None if the folder has no checkpoint of this run.

        Args:
            may_be_damaged: also return None if all of them are damaged; call `set_damaged_aside` before saving then.
            warns_of_others: whether to say why the checkpoints of other runs are not used.
        Raises:
            PlatformError: when none of this run's checkpoints can be used, or, even with may_be_damaged, when one could
                not be read: it may be intact.
            UserError: when a later version wrote one in an unknown format.
        """
        own = self._own()
        for step, path in own:
            try:
                found = load_checkpoint(path, step, self._fingerprint)
            except (DamagedCheckpointError, OSError) as error:
                # Not deleted: SageMaker would delete it in S3 as well, where it may be intact.
                self._unusable[path.name] = error
                logger.warning("checkpoint %s cannot be used: %s", path.name, _why(error))
            else:
                self._verified.add(path.name)
                return found
        if own and not (may_be_damaged and not self._has_unread()):
            raise self._none_usable()
        if warns_of_others:
            self._warn_of_others()
        return None

    def set_damaged_aside(self) -> None:
        """Rename this run's checkpoints if none of them can be used, so that the run may start over.

        Raises:
            OSError: when the folder does not allow it.
        """
        if not self._verified:
            for _, path in self._own():
                self._set_aside(path)

    def remove_leftovers(self) -> None:
        """Remove the partial files of an interrupted save."""
        remove_partial_files(self._folder, "checkpoint-*")

    def sizes_kept(self) -> list[int]:
        """Return the bytes of this run's checkpoints that new ones will replace, at most KEEP."""
        return [_size(path) for _, path in self._ranked()[:KEEP]]

    def bytes_of_others(self) -> int:
        """Return the bytes of other runs' checkpoints, which stay."""
        return sum(_size(path) for run, _, path in self._all() if run != self._run)

    def damaged_sizes(self) -> dict[str, int]:
        """Return name and bytes of the damaged checkpoints that stay: those set aside, and those that will be."""
        aside = [path for path in self._folder.glob(f"{_ASIDE}*") if path.name.endswith(".safetensors")]
        staying = aside if self._verified else [*aside, *(path for _, path in self._own())]
        return {path.name: _size(path) for path in sorted(staying)}

    def _has_unread(self) -> bool:
        return any(isinstance(error, OSError) for error in self._unusable.values())

    def _own(self) -> list[tuple[int, Path]]:
        """Return (step, path) of this run's checkpoints, latest step first, since S3 does not preserve file times."""
        return sorted(((s, p) for run, s, p in self._all() if run == self._run), reverse=True)

    def _all(self) -> list[tuple[str, int, Path]]:
        """Return (run, step, path) of all checkpoints.

        Raises:
            PlatformError: when the folder cannot be read.
        """
        try:
            matches = [(NAME.fullmatch(path.name), path) for path in self._folder.iterdir()]
        except OSError as error:
            raise PlatformError(
                f"The checkpoints in {self._folder} cannot be read: {error.strerror}.",
                "Check the mount and the permissions of the container's user.",
            ) from error
        return [(match[1], int(match[2]), path) for match, path in matches if match]

    def _ranked(self) -> list[tuple[int, Path]]:
        """Return (step, path) of this run's checkpoints, the most valuable first.

        Verified ones come first, the latest of them leading. Unusable ones are omitted until the run has passed their
        step.
        """
        own = self._own()
        reached = max((step for step, path in own if path.name in self._verified), default=-1)
        counted = [(s, p) for s, p in own if p.name not in self._unusable or s < reached]
        return sorted(counted, key=lambda item: (self._worth(item[1]), item[0]), reverse=True)

    def _worth(self, path: Path) -> int:
        return 2 if path.name in self._verified else int(path.name not in self._unusable)

    def _prune(self) -> None:
        """Delete checkpoints that are older than a verified one and not among the KEEP most valuable.

        SageMaker repeats deletions in S3. Where it marks uploads, the verified one must have been uploaded.
        """
        ranked = self._ranked()
        verified = [(step, path.name) for step, path in ranked if path.name in self._verified]
        names = {path.name for path in self._folder.iterdir()}
        if marks_uploads(names):
            verified = [(step, name) for step, name in verified if name + UPLOADED in names]
        for step, path in ranked[KEEP:]:
            if any(newer > step for newer, _ in verified):
                delete(path)

    def _set_aside(self, path: Path) -> None:
        numbers = itertools.chain([""], (f"{number}-" for number in itertools.count(2)))
        targets = (path.with_name(f"{_ASIDE}{number}{path.name}") for number in numbers)
        target = next(target for target in targets if not os.path.lexists(target))
        path.rename(target)
        remove_upload_marker(path)
        self._unusable.pop(path.name, None)
        logger.warning(
            "damaged checkpoint %s renamed to %s: the run starts at step 0", path.name, target.name
        )

    def _none_usable(self) -> PlatformError:
        names = [f"{name} ({_why(error)})" for name, error in self._unusable.items()]
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        if self._has_unread():
            remedy = (
                "Give the container's user access to them and check the mount: a file that could not be read"
                " may be intact, and is never set aside."
            )
        else:
            remedy = (
                "Restore one of them (a versioned bucket keeps earlier versions), or start at step 0 with"
                " damaged_checkpoints=set_aside, which renames them in S3 too: first copy there what may be intact."
            )
        return PlatformError(
            f"This run has checkpoints in {self._folder}, but none can be used:"
            f" {', '.join(names[:_MOST_NAMED])}{more}.",
            remedy,
        )

    def _warn_of_others(self) -> None:
        """Explain why the run does not resume from checkpoints that exist."""
        others = sorted((step, path) for run, step, path in self._all() if run != self._run)
        if others:
            logger.warning(
                "ignoring %d checkpoint(s) of another run; the newest %s",
                len(others),
                self._difference(others[-1][1]),
            )
        try:
            below = sorted(path for path in self._folder.glob("*/*") if NAME.fullmatch(path.name))
        except OSError as error:
            logger.warning("not all folders in %s can be read: %s", self._folder, error)
            return
        if below:
            logger.warning(
                "ignoring %d checkpoint(s) in %s: to resume them, set checkpoint_s3_uri to that folder",
                len(below),
                below[0].parent,
            )

    def _difference(self, path: Path) -> str:
        """Return in which hyperparameters and other fields a checkpoint's run differs from this one."""
        try:
            theirs = read_metadata(path).fingerprint
        except (DamagedCheckpointError, OSError) as error:
            return f"({path.name}) cannot be used: {_why(error)}"
        fields = {f for f in {*theirs, *self._fingerprint} if _differs(f, theirs, self._fingerprint)}
        causes = {field for field in fields if _FOLLOWS_FROM.get(field) not in fields}
        names = sorted({_HYPERPARAMETERS.get(field, field) for field in causes})
        return f"differs in: {', '.join(names)}" if names else f"({path.name}) has been renamed"


def digest_of_fingerprint(fingerprint: Mapping[str, Any]) -> str:
    """Return 12 hexadecimal digits that identify a run: equal for equal fingerprints."""
    canonical = json.dumps(dict(fingerprint), sort_keys=True).encode()
    return hashlib.sha256(canonical).hexdigest()[:12]


def _differs(field: str, *fingerprints: Mapping[str, Any]) -> bool:
    """Return whether a field differs in JSON, as in the digest: 1 is not 1.0, and null is not a missing field."""
    return len({json.dumps(f[field]) if field in f else "" for f in fingerprints}) > 1


def _why(error: Exception) -> str:
    return f"it cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)


def _size(path: Path) -> int:
    """Return the bytes of a regular file; 0 for anything else."""
    try:
        status = path.lstat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def delete(path: Path) -> None:
    """Delete a checkpoint; a failure costs only disk space."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("old checkpoint %s cannot be deleted: %s", path.name, error.strerror)
