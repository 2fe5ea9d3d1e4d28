"""The folder for a job's temporary files: removed as the job ends, or by the next job where it was killed."""

import contextlib
import fcntl
import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from bert_classifier.errors import PlatformError

logger = logging.getLogger(__name__)

_PREFIX = "bert-classifier-train-"
_LOCK = "in-use.lock"  # held by the process that the folder belongs to, and given back with it


@contextlib.contextmanager
def temp_folder() -> Iterator[Path]:
    """Make a folder for the time of a `with`.

    Raises:
        PlatformError: when there is no place for one.
    """
    try:
        _remove_abandoned(Path(tempfile.gettempdir()))
        made = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
    except OSError as error:
        raise PlatformError(
            "There is no folder for temporary files.", "Make /tmp writable, or set TMPDIR."
        ) from error
    with made as name, _locked(Path(name)):
        yield Path(name)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock that tells other jobs that the folder is in use; it gets its name when it is held."""
    unnamed = folder / f"{_LOCK}.new"
    with unnamed.open("wb") as lock:
        if _take(lock):
            unnamed.rename(folder / _LOCK)
        yield


def _take(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by another, or a file system that knows no locks
        return False
    return True


def _remove_abandoned(parent: Path) -> None:
    """Remove the folders of jobs that were killed: whose lock is there, and nobody holds it."""
    for path in parent.glob(f"{_PREFIX}*/{_LOCK}"):
        with contextlib.suppress(OSError), path.open("rb+") as lock:  # another user's is not ours to open
            if _take(lock):
                logger.info("removing %s, which a killed job has left", path.parent)
                shutil.rmtree(path.parent, ignore_errors=True)
