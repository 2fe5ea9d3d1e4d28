"""The order of training examples: a pure function of seed and step, so a resumed run need not replay it."""

import dataclasses
import hashlib

import numpy as np
import torch

from bert_classifier.encoding.text_encoder import EncodedTexts


@dataclasses.dataclass(frozen=True)
class Split:
    """n encoded texts, and the class index of each, int64 (n,), or for each class 1 or 0, uint8 (n, classes)."""

    encoded: EncodedTexts
    targets: np.ndarray


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Return a 63-bit seed for one purpose, such as ("dropout", step, micro-batch), independent of all others."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


class EpochOrder:
    """Shuffled global batches; the last one of an epoch may be smaller.

    Args:
        seed: seed of the run; the order of epoch e depends only on (seed, e).
    """

    def __init__(self, num_examples: int, global_batch_size: int, seed: int) -> None:
        self._num_examples = num_examples
        self._batch = global_batch_size
        self._seed = seed
        self._epoch = -1
        self._permutation = np.zeros(0, dtype=np.int64)
        self.steps_per_epoch = -(-num_examples // global_batch_size)

    def batch(self, step: int) -> np.ndarray:
        """Return the indices of the examples of an optimizer step (counted from 0), int64 (≤ global_batch_size,)."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            draw = torch.Generator().manual_seed(derive_seed(self._seed, "order", epoch))
            self._permutation = torch.randperm(self._num_examples, generator=draw).numpy()
            self._epoch = epoch
        return self._permutation[position * self._batch : (position + 1) * self._batch]
