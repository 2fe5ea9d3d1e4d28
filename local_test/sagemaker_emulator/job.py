"""The job to rehearse: a folder laid out as /opt/ml, and a profile that says what the emulator cannot know."""

import dataclasses
import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from sagemaker_emulator.splitting import split_lines

# Numbers that most training loops print; the first of an attempt shows whether it resumed.
_ANY_PROGRESS = r"(?i)\b(?:global[_ ]?step|step|epoch|iteration|iter)\b\W{0,3}(\d+)"
_BAD_RECORDS = {
    "application/jsonlines": b'{"not expected": null}',
    "application/json": b'{"not expected": null}',
}


class JobError(Exception):
    """The folder or the profile cannot be used; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Payload:
    """A request body and its content type."""

    content_type: str
    body: bytes


@dataclasses.dataclass(frozen=True)
class Profile:
    """What the emulator cannot know about an image; every entry has a default.

    Attributes:
        hyperparameters: added to the job's own.
        bad_hyperparameters: replace some in the job that must fail.
        long_hyperparameters: replace some in a job that is interrupted, so that it runs long enough.
        required_channel: without which a job must fail.
        progress: regular expression whose group is a number that grows during training.
        checkpoints: whether the image saves any.
        environment: variables of every container.
        payloads: file → content type; paths are relative to the profile's folder.
        records: file → content type of a file for batch transform, one record per line.
        bad_record: a line that the image cannot answer.
        accept: what batch transform asks for, as a job's Accept; "" = nothing.
    """

    hyperparameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    bad_hyperparameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    long_hyperparameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    required_channel: str = ""
    progress: str = _ANY_PROGRESS
    checkpoints: bool = True
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    payloads: Mapping[str, str] = dataclasses.field(default_factory=dict)
    records: Mapping[str, str] = dataclasses.field(default_factory=dict)
    bad_record: str = ""
    accept: str = ""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a profile from a JSON file.

        Raises:
            JobError: for a file that is not one, an unknown entry or a value of the wrong type.
        """
        values = _read_object(path)
        fields = {field.name: field for field in dataclasses.fields(cls)}
        for name, value in values.items():
            if name not in fields:
                near = difflib.get_close_matches(name, fields, 1)
                hint = f"; did you mean {near[0]}?" if near else f": it knows {', '.join(fields)}"
                raise JobError(f"{path} has the unknown entry {name}{hint}")
            default = getattr(cls(), name)
            wanted = dict if isinstance(default, dict) else type(default)
            if not isinstance(value, wanted):
                raise JobError(f"{path}: {name} must be a JSON {_JSON_NAMES[wanted]}.")
            if wanted is dict and not all(isinstance(text, str) for text in value.values()):
                raise JobError(f"{path}: the values of {name} must be strings, as SageMaker's are.")
        profile = cls(**values)
        folder = path.resolve().parent
        return dataclasses.replace(
            profile,
            payloads={str(folder / name): kind for name, kind in profile.payloads.items()},
            records={str(folder / name): kind for name, kind in profile.records.items()},
        )


_JSON_NAMES: dict[type, str] = {dict: "object", str: "string", bool: "true or false"}


@dataclasses.dataclass(frozen=True)
class Job:
    """A job, and what is asked of its model.

    Attributes:
        channels: by name, where their files lie.
        hyperparameters: strings.
        payloads: requests that the endpoint must answer with 200.
        records: what batch transform sends, one per line; None when the image has no such form.
    """

    profile: Profile
    channels: Mapping[str, Path]
    hyperparameters: Mapping[str, str]
    payloads: tuple[Payload, ...]
    records: Payload | None

    @classmethod
    def read(cls, folder: Path | None, profile: Profile) -> Self:
        """Read a job's folder.

        Raises:
            JobError: when something is missing or malformed.
        """
        channels, settings = _inputs_of(folder) if folder else ({}, {})
        for name, text in {**settings, **profile.hyperparameters}.items():
            if not isinstance(text, str):
                raise JobError(f"Hyperparameter {name} must be a string, as SageMaker hands it over.")
        if profile.required_channel and folder and profile.required_channel not in channels:
            raise JobError(f"required_channel {profile.required_channel} is not a channel of {folder}.")
        try:
            if re.compile(profile.progress).groups != 1:
                raise JobError(f"progress must have exactly one group, for the number: {profile.progress}")
        except re.error as error:
            raise JobError(f"progress is not a regular expression ({error}): {profile.progress}") from error
        records = [_payload(path, kind) for path, kind in profile.records.items()]
        return cls(
            profile,
            channels,
            {**settings, **profile.hyperparameters},
            tuple(_payload(path, kind) for path, kind in profile.payloads.items()),
            records[0] if records else None,
        )

    @property
    def required_channel(self) -> str:
        """The channel without which the job cannot run."""
        usual = [name for name in ("train", "training") if name in self.channels]
        return self.profile.required_channel or (usual or sorted(self.channels))[0]

    @property
    def bad_hyperparameters(self) -> Mapping[str, str]:
        """Hyperparameters that cannot be used; empty when none could be made up."""
        if self.profile.bad_hyperparameters:
            return self.profile.bad_hyperparameters
        numbers = (
            name for name, text in self.hyperparameters.items() if re.fullmatch(r"-?\d+(\.\d*)?", text)
        )
        name = next(numbers, None)
        return {name: "not-a-number"} if name else {}

    @property
    def bad_record(self) -> bytes:
        """A record that the image cannot answer."""
        if self.profile.bad_record:
            return self.profile.bad_record.encode()
        kind = self.records.content_type if self.records else ""
        return _BAD_RECORDS.get(kind, b"not,a,record")

    @property
    def is_open_to_all(self) -> bool:
        """Whether every user may read the channels' files, unlike much of what lies in a home folder."""
        paths = (path for folder in self.channels.values() for path in (folder, *folder.rglob("*")))
        wanted = ((path, 0o005 if path.is_dir() else 0o004) for path in paths if path.exists())
        return all(path.stat().st_mode & bits == bits for path, bits in wanted)

    def progress_in(self, log: bytes) -> list[int]:
        """Return the numbers that show a training's progress, in the order of the log."""
        return [int(number) for number in re.findall(self.profile.progress, log.decode("utf-8", "replace"))]

    def record_lines(self) -> list[bytes]:
        """Return the records without line ends."""
        body = self.records.body if self.records else b""
        return [line.rstrip(b"\r\n") for line in split_lines(body) if line.strip()]


def _inputs_of(folder: Path) -> tuple[dict[str, Path], dict[str, Any]]:
    data_dir = folder / "input" / "data"
    if not data_dir.is_dir():
        raise JobError(f"There is no folder {data_dir}: lay the job out as /opt/ml, one folder per channel.")
    channels = {path.name: path.resolve() for path in sorted(data_dir.glob("[!.]*")) if path.is_dir()}
    if not channels:
        raise JobError(f"{data_dir} holds no channel: make a folder with the training data, such as train.")
    settings = folder / "input" / "config" / "hyperparameters.json"
    return channels, _read_object(settings) if settings.exists() else {}


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise JobError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise JobError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(value, dict):
        raise JobError(f"{path} does not hold a JSON object.")
    return value


def _payload(path: str, content_type: str) -> Payload:
    try:
        return Payload(content_type, Path(path).read_bytes())
    except OSError as error:
        raise JobError(f"Cannot read the payload {path}: {error.strerror}.") from error
