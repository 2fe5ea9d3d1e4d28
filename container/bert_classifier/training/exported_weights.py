"""Which weights of a run are exported: those of its best evaluation, or those of its last step."""

import dataclasses
import logging
from collections.abc import Sequence

from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.job.config import TrainConfig
from bert_classifier.training.progress import metric_line
from bert_classifier.training.trainer import Trainer

logger = logging.getLogger(__name__)

_FEW_TEXTS = 200


@dataclasses.dataclass(frozen=True)
class ExportedWeights:
    """The weights that a run exports, as its trainer stands now.

    A run that was stopped on its way exports its best ones so far, unless keep_weights=last: its present ones have not
    had the whole schedule of the learning rate.
    """

    trainer: Trainer

    @property
    def are_best(self) -> bool:
        """Whether they are those of the best evaluation, not the present ones."""
        config, validation = self.trainer.config, self.trainer.validation
        keeps_best = resolve_keep_weights(config, len(validation.targets)) == "best"
        is_on_its_way = not self.trainer.is_finished and config.keep_weights != "last"
        return self.trainer.state.best_score is not None and (keeps_best or is_on_its_way)

    @property
    def step(self) -> int:
        """The optimizer step that they are of."""
        return self.trainer.state.best_step if self.are_best else self.trainer.state.step

    @property
    def result(self) -> Evaluation | None:
        """What they do on validation; None where that was not seen, or the checkpoint does not say it."""
        if self.are_best:
            return self.trainer.best_result
        is_present = self.trainer.state.evaluated_step == self.trainer.state.step
        return self.trainer.last_result if is_present else None

    def use(self) -> None:
        """Give them to the model; only the first rank has the best ones."""
        if self.are_best:
            self.trainer.use_best_weights()

    @property
    def description(self) -> str:
        """Which they are, in words."""
        which = "best evaluation" if self.are_best else "last step"
        so_far = "" if self.trainer.is_finished else " so far"
        setting = self.trainer.config.keep_weights
        return f"step {self.step} of {self.trainer.total_steps} ({which}{so_far}, keep_weights={setting})"

    def tell(self, result: Evaluation | None = None) -> None:
        """Log which weights the model has, and their scores as the last `eval_…` of the log.

        Metric services and tuning jobs take the last value of a name for the model's.

        Args:
            result: what they do on validation; without it, what the run knows of it.
        """
        logger.info("the model has the weights of %s", self.description)
        result = result or self.result
        scores = self._scores_known() if result is None else (result.loss, result.accuracy, result.macro_f1)
        if scores:
            told = dict(zip(("eval_loss", "eval_accuracy", "eval_macro_f1"), scores, strict=False))
            logger.info("%s", metric_line({"kept_step": self.step, **told}))

    def _scores_known(self) -> Sequence[float]:
        """Return loss, accuracy and macro F1 as far as the checkpoint holds them."""
        state = self.trainer.state
        known = _scores_at(self.step, self.trainer.history.evaluations)
        if known or not self.are_best or state.best_score is None or state.best_loss is None:
            return known
        is_accuracy = self.trainer.positive is None  # else it is an F1, and the accuracy is not known
        return [state.best_loss, state.best_score] if is_accuracy else [state.best_loss]


def _scores_at(step: int, evaluations: Sequence[Sequence[float]]) -> Sequence[float]:
    """Return loss, accuracy and macro F1 of an evaluation; nothing where a long history has dropped it."""
    return next((scores for at, *scores in evaluations if at == step), [])


def resolve_keep_weights(config: TrainConfig, num_validation_texts: int) -> str:
    """Return which weights a finished run exports, "best" or "last".

    `auto` keeps the last ones where validation has fewer than 200 texts: the highest of many scores on so few is
    mostly luck, and the last weights have had the whole schedule. With early stopping the last ones are those that no
    longer got better: the best ones are kept.
    """
    if config.keep_weights != "auto":
        return config.keep_weights
    is_small = num_validation_texts < _FEW_TEXTS
    return "last" if is_small and not config.early_stopping_patience else "best"
