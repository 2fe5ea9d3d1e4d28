"""A digest of an artifact's weights that does not depend on how their file is written."""

import hashlib
from pathlib import Path

from safetensors.torch import load_file


def digest_of_weights(model_dir: Path) -> str:
    """Return the SHA-256 of all tensors of an artifact: name, type, shape and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(load_file(model_dir / "model.safetensors").items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
