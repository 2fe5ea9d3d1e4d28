"""The `train` program: checks the job before anything heavy is imported, runs it, reports how it ended."""

import logging
import time
from collections.abc import MutableMapping
from pathlib import Path

from bert_classifier import log
from bert_classifier.data.job_files import check_files
from bert_classifier.errors import exit_code_of, failure_text
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment, clear_failure, ml_root, write_failure
from bert_classifier.training.failures import classify_error, log_failure
from bert_classifier.training.signals import STOPPED_EXIT_CODE, Stopped, StopSignal, signal_name
from bert_classifier.training.temp_folder import temp_folder

logger = logging.getLogger(__name__)


def main(environ: MutableMapping[str, str]) -> int:
    """Run the training job that /opt/ml describes.

    Args:
        environ: the process' environment; ML_ROOT moves /opt/ml elsewhere.
    Returns:
        the exit code: 0 done, 1 a bug, 2 yours to fix, 3 the platform's, 143 told to stop.
    """
    started = time.monotonic()
    log.configure()
    stop = StopSignal()
    stop.listen()
    root = ml_root(environ)
    clear_failure(root)
    try:
        _train(root, environ, stop, started)
    except (Stopped, KeyboardInterrupt) as stopped:
        logger.info("stopped by %s", str(stopped) or signal_name(stop.number))
        return STOPPED_EXIT_CODE
    except Exception as error:  # noqa: BLE001 - the program's boundary: every failure becomes a code and a text
        told = classify_error(error)
        log_failure(told)
        write_failure(root, failure_text(told))
        return exit_code_of(told)
    return 0


def _train(root: Path, environ: MutableMapping[str, str], stop: StopSignal, started: float) -> None:
    environment = Environment.read(root, environ)
    config = TrainConfig.from_hyperparameters(environment.hyperparameters)
    environment.prepare_outputs()
    check_files(config, environment)
    if not environment.job_name:
        # On a machine that does other things too, threads that wait must sleep: while they spin, one busy
        # core makes training ten times slower. Read when torch is loaded.
        environ.setdefault("GOMP_SPINCOUNT", "1000")
    # These import torch: not before the job is known to be sound.
    from bert_classifier.training.cluster import RankPlan
    from bert_classifier.training.device import check_devices
    from bert_classifier.training.distributed import DistributedContext
    from bert_classifier.training.prepare import prepare
    from bert_classifier.training.ranks import run_ranks
    from bert_classifier.training.worker import run

    plan = RankPlan.of(config, environment, environ)
    check_devices(config.precision, plan.per_host)
    with temp_folder() as folder:
        environ.setdefault("MPLCONFIGDIR", str(folder))  # the report's plots write a cache: not into a home
        prepared = prepare(config, environment, stop, folder)
        if plan.size == 1:
            run(config, environment, prepared, stop, DistributedContext(), started)
            return
        with stop.immediately():
            prepared.save(folder)
        del prepared  # the ranks map it
        run_ranks(plan, folder, started, environ, stop)
