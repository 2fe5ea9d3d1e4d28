"""The last lines of a run: how good the model is, what it confuses most, where the report is, what comes next."""

import logging
import time
from typing import Any

from bert_classifier.evaluation.any_headline import AnyHeadline, any_headline, commonest_mistake
from bert_classifier.evaluation.assessment import AnyResult
from bert_classifier.evaluation.multi_label.promises import precision_kept
from bert_classifier.evaluation.multi_label.result import MultiLabelResult
from bert_classifier.evaluation.outputs import REPORT
from bert_classifier.evaluation.promise import promise_kept
from bert_classifier.job.environment import Environment
from bert_classifier.log import CLOSING
from bert_classifier.training.floor import floor_of
from bert_classifier.training.prepare import PreparedData
from bert_classifier.training.trainer import Trainer

logger = logging.getLogger(__name__)


def log_closing(
    environment: Environment,
    prepared: PreparedData,
    evaluation: AnyResult,
    trainer: Trainer,
    started: float,
) -> None:
    """Log what a person wants to know at the end of a run, a sentence per line.

    Args:
        started: time.monotonic() at the start of the job.
    """
    logger.info("done in %.0f s: %s", time.monotonic() - started, environment.shown(environment.model_dir))
    told = _headline(environment, prepared, evaluation, trainer)
    mistake = commonest_mistake(evaluation, prepared.labels)
    lines = (told.sentence, told.comparison, _promise(evaluation), mistake, *_where_next(environment))
    for line in filter(None, lines):
        logger.info("%s", line, extra=CLOSING)


def log_so_far(
    environment: Environment, prepared: PreparedData, evaluation: AnyResult | None, trainer: Trainer
) -> None:
    """Log where the model of a stopped run is, and how good it is so far, if that is known."""
    logger.info("%s is in %s", _what_so_far(trainer), environment.shown(environment.model_dir))
    if evaluation:
        logger.info("%s", _headline(environment, prepared, evaluation, trainer).sentence, extra=CLOSING)


def _what_so_far(trainer: Trainer) -> str:
    if trainer.state.step:
        return "the model so far"
    if trainer.config.head_init == "logistic_regression":
        return "a model without fine-tuning (no step was done; its head is the logistic regression that it starts from)"
    return "an untrained model (no step was done: it answers at random)"


def quality_facts(
    environment: Environment, prepared: PreparedData, evaluation: AnyResult | None, trainer: Trainer
) -> dict[str, Any]:
    """Return the fields of training.json on the floor and on how good the model is, as far as both are known."""
    floor = floor_of(trainer)
    told = _headline(environment, prepared, evaluation, trainer).text if evaluation else ""
    return {**({"floor": floor.facts} if floor else {}), **({"headline": told} if told else {})}


def _headline(
    environment: Environment, prepared: PreparedData, evaluation: AnyResult, trainer: Trainer
) -> AnyHeadline:
    validated = evaluation.cross_validation if evaluation.channel == "validation" else None
    return any_headline(
        evaluation,
        labels=prepared.labels,
        positive=prepared.positive,
        is_held_out="validation" not in environment.channels,
        folds=validated.folds if validated else 0,
        seeds=evaluation.seeds,
        floor=floor_of(trainer),
    )


def _promise(evaluation: AnyResult) -> str:
    """Return whether what was promised holds on test; "" without a promise or a test channel."""
    if evaluation.guarantee is None or evaluation.channel != "test":
        return ""
    if isinstance(evaluation, MultiLabelResult):
        return precision_kept(evaluation.guarantee.target, evaluation.predictions("test"), evaluation.labels)
    promised = evaluation.guarantee
    if promised.threshold is None:
        return ""
    answered, right = evaluation.curve("test").at(promised.threshold)
    return promise_kept(promised.target, right, answered, evaluation.results["test"].count)


def _where_next(environment: Environment) -> list[str]:
    report = environment.output_dir / REPORT
    if environment.job_name:
        return [
            f"Report: {REPORT} in output.tar.gz, which SageMaker puts beside model.tar.gz.",
            f"Next: make deploy JOB={environment.job_name} ROLE=…",
        ]
    found = [f"Report: {environment.shown(report)}"] if report.exists() else []
    if environment.shown_root:
        return found  # make train-local says what comes next
    return [*found, f"Next: serve, where {environment.model_dir} is this folder."]
