"""Log and write the reports at the end of a run."""

import functools
import logging
from collections.abc import Mapping
from typing import Any

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.artifact.contents import TRAINING_INFO
from bert_classifier.data.class_words import ClassWords
from bert_classifier.evaluation.assessment import AnyResult
from bert_classifier.evaluation.explain import explained
from bert_classifier.evaluation.multi_label.result import MultiLabelResult
from bert_classifier.evaluation.outputs import remove_outputs, write_outputs
from bert_classifier.evaluation.report.any_context import context_for
from bert_classifier.evaluation.report.context import LearningCurve, PageContext
from bert_classifier.evaluation.several_runs import SeedScores
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.job.json_files import write_json
from bert_classifier.training.floor import floor_of
from bert_classifier.training.prepare import PreparedData
from bert_classifier.training.progress import log_metrics
from bert_classifier.training.report_facts import facts_of
from bert_classifier.training.trainer import Trainer

logger = logging.getLogger(__name__)


def log_scores(evaluation: AnyResult) -> None:
    """Log one metric line per channel."""
    for name, scores in evaluation.summaries.items():
        log_metrics({f"{name}_{key}": value for key, value in scores.items()})


def write_reports(
    environment: Environment,
    prepared: PreparedData,
    trainer: Trainer,
    evaluation: AnyResult,
    info: Mapping[str, Any],
    config: TrainConfig,
    seeds: SeedScores | None = None,
) -> None:
    """Write evaluation.json, tables and report.html for the test channel, or else for validation; copy training.json.

    A failure is only a warning: the model is already saved, and a failed job would lose it.

    Args:
        info: training.json.
        config: of the job.
        seeds: scores of the job's seeds; None if it has one.
    """
    history = trainer.history
    try:
        page = PageContext(
            title=environment.job_name or "Training report",
            labels=prepared.labels,
            evaluation=evaluation,
            records=prepared.records[evaluation.channel](),
            curve=LearningCurve(
                history.training_losses(),
                history.evaluations,
                info["kept_step"],
                history.learning_rate_curve(),
                history.gradient_norm_curve(),
                "micro-F1" if isinstance(evaluation, MultiLabelResult) else "accuracy",
            ),
            data=prepared.data_report,
            understood=prepared.data_report.get("understood", {}),
            facts=facts_of(config, environment, prepared, trainer, info),
            warnings=info["warnings"],
            seeds=seeds,
            throughput=history.throughput(),
            words=ClassWords.from_json(prepared.words) if prepared.words else None,
            is_held_out="validation" not in environment.channels and not config.cross_validation,
        )
        context = context_for(page, prepared.positive, floor_of(trainer))
        if evaluation.channel != "validation" or evaluation.cross_validation is None:
            # The mistakes of a cross-validation are not the exported model's.
            context = explained(context, functools.partial(load_artifact, environment.model_dir))
        write_outputs(environment.output_dir, context)
        write_json(
            environment.output_dir / TRAINING_INFO, info
        )  # what the registry shows, without the weights
    except Exception as error:  # noqa: BLE001 - the model must not be lost for a report
        logger.warning(
            "the reports in %s are incomplete (%s: %s); the model is saved",
            environment.output_dir,
            type(error).__name__,
            error,
        )


def remove_reports(environment: Environment) -> None:
    """Remove the reports of the model that is being replaced."""
    try:
        remove_outputs(environment.output_dir)
        (environment.output_dir / TRAINING_INFO).unlink(missing_ok=True)
    except OSError as error:
        logger.warning("old reports in %s cannot be removed: %s", environment.output_dir, error)
