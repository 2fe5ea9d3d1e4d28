"""Write files atomically: a crash of the process or machine, or an upload to S3, never sees a partial file.

Standard library only. Every file that must survive a crash is written here.
"""

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

# SageMaker's sync to S3 skips files with this suffix.
PARTIAL_SUFFIX = ".sagemaker-ignore"
_CHUNK_BYTES = 8 * 1024 * 1024


def write_durably(path: Path, chunks: Iterable[bytes | memoryview]) -> None:
    """Write a file under a temporary name in the same folder, sync it, then rename it.

    Raises:
        OSError: when it cannot be written; an earlier file of that name is then unchanged.
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
    """Check that files can be written to a folder; raise the OSError if not."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-", suffix=PARTIAL_SUFFIX) as probe:
        probe.write(b"probe")


def require_replaceable(paths: Iterable[Path]) -> None:
    """Check that these files in writable folders, as far as they exist, can be replaced, without replacing them.

    In a sticky folder such as /tmp, only its owner, a file's owner and root may remove a file; only the last two may
    set its times, which is tested here.

    Raises:
        OSError: for the first file that cannot be replaced.
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
    """Sync a folder, so that a rename survives a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy_durably(source: Path, target: Path) -> None:
    """Copy a file atomically and durably, even from another mount."""
    with source.open("rb") as file:
        write_durably(target, iter(lambda: file.read(_CHUNK_BYTES), b""))
