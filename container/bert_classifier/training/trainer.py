"""The training loop: global batches in micro-batches, exact accumulation, evaluation, the best weights kept."""

import dataclasses
import logging
import math
import time
from collections.abc import Mapping

import numpy as np
import torch
from torch.nn import functional

from bert_classifier.config import TrainConfig
from bert_classifier.errors import UserError
from bert_classifier.micro_batches import pad, plan_micro_batches
from bert_classifier.model import logits_of
from bert_classifier.tokenization import EncodedTexts
from bert_classifier.training.batching import EpochOrder, derive_seed
from bert_classifier.training.device import autocast, default_token_budget, resolve_precision
from bert_classifier.training.metrics import Evaluation, count_confusion, metric_line
from bert_classifier.training.optimization import (
    balanced_class_weights,
    build_optimizer,
    densify_gradients,
    learning_rate_factor,
    use_sparse_embedding_gradients,
)
from bert_classifier.training.progress import Progress, StepReport
from bert_classifier.training.saving import Checkpointer
from bert_classifier.training.signals import StopSignal

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Split:
    """Encoded texts and the class index of each, int64 (n,)."""

    encoded: EncodedTexts
    targets: np.ndarray


@dataclasses.dataclass
class TrainState:
    """Where a run stands, besides weights and optimizer: all that decides what happens next."""

    step: int = 0
    evaluated_step: int = 0
    best_step: int = 0
    best_score: float | None = None
    best_loss: float | None = None
    evaluations_since_best: int = 0


class Trainer:
    """Fine-tunes a classifier.

    Args:
        model: any module whose forward takes input_ids and attention_mask and returns `.logits` (b, classes).
        positive: index of the class whose F1 is the score, or None: accuracy is.
        show_bar: draw a progress bar.
        stop: asked between steps and while evaluating.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        config: TrainConfig,
        train: Split,
        validation: Split,
        *,
        num_classes: int,
        pad_id: int,
        device: torch.device,
        positive: int | None = None,
        show_bar: bool = False,
        stop: StopSignal | None = None,
    ) -> None:
        self.model = model.to(device)
        self.config = config
        self.train = train
        self.validation = validation
        self.num_classes = num_classes
        self.pad_id = pad_id
        self.device = device
        self.positive = positive
        self.show_bar = show_bar
        self.stop = stop or StopSignal()
        self.precision = resolve_precision(config.precision, device)
        self.token_budget = config.max_tokens_per_micro_batch or default_token_budget(device)
        if device.type == "cpu":
            use_sparse_embedding_gradients(self.model)
        self.optimizer = build_optimizer(model, config.learning_rate, config.weight_decay, config.layer_decay)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == "fp16")
        self.order = EpochOrder(len(train.targets), config.resolve_global_batch_size(1), config.seed)
        self.total_steps = self.order.steps_per_epoch * config.num_train_epochs
        self.class_weights = self._class_weights().to(device)
        self.state = TrainState()
        self.best_weights: dict[str, torch.Tensor] = {}
        self.best_result: Evaluation | None = None  # only if this life of the run has seen it

    def fit(self, checkpointer: Checkpointer | None = None) -> TrainState:
        """Train from where the state stands to the end, or until early stopping.

        Raises:
            Stopped: when the program was told to stop; the state is then one to save and go on from.
        """
        progress = Progress(
            self.total_steps,
            self.order.steps_per_epoch,
            self.state.step,
            log_every=self.config.logging_steps,
            bar=self.show_bar,
        )
        try:
            self._evaluate_if_due(progress)
            while not self.is_finished:
                self.stop.check()
                report = self.train_step(self.state.step)
                self.state.step += 1
                progress.update(self.state.step, report)
                has_evaluated = self._evaluate_if_due(progress)
                if checkpointer is not None:
                    checkpointer.save_if_due(is_milestone=has_evaluated)
        finally:
            progress.close()
        return self.state

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do: the last step is done and evaluated, or early stopping has struck."""
        return self.state.evaluated_step >= self.total_steps or self.is_out_of_patience

    @property
    def is_out_of_patience(self) -> bool:
        """Whether early stopping ends the run here."""
        patience = self.config.early_stopping_patience
        return patience > 0 and self.state.evaluations_since_best >= patience

    def train_step(self, step: int) -> StepReport:
        """Do optimizer step number `step` (counted from 0).

        Raises:
            UserError: when loss or gradient is not finite; the weights are then still those of the step before.
        """
        factor = learning_rate_factor(step, self.total_steps, self.config.warmup_ratio)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * factor * group["lr_scale"]
        rows = self.order.batch(step)
        loss, padded = self.accumulate_gradients(rows, step)
        grad_norm = self._clip_gradients()
        self._require_finite(step, loss, grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        tokens = int(self.train.encoded.lengths[rows].sum())
        return StepReport(loss, grad_norm, self.config.learning_rate * factor, len(rows), tokens, padded)

    def accumulate_gradients(self, rows: np.ndarray, step: int) -> tuple[float, int]:
        """Set the gradients to those of the mean loss over a whole global batch, one micro-batch at a time.

        The loss is Σ wᵢ·CEᵢ ÷ Σ wᵢ over the global batch: each micro-batch contributes its sum, divided by the
        weight of the whole batch, so that neither the cut nor a smaller last batch changes the result.

        Args:
            rows: the examples of the batch.
            step: of the run; with the micro-batch's number it seeds dropout.
        Returns:
            the loss, and the tokens computed, padding counted.
        """
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        targets = torch.from_numpy(self.train.targets[rows]).to(self.device)
        total_weight = self.class_weights[targets].sum()
        loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        padded = 0
        max_rows = self.config.per_device_batch_size
        for piece, part in enumerate(
            plan_micro_batches(self.train.encoded.lengths[rows], self.token_budget, max_rows)
        ):
            torch.manual_seed(derive_seed(self.config.seed, "dropout", step, piece))
            logits = self._forward(self.train.encoded, rows[part])
            loss = functional.cross_entropy(logits, targets[part], weight=self.class_weights, reduction="sum")
            self.scaler.scale(loss / total_weight).backward()
            loss_sum += loss.detach()
            padded += len(part) * int(self.train.encoded.lengths[rows[part]].max())
        densify_gradients(self.model)
        return float(loss_sum / total_weight), padded

    def evaluate(self, split: Split) -> Evaluation:
        """Return how well the present weights do on labelled texts."""
        self.model.eval()
        predicted = np.zeros(len(split.targets), dtype=np.int64)
        losses = np.zeros(len(split.targets), dtype=np.float64)
        with torch.inference_mode():
            for part in plan_micro_batches(split.encoded.lengths, self.token_budget):
                self.stop.check()
                logits = self._forward(split.encoded, part).double()
                targets = torch.from_numpy(split.targets[part]).to(self.device)
                losses[part] = functional.cross_entropy(logits, targets, reduction="none").cpu().numpy()
                predicted[part] = logits.argmax(dim=-1).cpu().numpy()
        confusion = count_confusion(split.targets, predicted, self.num_classes)
        return Evaluation(confusion, float(losses.mean()))

    def _forward(self, encoded: EncodedTexts, rows: np.ndarray) -> torch.Tensor:
        input_ids, mask = pad(encoded, rows, self.pad_id)
        mask = None if mask is None else mask.to(self.device)
        with autocast(self.precision, self.device):
            return logits_of(self.model, input_ids.to(self.device), mask)

    def _clip_gradients(self) -> float:
        """Scale the gradient down to max_grad_norm if it is longer; return its norm before."""
        self.scaler.unscale_(self.optimizer)
        limit = self.config.max_grad_norm or math.inf
        learning = [p for p in self.model.parameters() if p.requires_grad]
        return float(torch.nn.utils.clip_grad_norm_(learning, limit))

    def _require_finite(self, step: int, loss: float, grad_norm: float) -> None:
        # With fp16 an infinite gradient is normal: the scaler skips the step and lowers its scale.
        if math.isfinite(loss) and (math.isfinite(grad_norm) or self.scaler.is_enabled()):
            return
        raise UserError(
            f"Training diverged: at step {step + 1} the loss is {loss} and the gradient's norm {grad_norm}.",
            f"Lower learning_rate (it is {self.config.learning_rate:g}), raise warmup_ratio, or use precision=fp32.",
        )

    def _evaluate_if_due(self, progress: Progress) -> bool:
        """Evaluate where the present step asks for it and that was not done yet; say whether it was done now."""
        interval = self.config.eval_steps or self.order.steps_per_epoch
        step = self.state.step
        if step == self.state.evaluated_step or (step % interval and step != self.total_steps):
            return False
        started = time.monotonic()
        self._note_evaluation(self.evaluate(self.validation))
        progress.leave_out(time.monotonic() - started)
        return True

    def _note_evaluation(self, result: Evaluation) -> None:
        """Keep the weights if they are the best so far, and count the evaluations since."""
        score, state = result.score(self.positive), self.state
        state.evaluated_step = state.step
        state.evaluations_since_best += 1
        if state.best_score is None or (score, -result.loss) > (state.best_score, -(state.best_loss or 0.0)):
            state.best_score, state.best_loss, state.best_step = score, result.loss, state.step
            state.evaluations_since_best = 0
            self.best_weights = copies(self.model.state_dict())
            self.best_result = result
        values = {
            "step": state.step,
            "eval_loss": result.loss,
            "eval_accuracy": result.accuracy,
            "eval_macro_f1": result.macro_f1,
            "best_step": state.best_step,
        }
        logger.info("%s", metric_line(values))
        if self.is_out_of_patience:
            logger.info("no better for %d evaluation(s): training stops early", state.evaluations_since_best)

    def use_best_weights(self) -> None:
        """Give the model the weights of the best evaluation so far, if there was one."""
        if self.best_weights:
            self.model.load_state_dict(self.best_weights)

    def _class_weights(self) -> torch.Tensor:
        if self.config.class_weights == "balanced":
            return balanced_class_weights(self.train.targets, self.num_classes)
        return torch.ones(self.num_classes)


def copies(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return copies on the CPU that later steps do not change."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
