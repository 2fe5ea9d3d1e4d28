"""The gradient of a global batch: the same whatever the cut into micro-batches and whoever computes them."""

import dataclasses
import logging
import time
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from bert_classifier.errors import PlatformError
from bert_classifier.micro_batches import deal, plan_shards
from bert_classifier.training.batching import Split, derive_seed
from bert_classifier.training.distributed import World
from bert_classifier.training.forward import Forward
from bert_classifier.training.optimization import densify_gradients

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class BatchReport:
    """What one global batch was: its loss, the tokens computed, padding counted, and the budget that sufficed.

    Of this rank's time, `data_seconds` went into cutting the batch and laying its tokens out, `sync_seconds` into
    waiting for other ranks and exchanging gradients with them.
    """

    loss: float
    padded_tokens: int
    token_budget: int
    data_seconds: float
    sync_seconds: float


class GradientAccumulator:
    """Sets the gradients of a model to those of the mean loss over a whole global batch.

    The loss is Σ wᵢ·CEᵢ ÷ Σ wᵢ over the global batch: each micro-batch contributes its sum, divided by the weight of
    the whole batch, so that neither the cut nor a smaller last batch changes the result. The batch is dealt into
    shards; a rank computes whole shards, and their sums are added in the order of the shards: the bits depend on
    the number of shards, not on the number of ranks.

    Args:
        split: what is learned from.
        class_weights: float32 (classes,), on the device.
        max_rows: most texts in a micro-batch.
        piece_cost: what a micro-batch costs besides its tokens, in tokens.
        seed: the run's; with step and micro-batch it seeds dropout.
        scaler: multiplies the loss where the precision needs it.
    """

    def __init__(
        self,
        forward: Forward,
        split: Split,
        *,
        class_weights: torch.Tensor,
        max_rows: int | None,
        piece_cost: int,
        seed: int,
        scaler: torch.amp.GradScaler,
        world: World,
    ) -> None:
        self._forward = forward
        self._split = split
        self._class_weights = class_weights
        self._max_rows = max_rows
        self._piece_cost = piece_cost
        self._seed = seed
        self._scaler = scaler
        self._world = world
        self._learning = [p for p in forward.model.parameters() if p.requires_grad]
        self._used = np.zeros(len(self._learning), dtype=np.int64)  # > 0 where backward leaves a gradient
        self._knows_used = False
        self._data_seconds = 0.0

    def accumulate(self, rows: np.ndarray, step: int, token_budget: int, num_shards: int) -> BatchReport:
        """Compute the gradient of one global batch.

        When a GPU runs out of memory, all ranks start over with half the token budget: the cut changes, the
        gradient does not.

        Args:
            rows: the examples of the batch.
            step: of the run.
            token_budget: most tokens of a micro-batch, padding counted.
        Raises:
            PlatformError: when a single text does not fit into the GPU's memory.
        """
        started = time.monotonic()
        lengths = self._split.encoded.lengths[rows]
        self._data_seconds = 0.0
        while True:
            pieces = plan_shards(lengths, token_budget, num_shards, self._max_rows, self._piece_cost)
            costs = [self._forward.tokens_of(lengths[piece]) for piece in pieces]
            shards = deal(costs, num_shards)
            self._data_seconds += time.monotonic() - started
            computed = self._compute(rows, step, pieces, shards)
            if not self._world.agree(int(computed is None)):
                break
            started = time.monotonic()
            token_budget = _halved(token_budget, max(costs), int(lengths.max()))
        assert computed is not None
        loss, sync_seconds = self._share(*computed)
        return BatchReport(loss, sum(costs), token_budget, self._data_seconds, sync_seconds)

    def _compute(
        self, rows: np.ndarray, step: int, pieces: Sequence[np.ndarray], shards: Sequence[Sequence[int]]
    ) -> tuple[torch.Tensor, dict[int, torch.Tensor]] | None:
        """Compute this rank's shards; return each one's loss and gradient, or None when the memory did not suffice."""
        self._forward.model.train()
        weight = self._class_weights[self._targets(rows)].sum()
        losses = torch.zeros(len(shards), dtype=torch.float64, device=weight.device)
        gradients: dict[int, torch.Tensor] = {}
        try:
            for shard in self._world.own_shards(len(shards)):
                self._forward.model.zero_grad(set_to_none=True)
                for piece in shards[shard]:
                    torch.manual_seed(derive_seed(self._seed, "dropout", step, piece))
                    losses[shard] += self._backward(rows[pieces[piece]], weight)
                densify_gradients(self._forward.model)
                if self._is_shared(len(shards)):
                    gradients[shard] = self._flattened()
                    self._used |= [p.grad is not None for p in self._learning]
        except torch.OutOfMemoryError:
            self._forward.model.zero_grad(set_to_none=True)
            torch.cuda.empty_cache()
            return None
        return losses, gradients

    def _backward(self, rows: np.ndarray, weight: torch.Tensor) -> torch.Tensor:
        """Add the gradient of one micro-batch; return its share of the loss."""
        started = time.monotonic()
        inputs = self._forward.inputs(self._split.encoded, rows)
        self._data_seconds += time.monotonic() - started
        logits = self._forward.compute(inputs)
        loss = functional.cross_entropy(
            logits, self._targets(rows), weight=self._class_weights, reduction="sum"
        )
        self._scaler.scale(loss / weight).backward()
        return loss.detach().double() / weight

    def _targets(self, rows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self._split.targets[rows]).to(self._class_weights.device)

    def _is_shared(self, num_shards: int) -> bool:
        return num_shards > 1 or self._world.size > 1

    def _share(self, losses: torch.Tensor, gradients: dict[int, torch.Tensor]) -> tuple[float, float]:
        """Give all ranks the sums over all shards; return the loss and the seconds that took."""
        if losses.is_cuda and self._world.size > 1:
            torch.cuda.synchronize()  # so that computing does not count as waiting
        started = time.monotonic()
        if self._is_shared(len(losses)):
            like = next(iter(gradients.values())) if gradients else self._flattened()
            self._spread(self._world.fold(gradients, len(losses), like))
        by_shard = losses.cpu().numpy()
        self._world.add_up(by_shard)
        return float(by_shard.sum()), time.monotonic() - started

    def _flattened(self) -> torch.Tensor:
        """Return all gradients as one float32 vector, as long as a multiple of the number of ranks."""
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._learning]
        length = sum(part.numel() for part in parts)
        parts.append(parts[0].new_zeros(-length % self._world.size))
        return torch.cat([part.reshape(-1) for part in parts])

    def _spread(self, flat: torch.Tensor) -> None:
        """Make the parts of a flat vector the gradients; parameters that backward never reaches have none."""
        if not self._knows_used:
            self._world.add_up(self._used)
            self._knows_used = True
        offset = 0
        for parameter, is_used in zip(self._learning, self._used, strict=True):
            part = flat[offset : offset + parameter.numel()].view_as(parameter)
            parameter.grad = part if is_used else None
            offset += parameter.numel()


def _halved(token_budget: int, largest: int, longest: int) -> int:
    """Return half of what did not fit into memory.

    Args:
        largest: tokens of the largest micro-batch tried.
        longest: tokens of the longest text; one text cannot be cut.
    Raises:
        PlatformError: when the largest micro-batch was already a single text.
    """
    if largest <= longest:
        raise PlatformError(
            f"The GPU's memory does not hold the training of one text of {longest} tokens.",
            "Lower max_seq_length, or use an instance whose GPU has more memory.",
        )
    halved = max(longest, min(token_budget, largest) // 2)
    logger.warning(
        "out of GPU memory with micro-batches of %d tokens: the step is repeated with at most %d",
        largest,
        halved,
    )
    return halved
