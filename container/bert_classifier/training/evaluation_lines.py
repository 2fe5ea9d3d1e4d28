"""The lines of an evaluation during training: for metric services, and for a person at a terminal."""

import logging

from bert_classifier.evaluation.headline import percent
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.job.wording import counted
from bert_classifier.log import PEOPLE
from bert_classifier.training.progress import log_metrics
from bert_classifier.training.train_state import TrainState

logger = logging.getLogger(__name__)


def log_evaluation(
    state: TrainState, result: Evaluation, total_steps: int, positive: int | None, of: str = ""
) -> None:
    """Log an evaluation on validation that the state has taken note of.

    Args:
        of: which training of the job it is about; "" = the only one.
    """
    values = {
        "step": state.step,
        "eval_loss": result.loss,
        "eval_accuracy": result.accuracy,
        "eval_macro_f1": result.macro_f1,
        "best_step": state.best_step,
    }
    log_metrics(values, of)
    words = in_words(state, result, total_steps, positive)
    logger.info("%s", f"{of}, {words}" if of else words, extra=PEOPLE)


def in_words(state: TrainState, result: Evaluation, total_steps: int, positive: int | None) -> str:
    """Return how good the weights of a step are, and whether they are the best so far."""
    best = "best so far" if state.best_step == state.step else f"the best is step {state.best_step}"
    f1 = "" if positive is None else f", F1 of the positive class {result.score(positive):.2f}"
    right = percent(int(result.confusion.trace()), result.count)
    return (
        f"step {state.step} of {total_steps}: {right} of {counted(result.count, 'validation text')} right{f1},"
        f" loss {result.loss:.2f} ({best})"
    )
