"""The state of a run that its checkpoints record, besides tensors; and copies of those."""

import dataclasses
from collections.abc import Mapping

import torch


@dataclasses.dataclass
class TrainState:
    """The state of a run, besides weights, optimizer and history.

    Attributes:
        token_budget: maximum tokens per micro-batch, padding included; lowered when a GPU runs out of memory.
        num_gradient_groups: number of groups that every batch is partitioned into, for any number of ranks.
    """

    token_budget: int
    num_gradient_groups: int
    step: int = 0
    evaluated_step: int = 0
    best_step: int = 0
    best_score: float | None = None
    best_loss: float | None = None
    evaluations_since_best: int = 0


def copies(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return copies on the CPU that later steps do not change."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
