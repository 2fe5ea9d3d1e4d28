"""A checkpoint: one safetensors file that ends in the SHA-256 of all bytes before it.

A single file is either complete or absent, even in S3, where files arrive one by one in any order.
"""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from bert_classifier.errors import UserError
from bert_classifier.job.atomic_io import write_durably

FORMAT = 1
_DIGEST = "~sha256"  # the last tensor: 32 bytes at the end of the file
_CHUNK_BYTES = 8 * 1024 * 1024
_DTYPES = {
    torch.float64: "F64", torch.int64: "I64", torch.float32: "F32", torch.int32: "I32",
    torch.bfloat16: "BF16", torch.float16: "F16", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Everything a run needs to resume: its state (JSON values) and its tensors, on the CPU."""

    step: int
    state: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]


class DamagedCheckpointError(Exception):
    """The file does not hold what was written under its name."""


def write_checkpoint(path: Path, checkpoint: Checkpoint, fingerprint: Mapping[str, Any]) -> None:
    """Write a checkpoint, atomically.

    Raises:
        OSError: when it cannot be written.
    """
    metadata = {
        "format": str(FORMAT),
        "step": str(checkpoint.step),
        "identity": json.dumps(fingerprint, sort_keys=True),
        "state": json.dumps(checkpoint.state),
    }
    write_durably(path, _serialized(checkpoint.tensors, metadata))


def _serialized(
    tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]
) -> Iterator[bytes | memoryview]:
    """Yield the parts of the file: header, tensors (widest type first), digest."""
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
    for part in itertools.chain(start, (tensor_bytes(tensor) for _, tensor in ordered)):
        digest.update(part)
        yield part
    yield digest.digest()


def tensor_bytes(tensor: torch.Tensor) -> memoryview:
    """Return the bytes of a tensor on the CPU, without a copy where it is contiguous."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data


def load_checkpoint(path: Path, step: int, fingerprint: Mapping[str, Any]) -> Checkpoint:
    """Read a checkpoint and verify every byte of it.

    Args:
        step: the one in the file's name.
        fingerprint: of the run in the file's name.
    Raises:
        DamagedCheckpointError: when the file does not hold what was written under this name.
        OSError: when it cannot be read.
        UserError: when a later version wrote it in an unknown format.
    """
    _require_file(path)
    _verify_digest(path)
    metadata = read_metadata(path)
    if metadata.format > FORMAT:
        raise UserError(
            f"{path.name} is of format {metadata.format}, this program reads up to {FORMAT}.",
            "Resume with the image that wrote it, or use another checkpoint_s3_uri.",
        )
    if metadata.step != step:
        raise DamagedCheckpointError(f"it is of step {metadata.step}")
    if metadata.fingerprint != json.loads(json.dumps(fingerprint)):
        raise DamagedCheckpointError("it belongs to another run and was renamed")
    # Cloned: tensors mapped from the file would keep its disk space in use after it is deleted.
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items() if name != _DIGEST}
    return Checkpoint(step, metadata.state, tensors)


def _verify_digest(path: Path) -> None:
    rest = path.stat().st_size - 32
    if rest < 8:
        raise DamagedCheckpointError(f"it has {rest + 32} bytes")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(min(rest, _CHUNK_BYTES)):
            digest.update(chunk)
            rest -= len(chunk)
        if rest or file.read() != digest.digest():
            raise DamagedCheckpointError("its digest does not match: it is truncated or altered")


@dataclasses.dataclass(frozen=True)
class Metadata:
    """The metadata in a checkpoint's header."""

    format: int
    step: int
    fingerprint: Mapping[str, Any]
    state: Mapping[str, Any]


def read_metadata(path: Path) -> Metadata:
    """Read a checkpoint's metadata, without loading or verifying its tensors.

    Raises:
        DamagedCheckpointError: when it has none.
        OSError: when it cannot be read.
    """
    _require_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
        values = [json.loads(header[name]) for name in ("format", "step", "identity", "state")]
    except (SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise DamagedCheckpointError("its header cannot be read") from error
    if [type(value) for value in values] != [int, int, dict, dict]:
        raise DamagedCheckpointError("its header is not a checkpoint's")
    return Metadata(*values)


def _require_file(path: Path) -> None:
    """Refuse anything but a regular file: opening a pipe would block forever."""
    if path.is_symlink() or not path.is_file():
        raise DamagedCheckpointError("it is a link or not a file")
