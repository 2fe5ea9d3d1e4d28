"""Which weights of a run are exported: those of its best evaluation, or those of its last step."""

import dataclasses
import logging

from bert_classifier.evaluation.evaluation_of import AnyEvaluation
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.task import Task
from bert_classifier.training.progress import log_metrics
from bert_classifier.training.trainer import Trainer

logger = logging.getLogger(__name__)

_FEW_TEXTS = 200


@dataclasses.dataclass(frozen=True)
class ExportedWeights:
    """The weights that a run exports, given the current state of its trainer.

    An unfinished run exports its best weights so far, unless keep_weights=last: its current ones have not had the whole
    learning rate schedule.
    """

    trainer: Trainer

    @property
    def are_best(self) -> bool:
        """Whether the best evaluation's weights are exported, not the current ones."""
        config, validation = self.trainer.config, self.trainer.validation
        keeps_best = resolve_keep_weights(config, len(validation.targets)) == "best"
        is_unfinished = not self.trainer.is_finished and config.keep_weights != "last"
        return self.trainer.state.best_score is not None and (keeps_best or is_unfinished)

    @property
    def step(self) -> int:
        """Their optimizer step."""
        return self.trainer.state.best_step if self.are_best else self.trainer.state.step

    @property
    def result(self) -> AnyEvaluation | None:
        """Their evaluation on validation; None if there was none, or if an early checkpoint lacks it."""
        if self.are_best:
            return self.trainer.best_result
        is_evaluated = self.trainer.state.evaluated_step == self.trainer.state.step
        return self.trainer.last_result if is_evaluated else None

    def load(self) -> None:
        """Load them into the model; only the first rank has the best ones."""
        if self.are_best:
            self.trainer.use_best_weights()

    @property
    def description(self) -> str:
        """Which weights they are, in words."""
        which = "best evaluation" if self.are_best else "last step"
        so_far = "" if self.trainer.is_finished else " so far"
        setting = self.trainer.config.keep_weights
        return f"step {self.step} of {self.trainer.total_steps} ({which}{so_far}, keep_weights={setting})"

    def log(self, result: AnyEvaluation | None = None) -> None:
        """Log which weights the model has, and their scores on validation.

        These are the last `eval_…` values of the log: metric services and tuning jobs take the last value of a name.

        Args:
            result: their evaluation on validation; by default, the recorded one.
        """
        logger.info("the model has the weights of %s", self.description)
        result = result or self.result
        scores = self._recorded_scores() if result is None else result.logged
        if scores:
            log_metrics({"kept_step": self.step, **scores})

    def _recorded_scores(self) -> dict[str, float]:
        """Return the scores that the learning curve has of their step."""
        is_multi = Task.of(self.trainer.train.targets) is Task.MULTI
        names = ("eval_loss", "eval_micro_f1" if is_multi else "eval_accuracy", "eval_macro_f1")
        evaluations = self.trainer.history.evaluations
        scores = next((scores for step, *scores in evaluations if step == self.step), None)
        return {} if scores is None else dict(zip(names, scores, strict=True))


def resolve_keep_weights(config: TrainConfig, num_validation_texts: int) -> str:
    """Return which weights a finished run exports, "best" or "last".

    `auto` means the last ones if validation has fewer than 200 texts: the highest of many scores on so few texts is
    mostly luck, and the last weights have had the whole schedule. With early stopping, it means the best ones: the
    last ones no longer improved.
    """
    if config.keep_weights != "auto":
        return config.keep_weights
    is_small = num_validation_texts < _FEW_TEXTS
    return "last" if is_small and not config.early_stopping_patience else "best"
