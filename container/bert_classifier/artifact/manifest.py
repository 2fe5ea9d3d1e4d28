"""The files of an artifact: installed atomically, verified by their digests before they are read."""

import hashlib
import os
from collections.abc import Set
from pathlib import Path
from typing import Any

from bert_classifier.artifact.model_card import MODEL_CARD
from bert_classifier.errors import ContainerError, UserError, cannot_read
from bert_classifier.job.atomic_io import copy_durably
from bert_classifier.job.json_files import read_object, write_json
from bert_classifier.job.settings import shown

MANIFEST = "manifest.json"
_RESTORE = "Restore the folder from the model.tar.gz that training wrote."


def put_files(staged: Path, folder: Path) -> None:
    """Copy the files of `staged` into `folder`, which may be on another disk, and list them in its manifest.

    The model card is not listed: people edit it, and no program reads it.
    The manifest is removed first and written last, so `verify` refuses the folder after an interruption at any point.
    Files of an earlier artifact are removed, since other programs would take them for part of this one.

    Raises:
        OSError: when the files cannot be written.
    """
    names = sorted(path.name for path in staged.iterdir() if path.is_file())
    described = {name: _described(staged / name) for name in names if name != MODEL_CARD}
    write_json(staged / MANIFEST, {"files": described})
    folder.mkdir(parents=True, exist_ok=True)
    former = _listed(folder)
    (folder / MANIFEST).unlink(missing_ok=True)
    for path in (folder / name for name in former - set(names)):
        if path.is_file():
            path.unlink()
    for name in (*names, MANIFEST):
        copy_durably(staged / name, folder / name)


def _listed(folder: Path) -> set[str]:
    """Return the names of the files that a folder's manifest lists; none without a usable manifest."""
    try:
        files = read_object(folder / MANIFEST, _RESTORE).get("files")
    except ContainerError:
        return set()
    return {name for name in files if Path(name).name == name} if isinstance(files, dict) else set()


def find_artifact(folder: Path) -> Path:
    """Return the artifact's folder: this one, or its only subfolder if an archive had a top-level folder.

    Raises:
        UserError: when there is none.
    """
    if (folder / MANIFEST).is_file():
        return folder
    below = sorted(path.parent for path in folder.glob(f"[!.]*/{MANIFEST}"))
    if len(below) == 1:
        return below[0]
    raise UserError(
        f"{folder} holds no trained model: there is no {MANIFEST}.",
        "Serve the model.tar.gz (or the model folder) that `train` wrote.",
    )


def verify(folder: Path, required: Set[str]) -> None:
    """Compare every file with the manifest, but for the model card, which earlier versions listed too.

    Raises:
        UserError: for the first file that is missing, a link, or altered.
        PlatformError: for the first file that disk or permissions prevent reading.
    """
    files = read_object(folder / MANIFEST, _RESTORE).get("files")
    if not isinstance(files, dict) or not required <= set(files):
        raise UserError(f"{folder / MANIFEST} does not list the files of a model.", _RESTORE)
    for name in sorted(files.keys() - {MODEL_CARD}):
        path = folder / name
        if os.sep in name or path.is_symlink() or not path.is_file():
            raise UserError(f"{shown(name)} of the model in {folder} is missing or a link.", _RESTORE)
        try:
            described = _described(path)
        except OSError as error:
            raise cannot_read(path, error, _RESTORE) from error
        if described != files[name]:
            raise UserError(f"{shown(name)} of the model in {folder} is not what training wrote.", _RESTORE)


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
