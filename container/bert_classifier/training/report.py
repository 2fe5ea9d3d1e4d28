"""The reports of a run: what is known of it by its end, written beside the artifact."""

import logging
from collections.abc import Mapping
from typing import Any

from bert_classifier.artifact.provenance import encoder_facts
from bert_classifier.evaluation.assessment import Assessment
from bert_classifier.evaluation.outputs import remove_outputs, write_outputs
from bert_classifier.evaluation.report.context import LearningCurve, Subject
from bert_classifier.job.environment import Environment
from bert_classifier.training.kept import KeptWeights
from bert_classifier.training.metrics import metric_line
from bert_classifier.training.prepare import Prepared
from bert_classifier.training.trainer import Trainer

logger = logging.getLogger(__name__)


def log_scores(assessment: Assessment) -> None:
    """Log the headline numbers of each channel, on a line of its own."""
    for name, scores in assessment.summaries.items():
        logger.info("%s", metric_line({f"{name}_{key}": value for key, value in scores.items()}))


def write_reports(
    environment: Environment,
    prepared: Prepared,
    trainer: Trainer,
    assessment: Assessment,
    info: Mapping[str, Any],
) -> None:
    """Write evaluation.json, the tables and report.html of the test channel, or else of the validation channel.

    Whatever goes wrong is told as a warning: the model is trained and saved by now, and a job that fails would lose it.

    Args:
        info: what training.json says of the run.
    """
    try:
        subject = Subject(
            title=environment.job_name or "Training report",
            labels=prepared.labels,
            positive=prepared.positive,
            assessment=assessment,
            rows=prepared.rows[assessment.channel](),
            curve=_curve(trainer),
            data=prepared.data_report,
            facts=_facts(trainer, info),
            warnings=info["warnings"],
        )
        write_outputs(environment.output_dir, subject)
    except Exception as error:  # noqa: BLE001 - the model must not be lost for a report
        logger.warning(
            "the reports in %s are not complete (%s: %s); the model is saved all the same",
            environment.output_dir,
            type(error).__name__,
            error,
        )


def remove_reports(environment: Environment) -> None:
    """Remove the reports of an earlier run in the same folder: they are about the model that is being replaced."""
    try:
        remove_outputs(environment.output_dir)
    except OSError as error:
        logger.warning("reports of an earlier run stay in %s: %s", environment.output_dir, error)


def _curve(trainer: Trainer) -> LearningCurve:
    history = trainer.history
    return LearningCurve(history.training_losses(), history.evaluations, KeptWeights(trainer).step)


def _facts(trainer: Trainer, info: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    lives = info["lives"]
    seconds = trainer.history.seconds
    run = {
        "steps": f"{info['steps']} of {trainer.total_steps}",
        "weights kept": KeptWeights(trainer).description,
        "time spent training": f"{seconds / 60:.0f} minutes" if seconds > 120 else f"{seconds:.0f} seconds",
        "interruptions": max(0, len(lives) - 1),
        **{
            f"life {number}": f"from step {life['from_step']}, {life['ranks']} × {life['device']}"
            f" ({life['instance_type'] or 'no instance type'}), {life['threads']} thread(s)"
            for number, life in enumerate(lives, start=1)
        },
    }
    automatic = info["automatic_hyperparameters"]
    settings = {
        name: f"{value} (automatic)" if name in automatic else value
        for name, value in info["hyperparameters"].items()
        if value not in (None, "")
    }
    encoder = encoder_facts(info["encoder"])
    return {
        "Course": run,
        "Encoder": encoder,
        "Settings": settings,
        "Data": info["data"],
        "Versions": info["versions"],
    }
