"""S3: locations, and what lies there."""

import dataclasses
import itertools
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from typing import Any

from botocore.exceptions import ClientError

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.aws.refusals import is_denied
from launcher.findings import Finding, warn

MOST_KEYS = 5000  # enough to see what a prefix holds


@dataclasses.dataclass(frozen=True)
class Location:
    """A place in S3: a bucket and a key, or the beginning of keys."""

    bucket: str
    key: str

    @classmethod
    def of(cls, uri: str) -> "Location":
        """Take s3://bucket/key apart."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return cls(bucket, key)

    @property
    def uri(self) -> str:
        """The place as s3://bucket/key."""
        return f"s3://{self.bucket}/{self.key}"

    def as_folder(self) -> "Location":
        """Return the place with a slash at its end: `run1` alone would mean `run10` too."""
        return self if not self.key or self.key.endswith("/") else Location(self.bucket, f"{self.key}/")

    def below(self, *names: str) -> "Location":
        """Return a folder below this one."""
        return Location(self.bucket, self.as_folder().key + "".join(f"{name}/" for name in names))


def list_sizes(account: Account, location: Location) -> dict[str, int]:
    """Return bytes by key of what lies at or below a place; empty markers of consoles do not count."""
    objects = (found for page in _pages(account, location) for found in page.get("Contents", ()))
    first = itertools.islice(objects, MOST_KEYS)
    return {found["Key"]: found["Size"] for found in first if not found["Key"].endswith("/")}


def list_keys(account: Account, location: Location) -> list[str]:
    """Return the keys at or below a place, at most MOST_KEYS of them."""
    return list(list_sizes(account, location))


def list_folders(account: Account, folder: Location) -> list[str]:
    """Return the names of the folders right below a folder."""
    pages = _pages(account, folder, Delimiter="/")
    found = [part["Prefix"] for page in pages for part in page.get("CommonPrefixes", ())]
    return [prefix.removeprefix(folder.key).rstrip("/") for prefix in found]


def _pages(account: Account, location: Location, **more: Any) -> Iterator[dict[str, Any]]:
    paginator = account.client("s3").get_paginator("list_objects_v2")
    return iter(paginator.paginate(Bucket=location.bucket, Prefix=location.key, **more))


def look(account: Account, uri: str, suffixes: Collection[str]) -> tuple[Location, dict[str, int] | None]:
    """Return what an address means, and bytes by key of what lies there; None where you may not look.

    Only the job's role may need to read there: then an address with one of `suffixes` is taken for an object.

    Raises:
        UserError: when it cannot be told apart what is meant.
    """
    try:
        return resolve(account, uri)
    except ClientError as error:
        if not is_denied(error):
            raise
    location = Location.of(uri)
    return (
        location if PurePosixPath(location.key).suffix.lower() in suffixes else location.as_folder()
    ), None


def unseen(subject: str, location: Location) -> Finding:
    """Return what it means that a place may not be looked at."""
    told = f"{location.uri} could not be looked at (you may not call ListObjectsV2), so it is taken as you gave it"
    return warn(subject, told, "See that the role may read it, and that it holds what you mean.")


def resolve(account: Account, uri: str) -> tuple[Location, dict[str, int]]:
    """Return what an address means, and bytes by key: of the object of that key, or else of the folder.

    SageMaker takes every object whose key begins as it is told: what it is told must begin nothing else.

    Raises:
        UserError: when it cannot be told apart what is meant.
    """
    location = Location.of(uri)
    folder = location.as_folder()
    below = list_sizes(account, folder)
    if folder == location or not _is_object(account, location):
        return folder, below
    others = sorted({*(key for key in list_keys(account, location) if key != location.key), *below})
    if others:
        raise UserError(
            f"{uri} is an object, and s3://{location.bucket}/{others[0]} begins with the same letters, so SageMaker "
            "would take both.",
            "Move one of them into a folder of its own, and name the folder.",
        )
    return location, {key: size for key, size in list_sizes(account, location).items() if key == location.key}


def _is_object(account: Account, location: Location) -> bool:
    """Say whether an object has exactly this key; of all keys that begin so, it is listed first."""
    keys = (found["Key"] for page in _pages(account, location) for found in page.get("Contents", ()))
    return next(keys, None) == location.key
