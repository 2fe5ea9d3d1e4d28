"""The markers that SageMaker's sync of the checkpoint folder to S3 puts beside files, where it does."""

from collections.abc import Collection
from pathlib import Path

UPLOADED = ".sagemaker-uploaded"  # suffixes
_UPLOADING = ".sagemaker-uploading"


def marks_uploads(names: Collection[str]) -> bool:
    """Return whether SageMaker marks which files of a folder it has uploaded, judged by the names in it."""
    return any(name.endswith((UPLOADED, _UPLOADING)) for name in names)


def remove_upload_marker(path: Path) -> None:
    """Remove the marker that a file of this name was uploaded to S3: the next file of that name has not been."""
    path.with_name(path.name + UPLOADED).unlink(missing_ok=True)
