"""A step whose numbers are still on their way from the GPU: to read them at once would leave it without work."""

import dataclasses
from typing import Self

import numpy as np
import torch

from bert_classifier.modeling.transfer import LateValues
from bert_classifier.training.accumulation import BatchReport, loss_of
from bert_classifier.training.progress import StepReport


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
