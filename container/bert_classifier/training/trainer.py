"""The training loop: optimizer steps, evaluation, best weights, early stopping."""

import logging
import math
import time

import numpy as np
import torch

from bert_classifier.errors import UserError
from bert_classifier.evaluation.evaluation_of import AnyEvaluation, evaluation_of
from bert_classifier.job.config import TrainConfig
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.inference import compute_logits
from bert_classifier.training.accumulation import BatchReport
from bert_classifier.training.batching import EpochOrder, Split
from bert_classifier.training.device import resolve_precision
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.engine import Engine, clip
from bert_classifier.training.evaluation_lines import EvaluationLines
from bert_classifier.training.history import History
from bert_classifier.training.optimizer import build_optimizer, class_weights, learning_rate_factor
from bert_classifier.training.pending_step import PendingStep
from bert_classifier.training.progress import Progress, StepReport
from bert_classifier.training.recipe import choose_recipe, encoder_width
from bert_classifier.training.shared_inference import own_micro_batches
from bert_classifier.training.signals import Stopped, StopSignal
from bert_classifier.training.state.saver import CheckpointSaver
from bert_classifier.training.timing import WorkTimer
from bert_classifier.training.token_budget import choose_token_budget
from bert_classifier.training.train_state import TrainState, copies

logger = logging.getLogger(__name__)


class Trainer:
    """Fine-tunes a classifier.

    Args:
        model: any module whose forward takes input_ids and attention_mask and returns `.logits` (b, classes).
        validation: may be empty; nothing is evaluated then, and there are no best weights.
        positive: index of the class whose F1 is the score; None = accuracy is the score.
        name: which training of the job this is, before its metric lines; "" for the only one.
        show_bar: whether to draw a progress bar.
        stop: checked between steps and between the micro-batches of an evaluation.
        distributed: the ranks that train together.
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
        name: str = "",
        show_bar: bool = False,
        stop: StopSignal | None = None,
        distributed: DistributedContext | None = None,
    ) -> None:
        self.model = model.to(device)
        self.config = config
        self.train = train
        self.validation = validation
        self.num_classes = num_classes
        self.device = device
        self.positive = positive
        self.name = name
        self.show_bar = show_bar
        self.stop = stop or StopSignal()
        self.distributed = distributed or DistributedContext()
        self.precision = resolve_precision(config.precision, device)
        self.recipe = choose_recipe(
            config, num_texts=len(train.targets), width=encoder_width(model), world_size=self.distributed.size
        )
        self.order = EpochOrder(len(train.targets), self.recipe.global_batch_size, config.seed)
        self.total_steps = self.order.steps_per_epoch * self.recipe.num_train_epochs
        self._lines = EvaluationLines(self.total_steps, positive, name)
        self.class_weights = class_weights(config.class_weights, train.targets, num_classes)
        self.engine = Engine(
            self.model, config, train, self.order, class_weights=self.class_weights, total_steps=self.total_steps,
            pad_id=pad_id, device=device, precision=self.precision, distributed=self.distributed,
        )  # fmt: skip
        rate = self.recipe.learning_rate
        self.optimizer = build_optimizer(model, rate, config.weight_decay, config.layer_decay)
        self.state = TrainState(
            token_budget=choose_token_budget(
                config,
                self.forward,
                train.encoded,
                self.distributed,
                reproducible=self.engine.is_reproducible,
            ),
            num_gradient_groups=config.num_gradient_groups or self.distributed.size,
        )
        self.reads_late = device.type != "cpu"  # a CPU computes nothing meanwhile
        self._step_timer = WorkTimer()
        self._pending: PendingStep | None = None  # the last step, until its numbers are read
        self._progress: Progress | None = None
        self.history = History()
        self.best_weights: dict[str, torch.Tensor] = {}
        self.best_result: AnyEvaluation | None = None  # None if an early checkpoint lacked it
        self.last_result: AnyEvaluation | None = None

    def fit(self, saver: CheckpointSaver | None = None) -> TrainState:
        """Train from the current step to the last one, or until early stopping.

        Raises:
            Stopped: after a stop signal; the state can then be saved and resumed.
        """
        progress = self._progress = Progress(
            self.total_steps, self.order.steps_per_epoch, self.state.step,
            log_every=self.config.logging_steps, bar=self.show_bar, name=self.name,
        )  # fmt: skip
        self.engine.publish_all()
        try:
            self._evaluate_if_due(progress)
            while not self.is_finished:
                self.distributed.check(self.stop)
                started = time.monotonic()
                self._advance()
                has_evaluated = self._evaluate_if_due(progress)
                self.history.seconds += time.monotonic() - started
                if saver is not None:
                    saver.save_if_due(is_milestone=has_evaluated)
        except Stopped:
            self.settle()
            raise
        finally:
            progress.close()
        return self.state

    def _advance(self) -> None:
        """Take a step; read the numbers of the one before while the GPU computes."""
        with self._step_timer:
            pending = self.start_step(self.state.step)
        self.settle()
        self.state.step += 1
        self._pending = pending
        if not self.reads_late:
            self.settle()

    def settle(self) -> None:
        """Read and record the numbers of the last step, if that is not done yet.

        Raises:
            UserError: when its loss or gradient is not finite.
        """
        pending, self._pending = self._pending, None
        if pending is None or self._progress is None:
            return
        with self._step_timer:
            report = pending.report()
        self._require_finite(pending.step, report.loss, report.grad_norm)
        self.history.note_report(report, self._step_timer.take())
        self._progress.update(pending.step + 1, report)

    @property
    def is_finished(self) -> bool:
        """Whether the last step is done and evaluated, or training has stopped early."""
        return self.state.evaluated_step >= self.total_steps or self.is_out_of_patience

    @property
    def is_out_of_patience(self) -> bool:
        """Whether early stopping ends the run now."""
        patience = self.config.early_stopping_patience
        return patience > 0 and self.state.evaluations_since_best >= patience

    def train_step(self, step: int) -> StepReport:
        """Perform optimizer step `step` (counted from 0) and return its numbers.

        Raises:
            UserError: when loss or gradient is not finite.
        """
        with self._step_timer:
            report = self.start_step(step).report()
        self._require_finite(step, report.loss, report.grad_norm)
        self.history.note_report(report, self._step_timer.take())
        return report

    def start_step(self, step: int) -> PendingStep:
        """Perform optimizer step `step` (counted from 0); a GPU may still be computing it when this returns.

        Raises:
            UserError: on a CPU, when loss or gradient is not finite; the weights are then unchanged.
        """
        factor = learning_rate_factor(step, self.total_steps, self.recipe.warmup_ratio)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * factor * group["lr_scale"]
        batch = self._noted(
            self.engine.compute(step, self.state.token_budget, self.state.num_gradient_groups)
        )
        grad_norm = self._clip_gradients(batch.gradient)
        pending = PendingStep.of(
            step, batch, grad_norm, self.recipe.learning_rate * factor, self.distributed.size
        )
        if not self.reads_late:
            report = pending.report()
            self._require_finite(step, report.loss, report.grad_norm)
        self.engine.scaler.step(self.optimizer)
        self.engine.scaler.update()
        self.engine.publish()
        return pending

    def accumulate_gradients(self, indices: np.ndarray, step: int) -> BatchReport:
        """Set the gradients to those of the mean loss over these training examples, as if the batch of a step."""
        state = self.state
        return self._noted(
            self.engine.compute_batch(indices, step, state.token_budget, state.num_gradient_groups)
        )

    def _noted(self, batch: BatchReport) -> BatchReport:
        """Keep the token budget with which a batch fitted into memory."""
        self.state.token_budget = batch.token_budget
        return batch

    def evaluate(self, split: Split) -> AnyEvaluation:
        """Evaluate the current weights on labelled texts."""
        self.engine.publish_all()
        self.forward.model.eval()
        own = own_micro_batches(
            self.forward, split.encoded, self.state.token_budget, self.distributed, self.stop
        )
        combine = self.distributed.all_reduce_sum
        logits = compute_logits(self.forward, split.encoded, own, self.num_classes, combine=combine)
        return evaluation_of(logits, np.array(split.targets), self.config.multi_label_score)

    @property
    def forward(self) -> Forward:
        """The forward pass, with the weights that compute."""
        return self.engine.planner.forward

    def _clip_gradients(self, gradient: torch.Tensor | None = None) -> torch.Tensor:
        """Clip the gradient to max_grad_norm; return its norm before clipping."""
        self.engine.scaler.unscale_(self.optimizer)
        return clip(self.model, gradient, self.config.max_grad_norm)

    def _require_finite(self, step: int, loss: float, grad_norm: float) -> None:
        # With fp16 an infinite gradient is normal: the scaler skips the step and lowers its scale.
        if math.isfinite(loss) and (math.isfinite(grad_norm) or self.engine.scaler.is_enabled()):
            return
        raise UserError(
            f"Training diverged: at step {step + 1} the loss is {loss} and the gradient's norm {grad_norm}.",
            f"Lower learning_rate (it is {self.recipe.learning_rate:g}), raise warmup_ratio, or use precision=fp32.",
        )

    def _evaluate_if_due(self, progress: Progress) -> bool:
        """Evaluate if it is due at this step and not done yet; return whether it ran."""
        interval = self.config.eval_steps or self.order.steps_per_epoch
        step = self.state.step
        if step == self.state.evaluated_step or (step % interval and step != self.total_steps):
            return False
        self.settle()
        if not len(self.validation.targets):
            self.state.evaluated_step = step
            return True
        started = time.monotonic()
        self._note_evaluation(self.evaluate(self.validation))
        progress.exclude(time.monotonic() - started)
        return True

    def _note_evaluation(self, result: AnyEvaluation) -> None:
        """Record and log an evaluation; copy the weights if they are the best so far."""
        score, state = result.score(self.positive), self.state
        state.evaluated_step = state.step
        self.last_result = result
        self.history.note_evaluation(state.step, result.loss, result.main_score, result.macro_f1)
        state.evaluations_since_best += 1
        if state.best_score is None or (score, -result.loss) > (state.best_score, -(state.best_loss or 0.0)):
            state.best_score, state.best_loss, state.best_step = score, result.loss, state.step
            state.evaluations_since_best = 0
            if self.distributed.is_first:
                self.best_weights = copies(self.model.state_dict())
            self.best_result = result
        self._lines.log(state, result, is_last=self.is_finished)
        if self.is_out_of_patience:
            logger.info("no improvement for %d evaluation(s): stopping early", state.evaluations_since_best)

    def release(self) -> None:
        """Free what only training needs; the weights can still be evaluated and exported."""
        self.optimizer.state.clear()
        self.optimizer.zero_grad(set_to_none=True)

    def use_best_weights(self) -> None:
        """Load the best weights so far, if any; only the first rank has them."""
        if self.best_weights:
            self.model.load_state_dict(self.best_weights)
