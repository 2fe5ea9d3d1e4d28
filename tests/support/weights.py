"""Weights as an artifact has them, and a digest that does not depend on how their file is written."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file


def saved_tensors(model: Any) -> dict[str, torch.Tensor]:
    """Return a model's tensors as in its model.safetensors, whose names may differ from the modules'."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return load_file(Path(folder) / "model.safetensors")


def digest_of_weights(model_dir: Path) -> str:
    """Return the SHA-256 of all tensors of an artifact: name, type, shape and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(load_file(model_dir / "model.safetensors").items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
