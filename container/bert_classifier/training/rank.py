"""The program of one rank, started by `ranks`: `python -m bert_classifier.training.rank FOLDER STARTED LAUNCHER`."""

import ctypes
import faulthandler
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from bert_classifier import log
from bert_classifier.errors import exit_code_of
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment, ml_root
from bert_classifier.job.terminal import is_watched, use_terminal
from bert_classifier.modeling.gpus import start_gpu
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.failures import Outcome, classify_error, log_failure, outcome_file
from bert_classifier.training.prepare import PreparedData
from bert_classifier.training.signals import DUMP_STACKS, Stopped, StopSignal
from bert_classifier.training.worker import run

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> NoReturn:
    """Run this process as one rank."""
    status = run_rank(os.environ, sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)  # not sys.exit: destructors of process groups may wait for lost ranks


def run_rank(environ: Mapping[str, str], arguments: Sequence[str]) -> int:
    """Run one rank of the job that /opt/ml describes; write its outcome into FOLDER.

    Args:
        environ: with RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT.
        arguments: FOLDER for the prepared data; STARTED, time.monotonic() at the start of the job; LAUNCHER, the id
            of the process that this one must not outlive.
    Returns:
        0 when the job is done or was stopped, else the exit code of the failure.
    """
    folder, started = Path(arguments[0]), float(arguments[1])
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    distributed = DistributedContext(*(int(environ[name]) for name in names))
    use_terminal(environ)
    log.configure(
        "INFO" if distributed.is_first else "ERROR",
        prefix="" if distributed.is_first else f"[rank {distributed.rank}] ",
        is_watched=is_watched(),
    )
    stop = _listen(int(arguments[2]))
    outcome, code = Outcome(), 0
    try:
        environment = Environment.read(ml_root(environ), environ)
        config = TrainConfig.from_hyperparameters(environment.hyperparameters)
        if config.logging_steps:
            log.show_metrics()
        start_gpu(distributed.local_rank)
        prepared = PreparedData.wait_for(folder)
        distributed.join(config.peer_timeout_seconds)
        run(config, environment, prepared, stop, distributed, started)
    except Stopped as stopped:
        outcome = Outcome(stopped=str(stopped))
    except Exception as error:  # noqa: BLE001 - the program's boundary: every failure becomes an outcome
        failure = classify_error(error)
        outcome, code = Outcome.of_failure(failure), exit_code_of(failure)
        if not outcome.is_consequence:
            log_failure(failure)
    outcome.save(outcome_file(folder, distributed.local_rank))
    return code


def _listen(launcher: int) -> StopSignal:
    """Handle the launcher's signals, unblock SIGTERM, and die with the launcher even if it is killed."""
    stop = StopSignal()
    stop.listen([signal.SIGTERM])
    faulthandler.register(DUMP_STACKS)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launcher:
        os._exit(1)
    return stop


if __name__ == "__main__":
    main()
