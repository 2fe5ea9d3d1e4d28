"""The disk of one instance, as SageMaker prepares it below /opt/ml, and the artifact that a job leaves there."""

import hashlib
import json
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OUTPUTS = ("model", "output", "checkpoints")


class Instance:
    """A fresh disk: input filled, outputs empty, each part a mount of its own.

    Args:
        folder: made by this.
        channels: name → folder, mounted where it lies.
        hyperparameters: strings, written as they are.
        host: this instance's name.
        hosts: all names of the job; more than one come unsorted, with instance groups.
    """

    def __init__(
        self,
        folder: Path,
        channels: Mapping[str, Path],
        hyperparameters: Mapping[str, str],
        host: str = "algo-1",
        hosts: Sequence[str] = ("algo-1",),
    ) -> None:
        self.folder = folder
        self.host = host
        self._channels = channels
        config_dir = folder / "config"
        config_dir.mkdir(parents=True)
        for name in OUTPUTS:
            (folder / name).mkdir()
        settings: dict[str, Mapping[str, Any]] = {
            "hyperparameters.json": hyperparameters,
            "inputdataconfig.json": dict.fromkeys(channels, _CHANNEL),
            "resourceconfig.json": _resources(host, hosts),
        }
        for name, value in settings.items():
            (config_dir / name).write_text(json.dumps(value), encoding="utf-8")

    @property
    def model_dir(self) -> Path:
        """What becomes model.tar.gz."""
        return self.folder / "model"

    @property
    def checkpoint_dir(self) -> Path:
        """What is kept in S3."""
        return self.folder / "checkpoints"

    def failure(self) -> str:
        """Return the reason that the job has left; empty when it left none."""
        path = self.folder / "output" / "failure"
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    def volumes(self, *, are_channels_writable: bool = False) -> list[str]:
        """Return the options that mount everything."""
        mode = "" if are_channels_writable else ":ro"
        mounts = [f"{self.folder / 'config'}:/opt/ml/input/config"]
        mounts += [f"{path}:/opt/ml/input/data/{name}{mode}" for name, path in self._channels.items()]
        mounts += [f"{self.folder / name}:/opt/ml/{name}" for name in OUTPUTS]
        return [f"--volume={mount}" for mount in mounts]

    def open_to_all(self) -> None:
        """Let a user other than root write the outputs."""
        for name in OUTPUTS:
            (self.folder / name).chmod(0o777)


# No ContentType: SageMaker leaves it out when the caller gave none.
_CHANNEL = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}


def _resources(host: str, hosts: Sequence[str]) -> dict[str, Any]:
    resources: dict[str, Any] = {
        "current_host": host,
        "hosts": list(hosts),
        "network_interface_name": "eth0",
        "current_instance_type": "ml.m5.large",
    }
    if len(hosts) > 1:
        group = {
            "instance_group_name": "homogeneousCluster",
            "instance_type": "ml.m5.large",
            "hosts": list(hosts),
        }
        resources |= {
            "current_group_name": "homogeneousCluster",
            "instance_groups": [group],
            "topology": None,
        }
    return resources


def files_of(folder: Path) -> list[Path]:
    """Return all files and links below a folder, sorted, relative to it."""
    return sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_symlink() or not p.is_dir())


@dataclass(frozen=True)
class ArtifactFault:
    """What is wrong with an artifact, and whether serving it may fail for that."""

    text: str
    is_grave: bool = True

    def __str__(self) -> str:
        return self.text


def artifact_faults(folder: Path) -> list[ArtifactFault]:
    """Return what is wrong with an artifact's files: each fault with the file's name."""
    found = ((path.relative_to(folder), _fault_of(path)) for path in sorted(folder.rglob("*")))
    faults = [ArtifactFault(f"{name} {fault.text}", fault.is_grave) for name, fault in found if fault]
    return faults if files_of(folder) else [ArtifactFault("the folder is empty"), *faults]


def _fault_of(path: Path) -> ArtifactFault | None:
    """Return why an entry of an artifact cannot be packed, unpacked and read by anybody; None when it can."""
    mode = path.lstat().st_mode
    wanted = 0o005 if stat.S_ISDIR(mode) else 0o004
    if stat.S_ISLNK(mode):
        return ArtifactFault("is a link")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return ArtifactFault("is not a regular file")
    if mode & wanted != wanted:
        return ArtifactFault(f"has mode {stat.S_IMODE(mode):o}", is_grave=False)
    return ArtifactFault("belongs to a file manager", is_grave=False) if path.name.startswith("._") else None


def largest_digest(folder: Path) -> tuple[str, str]:
    """Return name and SHA-256 of an artifact's largest file: its weights."""
    largest = max(files_of(folder), key=lambda name: ((folder / name).stat().st_size, str(name)))
    return str(largest), hashlib.sha256((folder / largest).read_bytes()).hexdigest()
