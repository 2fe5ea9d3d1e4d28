"""The `train` program: check the job before importing anything heavy, run it, report how it ended."""

import functools
import logging
import time
from collections.abc import MutableMapping
from pathlib import Path

from bert_classifier import log
from bert_classifier.data.forecast import require_room
from bert_classifier.data.job_files import check_files
from bert_classifier.errors import exit_code_of, failure_text
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment, clear_failure, ml_root, write_failure
from bert_classifier.job.terminal import is_watched, use_terminal
from bert_classifier.training.failures import classify_error, log_failure
from bert_classifier.training.signals import STOPPED_EXIT_CODE, Stopped, StopSignal, signal_name
from bert_classifier.training.temp_folder import temp_folder

logger = logging.getLogger(__name__)


def main(environ: MutableMapping[str, str]) -> int:
    """Run the training job that /opt/ml describes.

    Args:
        environ: the process's environment; ML_ROOT moves /opt/ml elsewhere.
    Returns:
        the exit code: 0 done, 1 a bug, 2 a user error, 3 a platform error, 143 stopped by a signal.
    """
    started = time.monotonic()
    use_terminal(environ)
    log.configure(is_watched=is_watched())
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
        failure = classify_error(error)
        log_failure(failure)
        write_failure(root, failure_text(failure))
        return exit_code_of(failure)
    return 0


def _train(root: Path, environ: MutableMapping[str, str], stop: StopSignal, started: float) -> None:
    environment = Environment.read(root, environ)
    config = TrainConfig.from_hyperparameters(environment.hyperparameters)
    if config.logging_steps:
        log.show_metrics()
    environment.prepare_outputs()
    check_files(config, environment)
    require_room(config, environment)
    if not environment.job_name:
        # On a shared machine, waiting threads must sleep: if they spin, one busy core slows training down ten
        # times. OpenMP reads this when torch is loaded.
        environ.setdefault("GOMP_SPINCOUNT", "1000")
    if config.is_reproducible("cuda"):
        environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it, cuBLAS may add in any order
    # These import torch, so only after the checks above.
    from bert_classifier.training.cluster import RankPlan
    from bert_classifier.training.device import check_devices
    from bert_classifier.training.distributed import DistributedContext
    from bert_classifier.training.prepare import prepare
    from bert_classifier.training.ranks import run_ranks
    from bert_classifier.training.worker import run

    plan = RankPlan.of(config, environment, environ)
    check_devices(config.precision, plan.per_host)
    with temp_folder() as folder:
        environ.setdefault("MPLCONFIGDIR", str(folder))  # matplotlib's cache
        prepared = functools.partial(prepare, config, environment, stop, folder)
        if plan.size == 1:
            run(config, environment, prepared(), stop, DistributedContext(), started)
        else:
            run_ranks(plan, prepared, folder, started, environ, stop)
