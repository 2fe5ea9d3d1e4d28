"""A job's channels: local files, which are checked and uploaded, or objects in S3."""

import dataclasses
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.aws.s3 import Location, list_folders, look, unseen
from launcher.aws.upload import DigestedFile
from launcher.findings import Finding, fail, ok
from launcher.inputs.table import check_table
from launcher.settings.training import TrainSettings

DATA_SUFFIXES = (".csv", ".jsonl")
_ENCODER_SUFFIXES = (".safetensors", ".json", ".txt")  # no pickled weights: the image refuses them
_CHANNEL_OF = {
    "train": "train",
    "validation": "validation",
    "test": "test",
    "classes": "class",
    "model": "model",
}
_TABLES = ("train", "validation", "val", "test")


@dataclasses.dataclass(frozen=True)
class LocalChannel:
    """Files of this machine that become a channel.

    Attributes:
        files: by their names in the channel.
    """

    name: str
    files: dict[str, Path]

    @functools.cached_property
    def contents(self) -> dict[str, DigestedFile]:
        """The files as read once, so that the uploaded bytes are the digested ones."""
        return {name: DigestedFile.of(path) for name, path in sorted(self.files.items())}

    @property
    def digest(self) -> str:
        """A digest of names and contents: the same files always go to the same location."""
        whole = hashlib.sha256()
        for name, file in self.contents.items():
            whole.update(f"{name}\0{file.sha256}\n".encode())
        return whole.hexdigest()[:16]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self.files.values())

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with the first rows of the data files."""
        for name, path in self.files.items():
            if path.suffix.lower() in DATA_SUFFIXES:
                yield from check_table(self.name, name, path)
        yield ok(self.name, f"{len(self.files)} file(s), {self.size / 1e6:.1f} MB, to be uploaded")


@dataclasses.dataclass(frozen=True)
class S3Channel:
    """Objects in S3 that are a channel already.

    Attributes:
        location: one object, or a folder.
        sizes: bytes by key of its objects, as far as they were listed; None where you may not list them.
    """

    name: str
    location: Location
    sizes: dict[str, int] | None

    @classmethod
    def at(cls, name: str, uri: str, account: Account) -> "S3Channel":
        """Look up s3://bucket/key: the object of that key, or else the folder."""
        return cls(name, *look(account, uri, (*DATA_SUFFIXES, *_ENCODER_SUFFIXES)))

    def findings(self) -> Iterator[Finding]:
        """Check that it has usable objects, neither hidden nor empty."""
        if self.sizes is None:
            yield unseen(self.name, self.location)
            return
        if not self.sizes:
            remedy = "Correct the prefix, or upload the data."
            yield fail(self.name, f"there is nothing at {self.location.uri}", remedy)
            return
        is_table = self.name in _TABLES
        suffixes = DATA_SUFFIXES if is_table else ("",)
        usable = [key for key, size in self.sizes.items() if size and self._is_read(key, suffixes)]
        if usable:
            yield ok(self.name, f"{len(usable)} object(s) at {self.location.uri}")
            return
        wanted = "*.csv or *.jsonl" if is_table else "file"
        yield fail(
            self.name,
            f"{self.location.uri} has no {wanted} that is neither hidden nor empty: it holds"
            f" {', '.join(list(self.sizes)[:3])}",
            "Give CSV or JSON Lines." if is_table else "Correct the prefix, or upload the files.",
        )

    def _is_read(self, key: str, suffixes: tuple[str, ...]) -> bool:
        folder = self.location.key.rpartition("/")[0] + "/" if "/" in self.location.key else ""
        return key.lower().endswith(suffixes) and not _is_hidden(Path(key.removeprefix(folder)))


Channel = LocalChannel | S3Channel


def channels_of(settings: TrainSettings, account: Account) -> list[Channel]:
    """Return the job's channels.

    Raises:
        UserError: when there is no training data, or something given does not exist.
    """
    given = {channel: getattr(settings, name) for name, channel in _CHANNEL_OF.items()}
    channels = [_channel(name, value, account) for name, value in given.items() if value]
    if settings.s3_data:
        channels += _below(settings.s3_data, account, without={channel.name for channel in channels})
    if "train" not in {channel.name for channel in channels}:
        raise UserError(
            "There is no training data.",
            "Give TRAIN=my.csv, or S3_DATA=s3://bucket/prefix with a folder train/; to try it out: "
            "TRAIN=local_test/test_dir/input/data/train.",
        )
    return channels


def _channel(name: str, value: str, account: Account) -> Channel:
    if value.startswith("s3://"):
        return S3Channel.at(name, value, account)
    path = Path(value).expanduser()
    if not path.exists():
        raise UserError(f"There is no file or folder {value} for {name}.", "Correct the path.")
    return LocalChannel(name, _files_of(name, path))


def _below(uri: str, account: Account, without: set[str]) -> list[Channel]:
    """Return the channels that are folders below an address."""
    folder = Location.of(uri).as_folder()
    names = set(list_folders(account, folder))
    taken = without | ({"val"} if "validation" in without else set())
    known = {*_CHANNEL_OF.values(), "val"} - taken
    return [S3Channel.at(name, f"{folder.uri}{name}/", account) for name in sorted(names & known)]


def _files_of(name: str, path: Path) -> dict[str, Path]:
    """Return a channel's files by their names in it, without those that no job would read."""
    if path.is_file():
        if name == "class":
            return {"classes.txt": path}
        if name == "model" or path.suffix.lower() not in DATA_SUFFIXES:
            wanted = "a folder with an encoder" if name == "model" else "CSV or JSON Lines"
            raise UserError(f"{path} cannot be {name}.", f"Give {wanted}.")
        return {path.name: path}
    suffixes = _ENCODER_SUFFIXES if name == "model" else (".txt",) if name == "class" else DATA_SUFFIXES
    visible = [p for p in sorted(path.rglob("*")) if p.is_file() and not _is_hidden(p.relative_to(path))]
    files = {
        str(p.relative_to(path)): p for p in visible if p.suffix.lower() in suffixes and p.stat().st_size
    }
    if name == "model" and not any(file.endswith(".safetensors") for file in files):
        raise UserError(
            f"{path} holds no *.safetensors.", "Give a folder that save_pretrained() has written."
        )
    if not files:
        present = ", ".join(str(p.relative_to(path)) for p in visible[:3]) or "nothing"
        raise UserError(
            f"{path} has no {' or '.join(suffixes)} for {name}: it holds {present}.", "Give another one."
        )
    return files


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
