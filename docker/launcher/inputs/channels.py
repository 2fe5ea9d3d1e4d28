"""A job's channels: local files, which are checked and uploaded, or objects in S3."""

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from bert_classifier.data.class_list import read_class_names
from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.data_names import (
    ALL_FORMS,
    COMPRESSED,
    SUFFIXES,
    choose,
    is_hidden,
    listed,
    passed_over,
)
from bert_classifier.job.encoder_files import encoder_files
from bert_classifier.job.encoder_weights import without_weights
from bert_classifier.job.folder_files import FolderFiles, cannot_list
from bert_classifier.job.given_files import class_file_of, given_files, split_paths
from launcher.aws.account import Account
from launcher.aws.s3 import Location, list_folders, look, unseen
from launcher.aws.upload import DigestedFile
from launcher.findings import Finding, fail, ok, warn
from launcher.settings.training import TrainSettings

_ENCODER_SUFFIXES = (".safetensors", ".json", ".txt", ".model")  # no pickled weights: the image refuses them
_CHANNEL_OF = {
    "train": "train",
    "validation": "validation",
    "test": "test",
    "classes": "class",
    "model": "model",
}
TABLES = ("train", "validation", "val", "test")


@dataclasses.dataclass(frozen=True)
class LocalChannel:
    """Files of this machine that become a channel.

    Attributes:
        files: by their names in the channel.
        passed_over: files of a folder that are left out, though they may be meant as data.
        links: in a folder that are not followed: to folders, or to nothing.
    """

    name: str
    files: dict[str, Path]
    passed_over: tuple[Path, ...] = ()
    links: tuple[Path, ...] = ()

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
        """Yield what is uploaded, and what is not."""
        if self.passed_over:
            yield warn(self.name, f"not uploaded: {listed(path.name for path in self.passed_over)}")
        if self.links:
            yield warn(self.name, f"not uploaded, since links are not followed: {listed(self.links)}")
        yield ok(self.name, f"{len(self.files)} file(s), {self.size / 1e6:.1f} MB, to be uploaded")


@dataclasses.dataclass(frozen=True)
class S3Channel:
    """Objects in S3 that are a channel already.

    Attributes:
        location: one object, or a folder.
        sizes: bytes by key of its objects, as far as they were listed; None where you may not list them.
        class_file: name of the list of classes, which is no data.
    """

    name: str
    location: Location
    sizes: dict[str, int] | None
    class_file: str = TrainConfig.class_file

    @classmethod
    def at(
        cls, name: str, uri: str, account: Account, class_file: str = TrainConfig.class_file
    ) -> "S3Channel":
        """Look up s3://bucket/key: the object of that key, or else the folder."""
        return cls(name, *look(account, uri, (*SUFFIXES, *COMPRESSED, *_ENCODER_SUFFIXES)), class_file)

    def findings(self) -> Iterator[Finding]:
        """Check that it has usable objects, neither hidden nor empty."""
        if self.sizes is None:
            yield unseen(self.name, self.location)
            return
        if not self.sizes:
            remedy = "Correct the prefix, or upload the data."
            yield fail(self.name, f"there is nothing at {self.location.uri}", remedy)
            return
        visible = [
            PurePosixPath(key) for key, size in self.sizes.items() if size and not self._is_hidden(key)
        ]
        is_table = self.name in TABLES
        if is_table:
            visible = [key for key in visible if key.name != self.class_file]
        read = choose(visible) if is_table else visible
        names = [key.name for key in visible]
        if self.name == "model" and read and not any(name.endswith(".safetensors") for name in names):
            error = without_weights(self.location.uri, names)
            yield fail(self.name, error.cause, error.remedy)
            return
        if read:
            yield ok(self.name, f"{len(read)} object(s) at {self.location.uri}")
            yield from self._others(visible, read)
            return
        yield fail(
            self.name,
            f"{self.location.uri} has no {'data' if is_table else 'file'} that is neither hidden nor empty: it holds"
            f" {listed(self.sizes)}",
            f"Data are named {ALL_FORMS}." if is_table else "Correct the prefix, or upload the files.",
        )

    def _others(self, visible: Sequence[PurePosixPath], read: Sequence[PurePosixPath]) -> Iterator[Finding]:
        others = passed_over(visible, read, self.class_file)
        if others:
            yield warn(self.name, f"not read: {listed(path.name for path in others)}")

    def _is_hidden(self, key: str) -> bool:
        folder = self.location.key.rpartition("/")[0] + "/" if "/" in self.location.key else ""
        return is_hidden(PurePosixPath(key.removeprefix(folder)))


Channel = LocalChannel | S3Channel


def channels_of(settings: TrainSettings, account: Account) -> list[Channel]:
    """Return the job's channels.

    Raises:
        UserError: when there is no training data, or something given does not exist.
    """
    given = {channel: getattr(settings, name) for name, channel in _CHANNEL_OF.items()}
    class_file = class_file_of(dict(settings.hp))
    channels = [_channel(name, value, class_file, account) for name, value in given.items() if value]
    if settings.s3_data:
        without = {channel.name for channel in channels}
        channels += _below(settings.s3_data, class_file, account, without)
    if "train" not in {channel.name for channel in channels}:
        raise UserError(
            "There is no training data.",
            "Give TRAIN=my.csv, or S3_DATA=s3://bucket/prefix with a folder train/; to try it out: "
            "TRAIN=local_test/test_dir/input/data/train.",
        )
    return channels


def _channel(name: str, value: str, class_file: str, account: Account) -> Channel:
    if value.startswith("s3://") and not value.split()[1:]:
        return S3Channel.at(name, value, account, class_file)
    words = [value] if name in ("class", "model") else split_paths(value)
    address = next((word for word in words if "://" in word), "")
    if address and not address.startswith("s3://"):
        raise UserError(
            f"{address} for {name} is no address in S3, which begins with s3:// in small letters.",
            "Correct it, or download the data and give the files.",
        )
    if address:
        raise UserError(
            f"{address} cannot be one of several for {name}: a channel is files of this machine, or one address in S3.",
            "Put the data under one prefix, and give that: s3://bucket/prefix.",
        )
    paths = [Path(word).expanduser() for word in words]
    absent = next((path for path in paths if not path.exists()), None)
    if absent:
        raise UserError(f"There is no file or folder {absent} for {name}.", "Correct the path.")
    if name == "model":
        return _encoder(name, paths[0])
    if name == "class":
        return LocalChannel(name, _class_files(paths[0], class_file))
    found = given_files(name, paths, class_file)
    return LocalChannel(name, found.files, found.passed_over, found.links)


def _below(uri: str, class_file: str, account: Account, without: set[str]) -> list[Channel]:
    """Return the channels that are folders below an address."""
    folder = Location.of(uri).as_folder()
    names = set(list_folders(account, folder))
    taken = without | ({"val"} if "validation" in without else set())
    known = {*_CHANNEL_OF.values(), "val"} - taken
    return [S3Channel.at(name, f"{folder.uri}{name}/", account, class_file) for name in sorted(names & known)]


def _encoder(name: str, path: Path) -> LocalChannel:
    files = encoder_files(path)
    return LocalChannel(name, {inside: file for inside, file in files.items() if file.stat().st_size})


def _class_files(path: Path, class_file: str) -> dict[str, Path]:
    files = {class_file: path} if path.is_file() else _named(path, files_of(path), (".txt",))
    if not files:
        raise UserError(f"{path} has no .txt for class.", "Give the file that lists the classes.")
    for file in files.values():
        read_class_names(file)
    return files


def files_of(folder: Path) -> FolderFiles:
    """Return what a folder holds.

    Raises:
        UserError: when it or a folder below cannot be read.
    """
    try:
        return FolderFiles.below(folder)
    except OSError as error:
        raise cannot_list(error) from error


def _named(folder: Path, found: FolderFiles, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Return the files with content and one of these suffixes, by their names in the folder."""
    chosen = [path for path in found.files if path.suffix.lower() in suffixes and path.stat().st_size]
    return {str(path.relative_to(folder)): path for path in chosen}
