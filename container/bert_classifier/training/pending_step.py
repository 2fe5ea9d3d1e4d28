"""A step whose numbers are still on their way from the GPU: to read them at once would leave it without work."""

import dataclasses
from typing import Self

import numpy as np
import torch

from bert_classifier.training.accumulation import BatchReport, loss_of
from bert_classifier.training.progress import StepReport


class LateValues:
    """Numbers that a GPU computes; they are copied when it is done, and nobody waits until they are read.

    Args:
        values: float64 (n,), on any device.
    """

    def __init__(self, values: torch.Tensor) -> None:
        self._values, self._copied = values, None
        if values.device.type == "cuda":
            self._values = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            self._values.copy_(values, non_blocking=True)
            self._copied = torch.cuda.Event()
            self._copied.record()

    def read(self) -> np.ndarray:
        """Return the numbers, once they are there."""
        if self._copied is not None:
            self._copied.synchronize()
        array: np.ndarray = self._values.numpy()
        return array


@dataclasses.dataclass(frozen=True)
class PendingStep:
    """An optimizer step that is on its way.

    Attributes:
        step: counted from 0.
        values: the sums of the batch's report, and the gradient's norm.
        ranks: number of ranks that trained together.
    """

    step: int
    values: LateValues
    batch: BatchReport
    learning_rate: float
    ranks: int

    @classmethod
    def of(
        cls, step: int, batch: BatchReport, grad_norm: torch.Tensor, learning_rate: float, ranks: int
    ) -> Self:
        """Begin to copy a step's numbers."""
        values = LateValues(torch.cat([batch.sums, grad_norm.double().reshape(1)]))
        return cls(step, values, batch, learning_rate, ranks)

    def report(self) -> StepReport:
        """Return the step's numbers, once they are there."""
        *sums, grad_norm = self.values.read()
        return StepReport(
            loss=loss_of(np.array(sums)),
            grad_norm=float(grad_norm),
            learning_rate=self.learning_rate,
            examples=self.batch.examples,
            tokens=self.batch.tokens,
            padded_tokens=self.batch.padded_tokens,
            data_seconds=self.batch.data_seconds,
            sync_seconds=self.batch.sync_seconds,
            mean_sync_seconds=float(sums[-1]) / self.ranks,
        )
