"""S3: locations, and which objects they hold."""

import dataclasses
import itertools
import re
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from typing import Any, Protocol

from botocore.exceptions import ClientError

from bert_classifier.errors import UserError
from bert_classifier.job.settings import shown
from launcher.aws.account import Account
from launcher.aws.errors import is_denied
from launcher.findings import Finding, warn

_BUCKET = re.compile(r"[A-Za-z0-9._-]{3,255}")  # S3's oldest have capitals and _
MOST_KEYS = 5000  # enough to see what a prefix holds


@dataclasses.dataclass(frozen=True)
class Location:
    """A location in S3: a bucket and a key or key prefix."""

    bucket: str
    key: str

    @classmethod
    def of(cls, uri: str) -> "Location":
        """Take s3://bucket/key apart."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return cls(bucket, key)

    @property
    def uri(self) -> str:
        """The location as s3://bucket/key."""
        return f"s3://{self.bucket}/{self.key}"

    def as_folder(self) -> "Location":
        """Return the location with a slash at its end: the prefix `run1` would match `run10` too."""
        return self if not self.key or self.key.endswith("/") else Location(self.bucket, f"{self.key}/")

    def below(self, *names: str) -> "Location":
        """Return a folder below this one."""
        return Location(self.bucket, self.as_folder().key + "".join(f"{name}/" for name in names))


class _WithPrefix(Protocol):
    """Settings that have S3_PREFIX."""

    @property
    def s3_prefix(self) -> str:
        """A folder as s3://bucket/prefix; "" for the default."""


def prefix_of(settings: _WithPrefix, account: Account) -> Location:
    """Return the folder for uploads and outputs."""
    default = f"s3://sagemaker-{account.region}-{account.number}/bert-classifier"
    return Location.of(settings.s3_prefix or default).as_folder()


def list_sizes(account: Account, location: Location) -> dict[str, int]:
    """Return the size by key of all objects at or below a location, without the console's folder markers."""
    objects = (found for page in _pages(account, location) for found in page.get("Contents", ()))
    first = itertools.islice(objects, MOST_KEYS)
    return {found["Key"]: found["Size"] for found in first if not found["Key"].endswith("/")}


def list_keys(account: Account, location: Location) -> list[str]:
    """Return the keys at or below a location, at most MOST_KEYS."""
    return list(list_sizes(account, location))


def list_folders(account: Account, folder: Location) -> list[str]:
    """Return the names of a folder's subfolders."""
    pages = _pages(account, folder, Delimiter="/")
    found = [part["Prefix"] for page in pages for part in page.get("CommonPrefixes", ())]
    return [prefix.removeprefix(folder.key).rstrip("/") for prefix in found]


def _pages(account: Account, location: Location, **more: Any) -> Iterator[dict[str, Any]]:
    paginator = account.client("s3").get_paginator("list_objects_v2")
    return iter(paginator.paginate(Bucket=location.bucket, Prefix=location.key, **more))


def look(account: Account, uri: str, suffixes: Collection[str]) -> tuple[Location, dict[str, int] | None]:
    """Return the location that an address means, and the size by key of its objects; None where you may not list them.

    Perhaps only the job's role may read there: then an address with one of `suffixes` counts as an object.

    Raises:
        UserError: when the address is ambiguous, or none of an object.
    """
    _refuse_odd(uri)
    try:
        return resolve(account, uri)
    except ClientError as error:
        if not is_denied(error):
            raise
    location = Location.of(uri)
    is_object = PurePosixPath(location.key).suffix.lower() in suffixes
    return location if is_object else location.as_folder(), None


def _refuse_odd(uri: str) -> None:
    """Raise for an address that S3 or the job would read as another one, or that no library sends."""
    location = Location.of(uri)
    if not _BUCKET.fullmatch(location.bucket):
        raise UserError(
            f"{uri} names no bucket: {shown(location.bucket)} is not 3 to 255 letters, digits, dots, hyphens and _.",
            "Write s3://bucket/prefix; an access point goes by its alias.",
        )
    if {".", ".."} & set(location.key.split("/")):
        raise UserError(
            f"{uri} has . or .. between slashes, which S3 takes as names and a job's disk does not.",
            "Write the prefix as S3 lists it.",
        )


def unseen(subject: str, location: Location) -> Finding:
    """Return the doubt about a location that you may not list."""
    message = f"{location.uri} could not be checked (you may not call ListObjectsV2), so it is used as given"
    return warn(subject, message, "Make sure that the role may read it and that it holds the right objects.")


def resolve(account: Account, uri: str) -> tuple[Location, dict[str, int]]:
    """Return the location that an address means, and the size by key: the object of that key, or else the folder.

    SageMaker takes every object whose key begins with the given one, so it must be the prefix of nothing else.

    Raises:
        UserError: when the address is ambiguous.
    """
    location = Location.of(uri)
    folder = location.as_folder()
    below = list_sizes(account, folder)
    if folder == location or not _is_object(account, location):
        return folder, below
    others = sorted({*(key for key in list_keys(account, location) if key != location.key), *below})
    if others:
        raise UserError(
            f"{uri} is an object, and s3://{location.bucket}/{others[0]} begins with the same characters, so SageMaker "
            "would take both.",
            "Move one of them into its own folder, and give the folder.",
        )
    return location, {key: size for key, size in list_sizes(account, location).items() if key == location.key}


def _is_object(account: Account, location: Location) -> bool:
    """Return whether an object has exactly this key; S3 lists it before all longer keys."""
    keys = (found["Key"] for page in _pages(account, location) for found in page.get("Contents", ()))
    return next(keys, None) == location.key
