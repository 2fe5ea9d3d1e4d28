"""Move arrays to a device and back without waiting for it: by asynchronous copies from and to page-locked memory.

A copy out of ordinary memory makes the host wait until the GPU has done everything before it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

_ALIGNMENT = 16  # bytes; more than the widest element


@dataclasses.dataclass(frozen=True)
class Staged:
    """Values that are ready to be moved to a device.

    Attributes:
        values: by name; arrays to move, and other values, which pass unchanged.
        buffer: on the way to a GPU the arrays' bytes in page-locked memory, uint8 (bytes,); else None.
        places: on the way to a GPU, where each array begins in the buffer.
    """

    values: Mapping[str, Any]
    buffer: torch.Tensor | None = None
    places: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def to(self, device: torch.device) -> dict[str, Any]:
        """Return the arrays as tensors on the device, and the other values; the host does not wait for the copy."""
        if self.buffer is None:
            return {
                name: _tensor(value).to(device) if _is_array(value) else value
                for name, value in self.values.items()
            }
        moved = self.buffer.to(device, non_blocking=True)
        return {
            name: self._view(moved, name) if name in self.places else value
            for name, value in self.values.items()
        }

    def _view(self, moved: torch.Tensor, name: str) -> torch.Tensor:
        array, begin = self.values[name], self.places[name]
        part = moved[begin : begin + array.nbytes]
        return part.view(_tensor(np.zeros(0, array.dtype)).dtype).view(array.shape)


class LateValues:
    """A tensor's values on their way from a device: they are copied when it has computed them, and nobody waits yet."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self._values, self._are_there = tensor, None
        if tensor.device.type == "cuda":
            self._values = torch.empty_like(tensor, device="cpu", pin_memory=True).copy_(
                tensor, non_blocking=True
            )
            self._are_there = torch.cuda.Event(blocking=True)  # a thread that waits leaves its core to others
            self._are_there.record(torch.cuda.current_stream(tensor.device))

    def read(self) -> np.ndarray:
        """Return the values once they are there; what the device was given later is not waited for."""
        if self._are_there is not None:
            self._are_there.synchronize()
        array: np.ndarray = self._values.numpy()
        return array


def stage(values: Mapping[str, Any], device: torch.device) -> Staged:
    """Make values ready for a device; for a GPU, their arrays are copied side by side into page-locked memory.

    That memory comes from torch's cache, which uses it again once the copy to the device is done.
    """
    arrays = {name: value for name, value in values.items() if _is_array(value)}
    if device.type != "cuda":
        return Staged(values)
    places, size = {}, 0
    for name, array in arrays.items():
        places[name], size = size, -(-(size + array.nbytes) // _ALIGNMENT) * _ALIGNMENT
    buffer = torch.empty(size, dtype=torch.uint8, pin_memory=True)
    target = buffer.numpy()
    for name, array in arrays.items():
        target[places[name] : places[name] + array.nbytes] = (
            np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        )
    return Staged(values, buffer, places)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array)
