"""What an endpoint has captured: where its files lie in S3, and which of them are wanted.

SageMaker writes them to DestinationS3Uri/endpoint/variant/yyyy/mm/dd/hh/name.jsonl, by the hour in UTC.
"""

import collections
import dataclasses
import datetime
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.aws.endpoint import update_command
from launcher.aws.s3 import Location

_HOUR = re.compile(r"(\d{4})/(\d\d)/(\d\d)/(\d\d)/[^/]+$")
MOST_FILES = 20_000  # of a variant, the newest


@dataclasses.dataclass(frozen=True)
class CapturedFile:
    """A file of captured requests; `name` is its path in the capture's folder, which begins with the endpoint's."""

    key: str
    name: str
    size: int
    hour: datetime.datetime


@dataclasses.dataclass(frozen=True)
class Choice:
    """The files to download, and how many more there are that are too many."""

    files: list[CapturedFile]
    left_out: int


def folder_of(endpoint: Mapping[str, Any]) -> Location:
    """Return the folder of what an endpoint, as SageMaker describes it, has captured.

    Raises:
        UserError: when it captures nothing.
    """
    name, config = endpoint["EndpointName"], endpoint.get("DataCaptureConfig") or {}
    if not config.get("DestinationS3Uri"):
        raise UserError(
            f"The endpoint {name} does not capture its requests.",
            f"Turn data capture on: {update_command(name, 'CAPTURE=100')}; or compare files that you have: "
            "make drift FILE=….",
        )
    return Location.of(config["DestinationS3Uri"]).below(name)


def choose(account: Account, folder: Location, hours: int, most_bytes: int) -> Choice:
    """Return the files of the last hours, the newest first, up to a size; at least one if there is any."""
    now = datetime.datetime.now(datetime.UTC)
    begin = now - datetime.timedelta(hours=hours + 1)  # a file of the hour before may hold the first minutes
    found: list[CapturedFile] = []
    count = 0
    for files in _by_variant(account, folder, begin):
        newest: collections.deque[CapturedFile] = collections.deque(maxlen=MOST_FILES)
        for file in files:
            if begin <= file.hour <= now:
                newest.append(file)
                count += 1
        found += newest
    found.sort(key=lambda file: (file.hour, file.key), reverse=True)
    sizes = itertools.accumulate(file.size for file in found)
    fits = [at for at, size in enumerate(sizes) if size <= most_bytes or at == 0]
    return Choice(found[: len(fits)], count - len(fits))


def _by_variant(
    account: Account, folder: Location, begin: datetime.datetime
) -> Iterator[Iterator[CapturedFile]]:
    """Yield the files of each variant, from the hour of `begin` on: S3 lists keys in order, so by time."""
    pages = account.client("s3").get_paginator("list_objects_v2")
    listed = pages.paginate(Bucket=folder.bucket, Prefix=folder.key, Delimiter="/")
    variants = [part["Prefix"] for page in listed for part in page.get("CommonPrefixes", ())]
    for variant in variants:
        start = f"{variant}{begin:%Y/%m/%d/%H}/"
        found = pages.paginate(Bucket=folder.bucket, Prefix=variant, StartAfter=start)
        objects = (each for page in found for each in page.get("Contents", ()))
        yield _dated(folder, objects)


def _dated(folder: Location, objects: Iterable[Mapping[str, Any]]) -> Iterator[CapturedFile]:
    above = len(folder.key.rstrip("/").rpartition("/")[0])
    for found in objects:
        match = _HOUR.search(found["Key"])
        if match:
            hour = datetime.datetime(*map(int, match.groups()), tzinfo=datetime.UTC)  # type: ignore[arg-type, misc]
            yield CapturedFile(found["Key"], found["Key"][above:].lstrip("/"), found["Size"], hour)


def model_data(account: Account, endpoint: Mapping[str, Any]) -> Location:
    """Return where the model.tar.gz of an endpoint is.

    Raises:
        UserError: when it has none that can be told: several models, an uncompressed one, or a deleted one.
    """
    client = account.client("sagemaker")
    config = client.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    names = {variant.get("ModelName") for variant in config["ProductionVariants"]}
    name = names.pop() if len(names) == 1 else None
    model = client.describe_model(ModelName=name) if name else {}
    container: dict[str, Any] = model.get("PrimaryContainer") or next(iter(model.get("Containers", ())), {})
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    address = container.get("ModelDataUrl") or (
        source.get("S3Uri") if source.get("CompressionType") == "Gzip" else ""
    )
    if not address:
        raise UserError(
            f"The endpoint {endpoint['EndpointName']} has not one model.tar.gz.",
            "Download the model that you mean, and name it: ARTIFACT=model.tar.gz.",
        )
    return Location.of(address)
