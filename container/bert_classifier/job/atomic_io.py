"""Files that are there whole or not at all, whatever happens to process, machine or the upload to S3.

Standard library only. Every file that must survive is written through here.
"""

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

# SageMaker's own containers give this suffix to files that its sync to S3 shall leave alone.
PARTIAL_SUFFIX = ".sagemaker-ignore"


def write_durably(path: Path, chunks: Iterable[bytes | memoryview]) -> None:
    """Write a file under a temporary name in the same folder, force it to disk, and only then give it its name.

    Raises:
        OSError: when the disk does not take it; the file of that name, if there was one, is then unchanged.
    """
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        with partial.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def require_writable(folder: Path) -> None:
    """Write a file into a folder and remove it again.

    Raises:
        OSError: when that cannot be done.
    """
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-", suffix=PARTIAL_SUFFIX) as probe:
        probe.write(b"probe")


def require_replaceable(paths: Iterable[Path]) -> None:
    """Prove that what lies in writable folders can be removed, without removing it; what is not there may be.

    In a sticky folder, as /tmp is, only owner and administrator may; they alone may set a file's times as well.

    Raises:
        OSError: for the first one that cannot be removed.
    """
    for path in filter(os.path.lexists, paths):
        folder, told = path.parent.stat(), path.lstat()
        if folder.st_mode & stat.S_ISVTX and os.geteuid() not in {told.st_uid, folder.st_uid}:
            try:
                os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns), follow_symlinks=False)
            except OSError as error:
                raise OSError(error.errno, f"{path} is another user's ({error.strerror})") from error


def remove_partial_files(folder: Path, pattern: str = "*") -> None:
    """Remove the files that an interrupted write has left half written in a folder."""
    for path in folder.glob(pattern + PARTIAL_SUFFIX):
        if path.is_file():
            path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Force a folder's entries to disk, so that a rename outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy_durably(source: Path, target: Path, chunk_bytes: int = 8 * 1024 * 1024) -> None:
    """Copy a file, also from another mount, as write_durably writes one."""
    with source.open("rb") as file:
        write_durably(target, iter(lambda: file.read(chunk_bytes), b""))
