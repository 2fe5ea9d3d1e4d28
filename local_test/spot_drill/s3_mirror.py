"""Mirror a checkpoint folder as SageMaker copies it to S3: file by file, deletions too, in no order.

Worse than the real service on purpose: the order is random, uploads are cut off, and file times are lost.
"""

import contextlib
import os
import random
import shutil
import threading
import time
from pathlib import Path

IGNORED_SUFFIX = ".sagemaker-ignore"
MARKERS = (".sagemaker-uploading", ".sagemaker-uploaded")
_CHUNK = 256 * 1024


class CheckpointMirror:
    """Copy a folder to a bucket in the background, until it is frozen, with SageMaker's marker files beside the copied.

    Args:
        local: the instance's checkpoint folder.
        bucket: a folder that stands for the S3 prefix.
        rng: decides the order of uploads.
        bytes_per_second: of an upload.
    """

    def __init__(self, local: Path, bucket: Path, rng: random.Random, *, bytes_per_second: float) -> None:
        self._local = local
        self._bucket = bucket
        self._rng = rng
        self._pause = _CHUNK / bytes_per_second
        self._frozen = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)
        self._error: OSError | None = None

    def restore(self) -> None:
        """Fill the folder from the bucket as on a new instance: in any order, with meaningless times."""
        self._local.mkdir(parents=True, exist_ok=True)
        objects = sorted(path for path in self._bucket.rglob("*") if path.is_file())
        self._rng.shuffle(objects)
        for path in objects:
            copy = self._local / path.relative_to(self._bucket)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            when = self._rng.uniform(1e9, 2e9)
            os.utime(copy, (when, when))

    def start(self) -> None:
        """Start to upload."""
        self._thread.start()

    def freeze(self) -> None:
        """Stop at once, even within a file: the instance is gone.

        Raises:
            OSError: that ended the copying before, such as a full disk.
        """
        self._frozen.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        """Upload everything that is left, as SageMaker does when a job ends in order."""
        self.freeze()
        self._frozen.clear()
        while self._step():
            pass

    def _run(self) -> None:
        try:
            while not self._frozen.is_set():
                if not self._step():
                    time.sleep(0.02)
        except OSError as error:
            self._error = error

    def _step(self) -> bool:
        """Copy or delete one file, chosen at random; tell whether there was any."""
        local, bucket = _sizes(self._local), _sizes(self._bucket)
        changed = [name for name, size in local.items() if bucket.get(name, 0) != size]
        gone = [name for name in bucket if name not in local]
        if not changed and not gone:
            return False
        name = self._rng.choice(changed + gone)
        with contextlib.suppress(FileNotFoundError):  # the program may delete a file at any moment
            if name in gone:
                (self._bucket / name).unlink()
            else:
                self._upload(name)
        return True

    def _upload(self, name: str) -> None:
        source = self._local / name
        uploading, uploaded = (self._local / (name + suffix) for suffix in MARKERS)
        uploading.touch()
        (self._bucket / name).parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as file, (self._bucket / name).open("wb") as target:
            while chunk := file.read(_CHUNK):
                target.write(chunk)
                time.sleep(self._pause)
                if self._frozen.is_set():
                    return
        uploaded.touch()
        uploading.unlink(missing_ok=True)


def _sizes(folder: Path) -> dict[str, int]:
    """Return the size of each file that counts, by its path below the folder: the key of its object."""
    sizes = {}
    for parent, _, names in os.walk(folder):  # which bears that folders disappear meanwhile
        for path in (Path(parent, name) for name in names if not name.endswith((IGNORED_SUFFIX, *MARKERS))):
            with contextlib.suppress(FileNotFoundError):
                sizes[str(path.relative_to(folder))] = path.stat().st_size
    return sizes
