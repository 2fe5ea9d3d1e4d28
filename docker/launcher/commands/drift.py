"""`drift`: download what an endpoint captured, and its model; `make drift` then compares the two."""

import json
from pathlib import Path

from bert_classifier.errors import PlatformError, UserError
from launcher.aws import captured, endpoint
from launcher.aws.account import Account
from launcher.aws.captured import CapturedFile
from launcher.aws.s3 import Location
from launcher.command import Command, say
from launcher.settings.drift import DriftSettings, hours_of

CAPTURED, MODEL = "captured", "model.tar.gz"
_MB = 1_000_000


def run(settings: DriftSettings, account: Account) -> int:
    """Download into OUTPUT: captured/ENDPOINT/ with its folders, and model.tar.gz; return 0.

    Raises:
        UserError: when there is no such endpoint, or it has captured nothing in that time.
        PlatformError: when the files cannot be written.
    """
    found = endpoint.find(account, settings.endpoint)
    if found is None:
        raise UserError(
            f"There is no endpoint {settings.endpoint} in {account.region}.", "Correct ENDPOINT or REGION."
        )
    folder = captured.folder_of(found)
    if (found["DataCaptureConfig"].get("CaptureStatus") or "Started") != "Started":
        say(f"the endpoint {settings.endpoint} no longer captures its requests: what it did capture is read")
    choice = captured.choose(account, folder, hours_of(settings.since), settings.max_mb * _MB)
    if not choice.files:
        raise UserError(
            f"The endpoint {settings.endpoint} has captured nothing in the last {settings.since} ({folder.uri}).",
            "Give a longer time: SINCE=7d; SageMaker writes the files some minutes after the requests.",
        )
    if choice.left_out:
        say(f"{choice.left_out} older files are left out, since they are more than MAX_MB={settings.max_mb}, or more"
            f" than {captured.MOST_FILES} of a variant")  # fmt: skip
    data = None if settings.artifact else captured.model_data(account, found)
    if settings.dry_run:
        say(f"would download {len(choice.files)} files of {folder.uri}{f' and {data.uri}' if data else ''}")
        print(_requests(folder, choice.files, data))
        return 0
    _download(account, folder, choice.files, data, Path(settings.output).expanduser())
    return 0


def _requests(folder: Location, files: list[CapturedFile], data: Location | None) -> str:
    """Return the requests of the downloads as JSON, as a dry run of any command prints them."""
    locations = [Location(folder.bucket, file.key) for file in files] + ([data] if data else [])
    requests = [{"GetObject": {"Bucket": one.bucket, "Key": one.key}} for one in locations]
    return json.dumps(requests, indent=2, ensure_ascii=False)


def _download(
    account: Account, folder: Location, files: list[CapturedFile], data: Location | None, output: Path
) -> None:
    size = sum(file.size for file in files) / _MB
    say(f"downloading {len(files)} files of {folder.uri} ({size:.1f} MB) into {output}")
    try:
        for file in files:
            _fetch(account, Location(folder.bucket, file.key), output / CAPTURED / file.name, file.size)
        if data:
            say(f"downloading {data.uri}")
            _fetch(account, data, output / MODEL)
    except OSError as error:
        raise PlatformError(
            f"Cannot write to {output}: {error.strerror or error}.", "Give another OUTPUT."
        ) from error


def _fetch(account: Account, location: Location, path: Path, size: int | None = None) -> None:
    """Download one object, unless a file of its size is there: captured files have names of their own, and stay."""
    if size is not None and path.is_file() and path.stat().st_size == size:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    account.client("s3").download_file(location.bucket, location.key, str(path))


COMMANDS = (Command("drift", "download what an endpoint captured, and its model", DriftSettings, run),)
