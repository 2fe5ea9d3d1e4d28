"""The results of a job's finished trainings, so that none is repeated after an interruption.

A job with several trainings exports the model of one. Of the others a small file remains, which takes the place of
their checkpoints: self-verifying, complete or absent, like a checkpoint.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bert_classifier.job.atomic_io import remove_partial_files
from bert_classifier.training.state.checkpoint import (
    Checkpoint,
    DamagedCheckpointError,
    load_checkpoint,
    write_checkpoint,
)
from bert_classifier.training.state.store import NAME, delete, digest_of_fingerprint
from bert_classifier.training.state.upload_markers import UPLOADED, marks_uploads, remove_upload_marker

logger = logging.getLogger(__name__)


class ResultFiles:
    """The result files of one job in its checkpoint folder.

    Args:
        folder: None keeps nothing.
        fingerprint: of the job's first run.
    """

    def __init__(self, folder: Path | None, fingerprint: Mapping[str, Any]) -> None:
        self._folder = folder
        self._fingerprint = dict(fingerprint)
        self._replaced: dict[Path, str] = {}  # digest of the run whose checkpoints a file replaces
        if folder is not None:
            remove_partial_files(folder, "result-*")

    def load(self, key: Mapping[str, Any]) -> Checkpoint | None:
        """Return the result of the training that `key` names; None if there is none that can be used.

        Raises:
            UserError: when a later version wrote it in an unknown format.
        """
        path = self._path(key)
        if path is None or not path.exists():
            return None
        try:
            return load_checkpoint(path, 0, self._member(key))
        except (DamagedCheckpointError, OSError) as error:
            logger.warning("result %s cannot be used, so that training is repeated: %s", path.name, error)
            return None

    def save(self, key: Mapping[str, Any], result: Checkpoint) -> None:
        """Write a result; a failure costs only that an interrupted job repeats the training."""
        path = self._path(key)
        if path is None:
            return
        try:
            remove_upload_marker(path)
            write_checkpoint(path, result, self._member(key))
        except OSError as error:
            logger.warning("result %s cannot be saved: %s", path.name, error)

    def replaces(self, key: Mapping[str, Any], run: str) -> None:
        """Note that a run's checkpoints are no longer needed beside its result; `prune` deletes them."""
        path = self._path(key)
        if path is not None:
            self._replaced[path] = run

    def prune(self) -> None:
        """Delete the checkpoints that results have replaced; SageMaker repeats that in S3.

        Where it marks uploads, those whose result it has not uploaded yet wait for the next call.
        """
        for path, run in list(self._replaced.items()):
            if path.exists() and _delete_run(path.parent, run, path.name):
                del self._replaced[path]

    def _member(self, key: Mapping[str, Any]) -> dict[str, Any]:
        return {**self._fingerprint, "training": dict(key)}

    def _path(self, key: Mapping[str, Any]) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / f"result-{digest_of_fingerprint(self._member(key))}.safetensors"


def _delete_run(folder: Path, run: str, replacement: str) -> bool:
    """Delete all checkpoints of a run which a file of the folder replaces; return whether that was possible.

    It is not before the replacement has been uploaded, where SageMaker marks uploads: it repeats deletions in S3.

    Args:
        run: digest of its fingerprint.
        replacement: the file's name.
    """
    try:
        names = {path.name for path in folder.iterdir()}
    except OSError as error:
        logger.warning("old checkpoints cannot be deleted: %s", error)
        return False
    if marks_uploads(names) and replacement + UPLOADED not in names:
        return False
    for name in names:
        match = NAME.fullmatch(name)
        if match and match[1] == run:
            delete(folder / name)
    return True
