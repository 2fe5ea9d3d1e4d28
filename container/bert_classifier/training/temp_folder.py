"""A job's temporary folder: removed when the job ends, or by the next job if it was killed."""

import contextlib
import fcntl
import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from bert_classifier.job.temporary_files import temporary_files

logger = logging.getLogger(__name__)

_PREFIX = "bert-classifier-train-"
_LOCK = "in-use.lock"  # locked as long as the job's process lives


@contextlib.contextmanager
def temp_folder() -> Iterator[Path]:
    """Create the folder for the duration of a `with`.

    Raises:
        PlatformError: when temporary files cannot be written.
    """
    with temporary_files():
        _remove_abandoned(Path(tempfile.gettempdir()))
        made = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
    with made as name, _locked(Path(name)):
        yield Path(name)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock that marks the folder as in use; the lock file gets its name only once it is locked."""
    unnamed = folder / f"{_LOCK}.new"
    with unnamed.open("wb") as lock:
        if _acquire(lock):
            unnamed.rename(folder / _LOCK)
        yield


def _acquire(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process has it, or the file system has no locks
        return False
    return True


def _remove_abandoned(parent: Path) -> None:
    """Remove the folders of killed jobs, whose lock files nobody holds."""
    for path in parent.glob(f"{_PREFIX}*/{_LOCK}"):
        with contextlib.suppress(OSError), path.open("rb+") as lock:  # of another user
            if _acquire(lock):
                logger.info("removing %s, left by a killed job", path.parent)
                shutil.rmtree(path.parent, ignore_errors=True)
