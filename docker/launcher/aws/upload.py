"""Uploads: only what is not in S3 yet, and only the very bytes that were digested."""

import dataclasses
import hashlib
import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from tqdm import tqdm

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.aws.s3 import Location, list_sizes
from launcher.command import say

_BLOCK = 1024 * 1024
_TRANSFER = TransferConfig()


@dataclasses.dataclass(frozen=True)
class DigestedFile:
    """A file of this machine as it was read once.

    Attributes:
        size: in bytes.
        sha256: of its content, in hexadecimal digits.
    """

    path: Path
    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "DigestedFile":
        """Read a file.

        Raises:
            UserError: when it cannot be read.
        """
        digest, size = hashlib.sha256(), 0
        with _opened(path) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
        return cls(path, size, digest.hexdigest())


def upload(account: Account, files: Mapping[str, DigestedFile], folder: Location, kms_key: str = "") -> None:
    """Upload files into a folder that belongs to their contents; what is there in full already is not sent again.

    Args:
        files: by their names in the folder.
    Raises:
        UserError: when a file is no longer what it was when it was digested; it makes no object then.
    """
    missing = _missing(account, files, folder, kms_key)
    if not missing:
        say(f"{folder.uri} is there already")
        return
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    total = sum(file.size for file in missing.values())
    hidden = None if sys.stderr.isatty() else True
    with tqdm(
        total=total, unit="B", unit_scale=True, desc=folder.uri, file=sys.stderr, disable=hidden
    ) as bar:
        for name, file in missing.items():
            with _opened(file.path) as content:
                account.client("s3").upload_fileobj(
                    _same_bytes(content, file), folder.bucket, folder.key + name, extra, bar.update, _TRANSFER
                )
    say(f"uploaded {len(missing)} file(s), {total / 1e6:.1f} MB, to {folder.uri}")


def _missing(
    account: Account, files: Mapping[str, DigestedFile], folder: Location, kms_key: str
) -> dict[str, DigestedFile]:
    there = list_sizes(account, folder)
    return {
        name: file
        for name, file in files.items()
        if there.get(folder.key + name) != file.size
        or (kms_key and not _has_key(account, folder.bucket, folder.key + name, kms_key))
    }


def _has_key(account: Account, bucket: str, key: str, kms_key: str) -> bool:
    """Say whether an object is encrypted with a key; of an alias that cannot be told."""
    try:
        found = account.client("s3").head_object(Bucket=bucket, Key=key)
    except ClientError:
        return False
    return str(found.get("SSEKMSKeyId", "")).rpartition("/")[2] == kms_key.rpartition("/")[2]


def _same_bytes(content: BinaryIO, expected: DigestedFile) -> BinaryIO:
    """Return what is uploaded of an open file: a small one is looked at before, a large one on its way."""
    large = _SameBytes(content, expected)
    if expected.size >= _TRANSFER.multipart_threshold:
        return cast(BinaryIO, large)
    return io.BytesIO(large.read(expected.size + 1))


class _SameBytes:
    """A file that fails at its end when it is not what was digested.

    The transfer library reads a large file once, from beginning to end, and makes no object of one that fails.
    """

    def __init__(self, content: BinaryIO, expected: DigestedFile) -> None:
        self._content, self._expected = content, expected
        self._digest, self._read = hashlib.sha256(), 0

    def seekable(self) -> bool:
        """Whether its size can be asked for by going to its end."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._content.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position; the end is where it was when the file was digested."""
        start = self._expected.size if whence == os.SEEK_END else 0
        return self._content.seek(start + offset)

    def read(self, size: int) -> bytes:
        """Return the next bytes.

        Raises:
            UserError: when the end is reached, and the whole is not what was digested.
        """
        block = self._content.read(size)
        self._digest.update(block)
        self._read += len(block)
        at_end = len(block) < size or self._read >= self._expected.size
        if at_end and self._digest.hexdigest() != self._expected.sha256:
            raise UserError(
                f"{self._expected.path} was changed while it was uploaded, so nothing was started.",
                "Start again when nobody writes to it.",
            )
        return block


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise UserError(
            f"Cannot read {path}: {error.strerror or error}.", "See whether it is there and yours to read."
        ) from error
