"""Uploads: only what is not in S3 yet, and only the bytes that were digested."""

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
    """A local file as it was read once.

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
    """Upload files into a folder named after their contents, except those that are there already.

    Args:
        files: by their names in the folder.
    Raises:
        UserError: when a file has changed since it was digested; it becomes no object then.
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
    """Return whether an object is encrypted with a key; False for an alias, which S3 does not tell."""
    try:
        found = account.client("s3").head_object(Bucket=bucket, Key=key)
    except ClientError:
        return False
    return str(found.get("SSEKMSKeyId", "")).rpartition("/")[2] == kms_key.rpartition("/")[2]


def _same_bytes(content: BinaryIO, expected: DigestedFile) -> BinaryIO:
    """Return the stream to upload: a small file is verified before, a large one on the way."""
    large = _SameBytes(content, expected)
    if expected.size >= _TRANSFER.multipart_threshold:
        return cast(BinaryIO, large)
    return io.BytesIO(large.read(expected.size + 1))


class _SameBytes:
    """A stream that fails at its end when the file is not what was digested.

    The transfer library reads a large file once, from beginning to end, and creates no object if that fails.
    """

    def __init__(self, content: BinaryIO, expected: DigestedFile) -> None:
        self._content, self._expected = content, expected
        self._digest, self._read = hashlib.sha256(), 0

    def seekable(self) -> bool:
        """Return True: the transfer library seeks to the end for the size."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._content.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position, relative to the digested size if at the end."""
        start = self._expected.size if whence == os.SEEK_END else 0
        return self._content.seek(start + offset)

    def read(self, size: int) -> bytes:
        """Return the next bytes.

        Raises:
            UserError: at the end, when the file is not what was digested.
        """
        block = self._content.read(size)
        self._digest.update(block)
        self._read += len(block)
        at_end = len(block) < size or self._read >= self._expected.size
        if at_end and self._digest.hexdigest() != self._expected.sha256:
            raise UserError(
                f"{self._expected.path} changed during the upload, so nothing was started.",
                "Try again when nobody writes to it.",
            )
        return block


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise UserError(
            f"Cannot read {path}: {error.strerror or error}.",
            "Check that it exists and that you may read it.",
        ) from error
