"""Which texts make up which global batch: a pure function of seed and step, so that a resumed run needs no replay."""

import dataclasses
import hashlib

import numpy as np
import torch

from bert_classifier.encoding.text_encoder import EncodedTexts


@dataclasses.dataclass(frozen=True)
class Split:
    """n encoded texts and the class index of each, int64 (n,)."""

    encoded: EncodedTexts
    targets: np.ndarray


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Return a 63-bit seed for one purpose, such as ("dropout", step, micro-batch); others are independent of it."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


class EpochOrder:
    """Global batches of `num_examples` texts; the last one of an epoch is smaller and kept.

    Args:
        seed: the run's seed; the order of epoch e depends on (seed, e) alone.
    """

    def __init__(self, num_examples: int, global_batch_size: int, seed: int) -> None:
        self._num_examples = num_examples
        self._batch = global_batch_size
        self._seed = seed
        self._epoch = -1
        self._permutation = np.zeros(0, dtype=np.int64)
        self.steps_per_epoch = -(-num_examples // global_batch_size)

    def batch(self, step: int) -> np.ndarray:
        """Return the examples of an optimizer step (counted from 0), int64 (≤ global_batch_size,)."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            draw = torch.Generator().manual_seed(derive_seed(self._seed, "order", epoch))
            self._permutation = torch.randperm(self._num_examples, generator=draw).numpy()
            self._epoch = epoch
        return self._permutation[position * self._batch : (position + 1) * self._batch]
