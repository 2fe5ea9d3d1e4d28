"""Small checkpoints for tests, and what it means that two are the same."""

from typing import Any

import torch

from bert_classifier.training.state.checkpoint import Checkpoint

FINGERPRINT: dict[str, Any] = {"seed": 1, "train_data": "abc", "learning_rate": 0.1}


def make_checkpoint(step: int) -> Checkpoint:
    """Return a checkpoint with every kind of tensor that training saves."""
    draw = torch.Generator().manual_seed(step)
    tensors = {
        "model.weight": torch.randn(7, 5, generator=draw),
        "model.empty": torch.zeros(0, 3),
        "optimizer.step.weight": torch.tensor(float(step)),
        "best.half": torch.randn(3, generator=draw).bfloat16(),
        "best.count": torch.tensor([step], dtype=torch.int64),
        "best.flags": torch.tensor([True, False]),
    }
    return Checkpoint(step, {"train": {"step": step}, "text": "ümlaut"}, tensors)


def assert_same(found: Checkpoint | None, wanted: Checkpoint) -> None:
    """Both hold the same state and the same bits."""
    assert found is not None
    assert (found.step, found.state) == (wanted.step, wanted.state)
    assert found.tensors.keys() == wanted.tensors.keys()
    for name, tensor in wanted.tensors.items():
        assert found.tensors[name].dtype == tensor.dtype
        assert torch.equal(found.tensors[name], tensor)
