"""What computes a run's gradients: weights in the run's precision, forward pass, batches, and the mode of their sum."""

import math

import numpy as np
import torch

from bert_classifier.job.config import TrainConfig
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.packed import packed_or_padded, trainable_or_padded
from bert_classifier.training.accumulation import BatchReport, GradientAccumulator
from bert_classifier.training.batch_feed import BatchFeed
from bert_classifier.training.batch_plan import BatchPlan, BatchPlanner
from bert_classifier.training.batching import EpochOrder, Split
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.gradient_modes import gradient_mode
from bert_classifier.training.master_weights import master_weights
from bert_classifier.training.optimizer import use_sparse_embedding_gradients


class Engine:
    """Computes the gradient of the mean loss over a batch, and sets it in the model's parameters.

    Args:
        model: float32, on the device.
        precision: fp32, bf16 or fp16; in bf16 a copy of the model computes, if it can.
        class_weights: float32 (classes,), or (2, classes); see optimizer.class_weights.
        order: the batches of the run, of `total_steps` steps.
    Attributes:
        is_reproducible: whether the gradient has the same bits on any number of ranks up to its groups.
        planner: of batches; its forward pass has the weights that compute.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        config: TrainConfig,
        train: Split,
        order: EpochOrder,
        *,
        class_weights: torch.Tensor,
        total_steps: int,
        pad_id: int,
        device: torch.device,
        precision: str,
        distributed: DistributedContext,
    ) -> None:
        self.is_reproducible = config.is_reproducible(device.type)
        if device.type == "cpu":
            use_sparse_embedding_gradients(model)
        self._weights = master_weights(model, train.encoded, pad_id) if precision == "bf16" else None
        if any(distributed.all_gather_json(self._weights is None)):
            self._weights = None
        computing = model if self._weights is None else self._weights.copy
        forward = trainable_or_padded(
            packed_or_padded(computing, pad_id, device, precision, train.encoded), train.encoded
        )
        # The plan of a batch depends on it, and must be the same on all ranks.
        if any(distributed.all_gather_json(forward.is_padded)):
            forward = Forward(computing, pad_id, device, precision)
        self.planner = BatchPlanner(
            forward,
            train,
            class_weights.double().numpy(),
            config,
            distributed,
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        if self.scaler.is_enabled():
            # Makes its state, also on a rank that has no text in the first step.
            self.scaler.scale(torch.zeros((), device=device))
        targets = [p for p in model.parameters() if p.requires_grad]
        sources = [p for p in computing.parameters() if p.requires_grad] if self._weights else targets
        self.accumulator = GradientAccumulator(
            device,
            gradient_mode(distributed, sources, targets, is_reproducible=self.is_reproducible),
            seed=config.seed,
            scaler=self.scaler,
            distributed=distributed,
        )
        self._order = order
        self._feed = BatchFeed(self._plan_of_step, total_steps, is_ahead=device.type == "cuda")

    def compute(self, step: int, token_budget: int, num_gradient_groups: int) -> BatchReport:
        """Set the gradients to those of the batch of a step; see GradientAccumulator.accumulate."""
        return self.accumulator.accumulate(
            step, lambda budget: self._feed.get(step, budget, num_gradient_groups), token_budget
        )

    def compute_batch(
        self, indices: np.ndarray, step: int, token_budget: int, num_gradient_groups: int
    ) -> BatchReport:
        """Set the gradients to those of these texts, as if they were the batch of a step."""
        return self.accumulator.accumulate(
            step, lambda budget: self.planner.plan(indices, budget, num_gradient_groups), token_budget
        )

    def publish(self) -> None:
        """Compute with the weights that the optimizer has just changed."""
        if self._weights is not None:
            self._weights.publish()

    def publish_all(self) -> None:
        """Compute with the model's weights, whatever has changed them."""
        if self._weights is not None:
            self._weights.publish_all()

    def _plan_of_step(self, step: int, token_budget: int, num_gradient_groups: int) -> BatchPlan:
        return self.planner.plan(self._order.batch(step), token_budget, num_gradient_groups)


def clip(model: torch.nn.Module, gradient: torch.Tensor | None, limit: float) -> torch.Tensor:
    """Scale the model's gradient down to a norm; return its norm before, on the device.

    Args:
        gradient: all of it as one vector, where it is one: a few kernels then do what takes some per parameter.
        limit: the largest norm; 0 = any.
    """
    if gradient is None:
        return torch.nn.utils.clip_grad_norm_(model.parameters(), limit or math.inf)
    norm: torch.Tensor = torch.linalg.vector_norm(gradient)
    if limit:
        gradient.mul_((limit / (norm + 1e-6)).clamp(max=1.0))  # as in torch's clip_grad_norm_
    return norm
