"""S3: locations, what lies there, and uploads that send only what is not there yet."""

import dataclasses
import itertools
import sys
from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm

from launcher.account import Account
from launcher.commands import say

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


def list_sizes(account: Account, place: Location) -> dict[str, int]:
    """Return bytes by key of what lies at or below a place; empty markers of consoles do not count."""
    pages = (
        account.client("s3").get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.key)
    )
    objects = itertools.chain.from_iterable(page.get("Contents", ()) for page in pages)
    first = itertools.islice(objects, MOST_KEYS)
    return {found["Key"]: found["Size"] for found in first if not found["Key"].endswith("/")}


def list_keys(account: Account, place: Location) -> list[str]:
    """Return the keys at or below a place, at most MOST_KEYS of them."""
    return list(list_sizes(account, place))


def upload(account: Account, files: Mapping[str, Path], folder: Location, kms_key: str = "") -> None:
    """Upload files into a folder that belongs to their contents; what is there in full already is not sent again.

    Args:
        files: by their names in the folder.
    """
    there = list_sizes(account, folder)
    missing = {
        name: path for name, path in files.items() if there.get(folder.key + name) != path.stat().st_size
    }
    if not missing:
        say(f"{folder.uri} is there already")
        return
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    total = sum(path.stat().st_size for path in missing.values())
    hidden = None if sys.stderr.isatty() else True
    with tqdm(
        total=total, unit="B", unit_scale=True, desc=folder.uri, file=sys.stderr, disable=hidden
    ) as bar:
        for name, path in missing.items():
            key = folder.key + name
            account.client("s3").upload_file(
                str(path), folder.bucket, key, ExtraArgs=extra, Callback=bar.update
            )
    say(f"uploaded {len(missing)} file(s), {total / 1e6:.1f} MB, to {folder.uri}")
