"""The checkpoint folder: one self-verifying file a checkpoint, the newest that verifies, and which ones may go.

A checkpoint is a safetensors file that ends in the SHA-256 of all bytes before: as one file it is whole or
absent in S3 as well, where files arrive one by one in no order. Nothing else touches the folder.
"""

import dataclasses
import hashlib
import itertools
import json
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from bert_classifier.durable import PARTIAL_SUFFIX, write_durably
from bert_classifier.errors import UserError

logger = logging.getLogger(__name__)

FORMAT = 1
KEEP = 3
_NAME = re.compile(r"checkpoint-([0-9a-f]{12})-([0-9]{9})\.safetensors")
_UPLOADED = ".sagemaker-uploaded"  # what the sync to S3 leaves beside a file that has arrived
_UPLOADING = ".sagemaker-uploading"
_DIGEST = "~sha256"  # the last tensor: 32 bytes at the end of the file
_DTYPES = {
    torch.float64: "F64", torch.int64: "I64", torch.float32: "F32", torch.int32: "I32",
    torch.bfloat16: "BF16", torch.float16: "F16", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Everything a run needs to go on: where it stands (JSON values) and its tensors, on the CPU."""

    step: int
    state: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]


class DamagedCheckpointError(Exception):
    """A file that is not, or no longer, what was written."""


class CheckpointStore:
    """The checkpoints of one run in a folder that other runs may share.

    Args:
        folder: exists and can be written.
        identity: what makes a run this run, by field; checkpoints of another identity are never loaded or deleted.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self._folder = folder
        self._identity = dict(identity)
        canonical = json.dumps(self._identity, sort_keys=True).encode()
        self._run = hashlib.sha256(canonical).hexdigest()[:12]

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint, then delete those that are no longer needed; return its path.

        Raises:
            OSError: when the disk does not take it; earlier checkpoints are then untouched.
        """
        path = self._folder / f"checkpoint-{self._run}-{checkpoint.step:09d}.safetensors"
        described = {
            "format": str(FORMAT),
            "step": str(checkpoint.step),
            "identity": json.dumps(self._identity, sort_keys=True),
            "state": json.dumps(checkpoint.state),
        }
        write_durably(path, _serialized(checkpoint.tensors, described))
        self._prune()
        return path

    def load_newest(self) -> Checkpoint | None:
        """Return the newest checkpoint of this run that verifies; None when there is none.

        Raises:
            UserError: when a checkpoint of this run was written in a later format than this program knows.
        """
        for step, path in self._own():
            try:
                return _load(path, step)
            except (DamagedCheckpointError, OSError) as error:
                # Left where it is: SageMaker would mirror its deletion to S3.
                logger.warning("checkpoint %s cannot be used (%s): trying the one before", path.name, error)
        self._tell_of_others()
        return None

    def remove_leftovers(self) -> None:
        """Remove files that an interrupted save left half written."""
        for path in self._folder.glob(f"checkpoint-*{PARTIAL_SUFFIX}"):
            path.unlink(missing_ok=True)

    def _own(self) -> list[tuple[int, Path]]:
        """Return (step, path) of this run's checkpoints, newest first by step: times are lost on the way through S3."""
        return sorted(((s, p) for run, s, p in self._all() if run == self._run), reverse=True)

    def _all(self) -> list[tuple[str, int, Path]]:
        matches = ((_NAME.fullmatch(path.name), path) for path in self._folder.iterdir())
        return [(m[1], int(m[2]), p) for m, p in matches if m and p.is_file() and not p.is_symlink()]

    def _prune(self) -> None:
        """Delete what is older than the newest KEEP.

        SageMaker mirrors deletions to S3: where it marks uploads, a file goes only after a newer one has arrived there.
        """
        own = self._own()
        names = {path.name for path in self._folder.iterdir()}
        are_marked = any(name.endswith((_UPLOADED, _UPLOADING)) for name in names)
        for index, (_, path) in enumerate(own[KEEP:], start=KEEP):
            if not are_marked or any(newer.name + _UPLOADED in names for _, newer in own[:index]):
                path.unlink(missing_ok=True)

    def _tell_of_others(self) -> None:
        """Say in which fields the newest checkpoint of another run differs, so that a fresh start is no riddle."""
        others = sorted((step, path) for _, step, path in self._all())
        if not others:
            return
        try:
            theirs = json.loads(_metadata(others[-1][1]).get("identity", "{}"))
        except (DamagedCheckpointError, OSError, ValueError):
            return
        fields = sorted(
            name for name in {*theirs, *self._identity} if theirs.get(name) != self._identity.get(name)
        )
        logger.warning(
            "%d checkpoint(s) of another run are left alone; the newest differs in: %s",
            len(others),
            ", ".join(fields),
        )


def _serialized(
    tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]
) -> Iterator[bytes | memoryview]:
    """Yield a safetensors file in pieces: header, tensors (widest type first), digest."""
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    offset = 0
    for name, tensor in ordered:
        end = offset + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    header[_DIGEST] = {"dtype": "U8", "shape": [32], "data_offsets": [offset, offset + 32]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    digest = hashlib.sha256()
    start = [memoryview(len(text).to_bytes(8, "little")), memoryview(text)]
    for piece in itertools.chain(start, (tensor_bytes(tensor) for _, tensor in ordered)):
        digest.update(piece)
        yield piece
    yield digest.digest()


def tensor_bytes(tensor: torch.Tensor) -> memoryview:
    """Return the bytes of a tensor on the CPU, without a copy where it is contiguous."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data


def _load(path: Path, step: int) -> Checkpoint:
    """Return the checkpoint in a file, every byte of it checked."""
    _verify_digest(path)
    described = _metadata(path)
    if int(described["format"]) > FORMAT:
        raise UserError(
            f"{path.name} is of format {described['format']}, this program reads up to {FORMAT}.",
            "Resume with the image that wrote it, or use another checkpoint_s3_uri.",
        )
    if int(described["step"]) != step:
        raise DamagedCheckpointError(f"it is of step {described['step']}")
    tensors = load_file(path)
    del tensors[_DIGEST]
    return Checkpoint(step, json.loads(described["state"]), tensors)


def _verify_digest(path: Path) -> None:
    size = path.stat().st_size
    if size < 8 + 32:
        raise DamagedCheckpointError(f"it has {size} bytes")
    digest = hashlib.sha256()
    rest = size - 32
    with path.open("rb") as file:
        while rest:
            chunk = file.read(min(rest, 8 * 1024 * 1024))
            if not chunk:
                raise DamagedCheckpointError("it became shorter while it was read")
            digest.update(chunk)
            rest -= len(chunk)
        if file.read() != digest.digest():
            raise DamagedCheckpointError("its digest does not match: it is cut off or altered")


def _metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a safetensors file, without its tensors."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > 100_000_000:
            raise DamagedCheckpointError("it is not a checkpoint")
        try:
            header = json.loads(file.read(length))["__metadata__"]
        except (ValueError, KeyError, TypeError, SafetensorError) as error:
            raise DamagedCheckpointError("its header cannot be read") from error
    return dict(header)
