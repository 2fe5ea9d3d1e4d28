"""The lines of an evaluation during training: for metric services, and for a person at a terminal."""

import logging
import time

from bert_classifier.evaluation.evaluation_of import AnyEvaluation
from bert_classifier.evaluation.headline import FEW_TEXTS, percent
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation
from bert_classifier.job.wording import counted
from bert_classifier.log import PEOPLE
from bert_classifier.training.progress import LOG_INTERVAL_SECONDS, log_metrics
from bert_classifier.training.train_state import TrainState

logger = logging.getLogger(__name__)


_LEAST_PROGRESS = 0.05  # of the steps, between two lines for people


class EvaluationLines:
    """Logs evaluations on validation: each for metric services, for people not one per step.

    A person gets a line after a twentieth of the steps or LOG_INTERVAL_SECONDS, and the first and the last evaluation.

    Args:
        of: which training of the job it is about; "" = the only one.
    """

    def __init__(self, total_steps: int, positive: int | None, of: str = "") -> None:
        self._total = total_steps
        self._positive = positive
        self._of = of
        self._told: tuple[int, float] | None = None  # step and time of the last line for people

    def log(self, state: TrainState, result: AnyEvaluation, *, is_last: bool) -> None:
        """Log an evaluation that the state has taken note of."""
        values = {
            "step": state.step,
            **result.logged,
            "best_step": state.best_step,
        }
        log_metrics(values, self._of)
        if is_last or self._is_due(state.step):
            self._told = state.step, time.monotonic()
            words = in_words(state, result, self._total, self._positive)
            logger.info("%s", f"{self._of}, {words}" if self._of else words, extra=PEOPLE)

    def _is_due(self, step: int) -> bool:
        if self._told is None:
            return True
        told_step, told_at = self._told
        is_later = time.monotonic() - told_at >= LOG_INTERVAL_SECONDS
        return is_later or step - told_step >= _LEAST_PROGRESS * self._total


def in_words(state: TrainState, result: AnyEvaluation, total_steps: int, positive: int | None) -> str:
    """Return how good the weights of a step are, and whether they are the best so far."""
    best = "best so far" if state.best_step == state.step else f"the best is step {state.best_step}"
    return (
        f"step {state.step} of {total_steps}: {_how_good(result, positive)}, loss {result.loss:.2f} ({best})"
    )


def _how_good(result: AnyEvaluation, positive: int | None) -> str:
    texts = counted(result.count, "validation text")
    if isinstance(result, MultiLabelEvaluation):
        return f"micro-F1 {result.micro_f1:.3f} on {texts}, {result.subset_accuracy:.0%} without any mistake"
    f1 = "" if positive is None else f", F1 of the positive class {result.score(positive):.2f}"
    right = int(result.confusion.trace())
    share = percent(right, result.count) if result.count >= FEW_TEXTS else f"{right:,}"
    return f"{share} of {texts} right{f1}"
