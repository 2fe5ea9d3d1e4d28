"""What SageMaker provides to a training container: paths below /opt/ml, hyperparameters, hosts, channels.

The only module that knows /opt/ml. Standard library only.
"""

import contextlib
import dataclasses
import errno
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from bert_classifier.errors import PlatformError, UserError, cannot_read, remedy_for
from bert_classifier.job.atomic_io import remove_partial_files, require_replaceable, require_writable
from bert_classifier.job.data_names import ALL_FORMS, choose, listed, passed_over
from bert_classifier.job.folder_files import FolderFiles
from bert_classifier.job.json_files import read_object

logger = logging.getLogger(__name__)

# The SDK calls a lone S3 location `training`; `val` comes from the older sample.
_CHANNEL_ALIASES = {"training": "train", "val": "validation"}


@dataclasses.dataclass(frozen=True)
class Channel:
    """One input channel: a read-only folder."""

    name: str
    path: Path

    def files(self, only: str = "", class_file: str = "") -> list[Path]:
        """Return the data files below the folder, sorted by name: those that `data_names.choose` finds.

        Hidden files and folders and the empty marker objects of the S3 console are ignored.

        Args:
            only: a single file to return, of any suffix, relative to the folder.
            class_file: name of the list of classes, which is no data wherever it lies in the folder itself.
        Raises:
            UserError: when there is none; the message lists what is there.
            PlatformError: when the folder cannot be read.
        """
        found = self._look()
        visible = sorted(found.files, key=lambda p: str(p.relative_to(self.path)))
        if only:
            chosen = [p for p in visible if p == self.path / only]
        else:
            chosen = choose(self._candidates(visible, class_file))
        if not chosen:
            raise self._nothing_found(only, [*visible, *found.links])
        return chosen

    def passed_over(self, chosen: Collection[Path], class_file: str) -> list[str]:
        """Return what may be meant as data beside the chosen files, relative to the folder: files, and links."""
        found = self._look()
        others = passed_over(self._candidates(found.files, class_file), chosen, class_file)
        links = [f"{path.relative_to(self.path)} (a link)" for path in found.links]
        return [*(str(path.relative_to(self.path)) for path in others), *links]

    def find(self, name: str) -> Path | None:
        """Return the file `name` in the channel's folder, if it exists; raises as cannot_read says."""
        path = self.path / name
        try:
            return path if path.is_file() else None
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise cannot_read(path, error, "Check the channel.") from error
            return None

    def _look(self) -> FolderFiles:
        try:
            found = FolderFiles.below(self.path)
        except OSError as error:
            raise self._unreadable(error) from error
        if found.pipes:
            pipe = f"Channel {self.name} holds the pipe {found.pipes[0]}."
            raise UserError(pipe, "Start the job with input mode File or FastFile.")
        return found

    def _candidates(self, visible: Sequence[Path], class_file: str) -> list[Path]:
        try:
            return [p for p in visible if p != self.path / class_file and p.stat().st_size]
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> PlatformError:
        return PlatformError(
            f"Channel {self.name} cannot be read: {error.filename}: {error.strerror}.",
            "Check the mount and the permissions of the container's user.",
        )

    def _nothing_found(self, only: str, visible: Sequence[Path]) -> UserError:
        names = listed(p.relative_to(self.path) for p in visible)
        there = f"it holds {names}" if visible else "it is empty"
        has_content = bool(self._candidates([p for p in visible if p.is_file()], ""))
        wanted = (
            f"file {only}" if only else "data file by its name" if has_content else "data file with content"
        )
        setting = f" {self.name}_file=NAME reads a file of any name."
        other = setting if has_content and not only and self.name in ("train", "validation") else ""
        return UserError(
            f"Channel {self.name} ({self.path}) has no {wanted}: {there}.",
            f"Set the channel to the S3 prefix of the data: files named {ALL_FORMS}; a .txt of fastText or with tabs."
            f"{other}",
        )


@dataclasses.dataclass(frozen=True)
class Environment:
    """A training job's environment, read once at the start.

    Attributes:
        root: /opt/ml, or its replacement on a laptop.
        hyperparameters: as received: strings, plain or JSON-quoted.
        channels: by name, with `training` renamed to train and `val` to validation.
        hosts: all hosts of the job, sorted; the first is the master.
        current_host: this host's name.
        network_interface: the one between the hosts; empty if unknown.
        instance_type: such as ml.g5.xlarge; empty if unknown.
        job_name: name of the SageMaker job; empty outside SageMaker.
        shown_root: the root as the user of make train-local knows it; empty elsewhere.
    """

    root: Path
    hyperparameters: Mapping[str, object]
    channels: Mapping[str, Channel]
    hosts: tuple[str, ...] = ("localhost",)
    current_host: str = "localhost"
    network_interface: str = ""
    instance_type: str = ""
    job_name: str = ""
    shown_root: str = ""

    @classmethod
    def read(cls, root: Path, environ: Mapping[str, str]) -> Self:
        """Read the job's description below `root`.

        Raises:
            UserError: for an invalid description, or a channel without its folder.
        """
        config_dir = root / "input" / "config"
        if not (root / "input").is_dir():
            raise UserError(
                f"There is no folder {root / 'input'}.",
                "Start the container as a training job, or set ML_ROOT to a folder laid out as /opt/ml.",
            )
        return cls(
            root=root,
            hyperparameters=_described(config_dir / "hyperparameters.json"),
            channels=_read_channels(root / "input" / "data", config_dir / "inputdataconfig.json"),
            job_name=environ.get("TRAINING_JOB_NAME", ""),
            shown_root=environ.get("ML_ROOT_SHOWN_AS", ""),
            **_read_hosts(config_dir / "resourceconfig.json"),
        )

    def shown(self, path: Path) -> str:
        """Return a path below the root as the user knows it."""
        return str(Path(self.shown_root) / path.relative_to(self.root)) if self.shown_root else str(path)

    @property
    def host_rank(self) -> int:
        """Index of this host; 0 is the master."""
        return self.hosts.index(self.current_host)

    @property
    def model_dir(self) -> Path:
        """Where the artifact goes."""
        return self.root / "model"

    @property
    def output_dir(self) -> Path:
        """Where reports go."""
        return self.root / "output" / "data"

    @property
    def checkpoint_dir(self) -> Path | None:
        """Where checkpoints go; None if the job has no checkpoint configuration, so nothing would keep them."""
        path = _described(self.root / "input" / "config" / "checkpointconfig.json").get("LocalPath")
        folder = Path(path) if isinstance(path, str) and path else self.root / "checkpoints"
        return folder if folder.is_dir() else None

    def required_channel(self, name: str) -> Channel:
        """Return a channel; raise a UserError if the job does not have it."""
        if name not in self.channels:
            there = ", ".join(sorted(self.channels)) or "none"
            raise UserError(
                f"The job has no {name} channel (channels: {there}).",
                f"Add one, such as fit({{'{name}': 's3://bucket/prefix/'}}).",
            )
        return self.channels[name]

    def prepare_outputs(self) -> None:
        """Create the output folders and check, before any work, that they and their files can be written.

        Remove files that an interrupted copy left there, since they would become part of the results.

        Raises:
            PlatformError: when a folder cannot be written to.
        """
        for folder in filter(None, (self.model_dir, self.output_dir, self.checkpoint_dir)):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                require_writable(folder)
                if folder != self.checkpoint_dir:  # CheckpointStore cleans it up
                    remove_partial_files(folder)
                    require_replaceable((*folder.iterdir(), _failure_file(self.root)))
            except OSError as error:
                raise PlatformError(
                    f"Cannot write to {folder}: {error.strerror or error}.",
                    remedy_for(error) or "Mount the folder writable for the container's user.",
                ) from error


def ml_root(environ: Mapping[str, str]) -> Path:
    """Return the root of SageMaker's folders: ML_ROOT, or else /opt/ml."""
    return Path(environ.get("ML_ROOT") or "/opt/ml")


def _failure_file(root: Path) -> Path:
    return root / "output" / "failure"


def write_failure(root: Path, text: str) -> None:
    """Write the reason of a failure where SageMaker expects it; if that fails, only log it."""
    path = _failure_file(root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")  # a file name may hold a lone surrogate
    except OSError as error:
        logger.error("cannot write %s: %s", path, error)  # noqa: TRY400 - one sentence, no traceback


def clear_failure(root: Path) -> None:
    """Remove the failure file of an earlier run in the same folder."""
    with contextlib.suppress(OSError):
        _failure_file(root).unlink(missing_ok=True)


def _described(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file of the job's description; empty if the file is absent."""
    return read_object(path, 'It must hold a JSON object, such as {"seed": "1"}.', is_optional=True)


def _read_channels(data_dir: Path, config_path: Path) -> dict[str, Channel]:
    """Return the channels that the job declares, and undeclared folders."""
    declared = _described(config_path)
    present = {p.name for p in data_dir.glob("[!.]*") if p.is_dir()}
    channels: dict[str, Channel] = {}
    for name in sorted({*declared, *present}):
        settings = declared.get(name)
        if isinstance(settings, dict) and settings.get("TrainingInputMode") == "Pipe":
            piped = f"Channel {name} has input mode Pipe."
            raise UserError(piped, "Start the job with input mode File or FastFile.")
        if name not in present:
            absent = f"Channel {name} is declared, but {data_dir / name} is not a folder."
            raise UserError(absent, f"Put its data there, or take {name} out of {config_path.name}.")
        own_name = _CHANNEL_ALIASES.get(name, name)
        if own_name in channels:
            same = f"Channels {channels[own_name].path.name} and {name} are the same channel."
            raise UserError(same, "Keep only one of them.")
        channels[own_name] = Channel(own_name, data_dir / name)
    return channels


def _read_hosts(path: Path) -> dict[str, Any]:
    """Return Environment's fields about the cluster; an absent file means one host."""
    raw = _described(path)
    hosts = raw.get("hosts") or [raw.get("current_host") or "localhost"]
    if not isinstance(hosts, list) or not all(isinstance(h, str) and h for h in hosts):
        raise UserError(
            f"{path}: hosts must be a list of names.",
            'Such as {"current_host": "algo-1", "hosts": ["algo-1"]}.',
        )
    current = raw.get("current_host") or (hosts[0] if len(hosts) == 1 else None)
    if current not in hosts:
        raise UserError(
            f"{path}: current_host {current!r} is not among hosts {hosts}.",
            "Name this host as it is in hosts.",
        )
    return {
        "hosts": tuple(sorted(set(hosts))),
        "current_host": current,
        "network_interface": str(raw.get("network_interface_name") or ""),
        "instance_type": str(raw.get("current_instance_type") or ""),
    }
