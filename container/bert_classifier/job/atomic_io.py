"""Write files whole or not at all, whatever happens to the process, the machine or the upload to S3.

Standard library only. Every file that must survive is written through here.
"""

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

# SageMaker's sync to S3 leaves files with this suffix alone.
PARTIAL_SUFFIX = ".sagemaker-ignore"
_CHUNK_BYTES = 8 * 1024 * 1024


def write_durably(path: Path, chunks: Iterable[bytes | memoryview]) -> None:
    """Write a file under a temporary name in the same folder, sync it, then rename it.

    Raises:
        OSError: when the disk does not take it; an earlier file of that name is then unchanged.
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
    """Write a file into a folder and remove it again; raise the OSError where that fails."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-", suffix=PARTIAL_SUFFIX) as probe:
        probe.write(b"probe")


def require_replaceable(paths: Iterable[Path]) -> None:
    """Check that the existing ones among files in writable folders can be removed, without removing them.

    In a sticky folder such as /tmp only owner and administrator may remove a file; only they may set its times too.

    Raises:
        OSError: for the first one that cannot be removed.
    """
    for path in filter(os.path.lexists, paths):
        folder, file = path.parent.stat(), path.lstat()
        if folder.st_mode & stat.S_ISVTX and os.geteuid() not in {file.st_uid, folder.st_uid}:
            try:
                os.utime(path, ns=(file.st_atime_ns, file.st_mtime_ns), follow_symlinks=False)
            except OSError as error:
                raise OSError(error.errno, f"{path} is another user's ({error.strerror})") from error


def remove_partial_files(folder: Path, pattern: str = "*") -> None:
    """Remove the files that interrupted writes left in a folder."""
    for path in folder.glob(pattern + PARTIAL_SUFFIX):
        if path.is_file():
            path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Sync a folder, so that a rename outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy_durably(source: Path, target: Path) -> None:
    """Copy a file, even from another mount, as write_durably writes one."""
    with source.open("rb") as file:
        write_durably(target, iter(lambda: file.read(_CHUNK_BYTES), b""))
