"""One checkpoint, one file, which verifies itself.

It is a safetensors file that ends in the SHA-256 of all bytes before: as one file it is whole or absent in S3 as well,
where files arrive one by one in no order.
"""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from bert_classifier.errors import UserError
from bert_classifier.job.atomic_io import write_durably

FORMAT = 1
_HEADER = {"format", "step", "identity", "state"}
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


def write_checkpoint(path: Path, checkpoint: Checkpoint, fingerprint: Mapping[str, Any]) -> None:
    """Write a checkpoint so that it is there whole or not at all.

    Raises:
        OSError: when the disk does not take it.
    """
    described = {
        "format": str(FORMAT),
        "step": str(checkpoint.step),
        "identity": json.dumps(fingerprint, sort_keys=True),
        "state": json.dumps(checkpoint.state),
    }
    write_durably(path, _serialized(checkpoint.tensors, described))


def _serialized(
    tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]
) -> Iterator[bytes | memoryview]:
    """Yield a safetensors file in micro-batches: header, tensors (widest type first), digest."""
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
    for micro_batch in itertools.chain(start, (tensor_bytes(tensor) for _, tensor in ordered)):
        digest.update(micro_batch)
        yield micro_batch
    yield digest.digest()


def tensor_bytes(tensor: torch.Tensor) -> memoryview:
    """Return the bytes of a tensor on the CPU, without a copy where it is contiguous."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data


def load_checkpoint(path: Path, step: int, fingerprint: Mapping[str, Any]) -> Checkpoint:
    """Return the checkpoint in a file, every byte of it checked.

    Args:
        step: that the file's name tells.
        fingerprint: of the run that the name tells.
    Raises:
        DamagedCheckpointError: when the file is not what was written under this name.
        OSError: when it cannot be read.
        UserError: when a later version wrote it, in a format that this one does not know.
    """
    _require_file(path)
    _verify_digest(path)
    described = metadata_of(path)
    if described.format > FORMAT:
        raise UserError(
            f"{path.name} is of format {described.format}, this program reads up to {FORMAT}.",
            "Resume with the image that wrote it, or use another checkpoint_s3_uri.",
        )
    if described.step != step:
        raise DamagedCheckpointError(f"it is of step {described.step}")
    if described.fingerprint != json.loads(json.dumps(fingerprint)):
        raise DamagedCheckpointError("it is another run's under a changed name")
    # Copied: mapped tensors would keep the file's room on the disk when it is long deleted.
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items() if name != _DIGEST}
    return Checkpoint(step, described.state, tensors)


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


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What a checkpoint's header says of it."""

    format: int
    step: int
    fingerprint: Mapping[str, Any]
    state: Mapping[str, Any]


def metadata_of(path: Path) -> Metadata:
    """Return the metadata of a checkpoint, without its tensors and without checking them.

    Raises:
        DamagedCheckpointError: when it has none.
        OSError: when it cannot be read.
    """
    _require_file(path)
    header = _header_of(path)
    try:
        told = [json.loads(header[name]) for name in ("format", "step", "identity", "state")]
    except (ValueError, TypeError, RecursionError) as error:
        raise DamagedCheckpointError("its header cannot be read") from error
    if [type(value) for value in told] != [int, int, dict, dict]:
        raise DamagedCheckpointError("its header is not a checkpoint's")
    return Metadata(*told)


def _require_file(path: Path) -> None:
    """Refuse what is no regular file: to open a pipe would wait for ever."""
    if path.is_symlink() or not path.is_file():
        raise DamagedCheckpointError("it is a link or no file")


def _header_of(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > 100_000_000:
            raise DamagedCheckpointError("it is not a checkpoint")
        try:
            header = dict(json.loads(file.read(length))["__metadata__"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DamagedCheckpointError("its header cannot be read") from error
    if not header.keys() >= _HEADER:
        raise DamagedCheckpointError("its header is incomplete")
    return header
