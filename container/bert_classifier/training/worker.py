"""One rank's work: train the job's models, evaluate and export the best, report."""

from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.modeling.hub import note_commit
from bert_classifier.modeling.pretrained import quiet_transformers
from bert_classifier.training.closing import log_closing
from bert_classifier.training.cross_validation import CrossValidationSeries
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.opening import Opener
from bert_classifier.training.prepare import PreparedData
from bert_classifier.training.seeds import SeedSeries
from bert_classifier.training.series import Series, SingleTraining
from bert_classifier.training.signals import Stopped, StopSignal


def run(
    config: TrainConfig,
    environment: Environment,
    prepared: PreparedData,
    stop: StopSignal,
    distributed: DistributedContext,
    started: float,
) -> None:
    """Train one model, or several to choose or judge one, on all ranks; the first one writes the files.

    Args:
        started: time.monotonic() at the start of the job.
    Raises:
        UserError: for invalid data, settings or checkpoints.
        PlatformError: when the artifact cannot be written or read back, or another rank is lost.
        Stopped: after a stop signal; a checkpoint and the model so far are then saved.
    """
    quiet_transformers()
    note_commit(config.model_name, config.revision, prepared.commit)
    config = prepared.resolved(config)
    series = _series(Opener(config, environment, prepared, stop, distributed, started))
    job = None
    try:
        job = series.train()
        job.evaluate()
    except Stopped:
        if distributed.is_first:
            _finish_early(series)
        raise
    if distributed.is_first:
        evaluation = job.assess()
        assert evaluation is not None, "validation is done"
        job.measure_precisions(evaluation)
        job.export(evaluation)
        job.verify_artifact()
        job.report(evaluation)
        log_closing(environment, job.prepared, evaluation, job.trainer, started)
    distributed.leave()


def _series(opener: Opener) -> Series:
    if opener.config.cross_validation:
        return CrossValidationSeries(opener)
    return SeedSeries(opener) if opener.config.seeds > 1 else SingleTraining(opener)


def _finish_early(series: Series) -> None:
    """Save a checkpoint, and export the model so far."""
    try:
        series.save()
    finally:  # even if saving fails
        job = series.so_far()
        if job is not None:
            job.export_early()
