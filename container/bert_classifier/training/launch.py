"""The `train` program: checks the job before anything heavy is imported, runs it, reports how it ended."""

import errno
import logging
from collections.abc import MutableMapping
from pathlib import Path

from bert_classifier import log
from bert_classifier.config import TrainConfig
from bert_classifier.environment import Environment, clear_failure, ml_root, write_failure
from bert_classifier.errors import ContainerError, PlatformError, exit_code_of, failure_text
from bert_classifier.training.signals import STOPPED_EXIT_CODE, Stopped, StopSignal

logger = logging.getLogger(__name__)

# Torch has no type of error for this on the CPU, and importing it for the one on a GPU takes seconds.
_TORCH_OUT_OF_MEMORY = ("can't allocate memory", "out of memory")


def main(environ: MutableMapping[str, str]) -> int:
    """Run the training job that /opt/ml describes.

    Args:
        environ: the process' environment; ML_ROOT moves /opt/ml elsewhere.
    Returns:
        the exit code: 0 done, 1 a bug, 2 yours to fix, 3 the platform's, 143 told to stop.
    """
    log.configure()
    stop = StopSignal()
    stop.listen()
    root = ml_root(environ)
    clear_failure(root)
    try:
        _train(root, environ, stop)
    except (Stopped, KeyboardInterrupt) as stopped:
        logger.info("stopped by %s", str(stopped) or stop.received)
        return STOPPED_EXIT_CODE
    except Exception as error:  # noqa: BLE001 - the program's boundary: every failure becomes a code and a text
        return _report_failure(root, error)
    return 0


def _train(root: Path, environ: MutableMapping[str, str], stop: StopSignal) -> None:
    environment = Environment.read(root, environ)
    config = TrainConfig.from_hyperparameters(environment.hyperparameters)
    environment.prepare_outputs()
    if not environment.job_name:
        # On a machine that does other things too, threads that wait must sleep: while they spin, one busy
        # core makes training ten times slower. Read when torch is loaded.
        environ.setdefault("GOMP_SPINCOUNT", "1000")
    from bert_classifier.training.worker import run  # imports torch: not before the job is known to be sound

    run(config, environment, stop)


def _report_failure(root: Path, error: Exception) -> int:
    """Log a failure and write it where SageMaker looks for it; return the exit code."""
    told = _in_families(error)
    text = failure_text(told)
    if isinstance(told, ContainerError):
        logger.error("%s", text)
    else:
        logger.error("%s", text, exc_info=told)
    write_failure(root, text)
    return exit_code_of(told)


def _is_torch_out_of_memory(error: Exception) -> bool:
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _TORCH_OUT_OF_MEMORY)


def _in_families(error: Exception) -> Exception:
    """Return the error as one of ours where its cause is the machine, not the program."""
    if isinstance(error, MemoryError) or _is_torch_out_of_memory(error):
        return PlatformError(
            "The instance ran out of memory.", "Use a larger instance, or fewer or shorter texts."
        )
    if not isinstance(error, OSError):
        return error
    where = f" at {error.filename}" if error.filename else ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return PlatformError(f"The disk is full{where}.", "Give the job a larger volume (volume_size).")
    if error.errno in {errno.EROFS, errno.EIO, errno.ESTALE}:
        return PlatformError(f"A disk fails{where}: {error.strerror}.", "Check the mounts and start again.")
    return error
