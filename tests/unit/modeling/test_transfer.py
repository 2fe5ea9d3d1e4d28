"""Arrays reach the device with their values, types and shapes, whatever else is beside them."""

import numpy as np
import pytest
import torch

from bert_classifier.modeling.transfer import Staged, stage

VALUES = {
    "ids": np.arange(7, dtype=np.int64)[None], "ends": np.array([0, 3, 7], dtype=np.int32),
    "shares": np.array([0.25, 0.75], dtype=np.float32), "mask": None, "longest": 4, "none": np.zeros(0, dtype=np.int64),
}  # fmt: skip


def packed_by_hand() -> Staged:
    """Return what `stage` makes for a GPU, in memory that is not page-locked: that needs a GPU."""
    places, parts, size = {}, [], 0
    for name, value in VALUES.items():
        if isinstance(value, np.ndarray):
            places[name] = size
            parts.append(value.tobytes().ljust(-(-value.nbytes // 16) * 16, b"\xff"))
            size += len(parts[-1])
    buffer = torch.frombuffer(bytearray(b"".join(parts)), dtype=torch.uint8)
    return Staged(VALUES, buffer, places)


@pytest.mark.parametrize(
    "staged", [stage(VALUES, torch.device("cpu")), packed_by_hand()], ids=["apart", "packed"]
)
def test_values_arrive_as_they_were(staged):
    """Also out of one buffer; what is no array passes unchanged."""
    moved = staged.to(torch.device("cpu"))
    assert moved.keys() == VALUES.keys()
    for name, value in VALUES.items():
        if isinstance(value, np.ndarray):
            assert torch.equal(moved[name], torch.from_numpy(value))
            assert moved[name].dtype == torch.from_numpy(value).dtype
        else:
            assert moved[name] is value
