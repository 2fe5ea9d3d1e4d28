"""How a process of a job ended, told to people, to SageMaker and to the process that started it."""

import dataclasses
import errno
import json
import logging
from pathlib import Path
from typing import Self

from bert_classifier.errors import ContainerError, PlatformError, UserError, failure_text, remedy_for

logger = logging.getLogger(__name__)

BUG_REMEDY = "This is a bug of the program: please report it with the log of this job."

# What torch and the libraries below it say when memory runs out, as RuntimeErrors of many types: importing torch to
# look at these takes seconds.
_INSTANCE_MEMORY = ("can't allocate memory", "Cannot allocate memory")
_GPU_MEMORY = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "Failed to CUDA ")
_SHARED_MEMORY = "shared memory segment /dev/shm"


class PeerLostError(PlatformError):
    """Another rank is gone, or silent: the consequence of a failure that is told elsewhere.

    Attributes:
        is_timeout: whether the other rank gave no answer in time, as when it is frozen, rather than ended.
    """

    def __init__(self, cause: str, remedy: str, *, is_timeout: bool) -> None:
        super().__init__(cause, remedy)
        self.is_timeout = is_timeout


def classify_error(error: Exception) -> Exception:
    """Return the error as one of ours where its cause is the machine, not the program."""
    if is_shortage(error):
        return _shortage(error)
    if not isinstance(error, OSError):
        return error
    where = f" at {error.filename}" if error.filename else ""
    remedy = remedy_for(error)
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return PlatformError(f"The disk is full{where}.", remedy)
    if error.errno in {errno.EROFS, errno.EIO, errno.ESTALE}:
        return PlatformError(f"A disk fails{where}: {error.strerror}.", remedy)
    if error.errno in {errno.EACCES, errno.EPERM}:
        return PlatformError(f"Access is refused{where}: {error.strerror}.", remedy)
    return error


def is_shortage(error: Exception) -> bool:
    """Say whether memory has run out, on this machine or its GPU: a fault of this process, wherever it was met."""
    return isinstance(error, MemoryError) or _speaks_of(
        error, *_INSTANCE_MEMORY, *_GPU_MEMORY, _SHARED_MEMORY
    )


def _speaks_of(error: Exception, *words: str) -> bool:
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


def _shortage(error: Exception) -> PlatformError:
    if _speaks_of(error, _SHARED_MEMORY):
        return PlatformError(
            "The container's shared memory (/dev/shm) is too small for its GPUs to exchange gradients.",
            "Start the container with more of it, such as docker run --shm-size=8g.",
        )
    if _speaks_of(error, *_GPU_MEMORY) and not _speaks_of(error, *_INSTANCE_MEMORY):
        return PlatformError(
            "The GPU ran out of memory.",
            "Set a smaller max_tokens_per_micro_batch or max_seq_length, or use an instance whose GPU has more memory.",
        )
    return PlatformError(
        "The instance ran out of memory.", "Use a larger instance, or fewer or shorter texts."
    )


def log_failure(error: Exception) -> None:
    """Log one sentence for an error that a person can act on, and the traceback of a bug."""
    if isinstance(error, ContainerError):
        logger.error("%s", failure_text(error))
    else:
        logger.error("%s", failure_text(error), exc_info=error)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one rank ended, as it tells the launcher through a file.

    Attributes:
        stopped: name of the signal on which it stopped; empty when it did not.
        family: of the error on which it failed; empty when it did not.
        is_consequence: whether it failed only because another rank was lost,
        saw_timeout: and that because the other gave no answer.
    """

    stopped: str = ""
    family: str = ""
    cause: str = ""
    remedy: str = ""
    is_consequence: bool = False
    saw_timeout: bool = False

    @classmethod
    def of_failure(cls, error: Exception) -> Self:
        """Return the outcome of a rank that ended with this error."""
        if not isinstance(error, ContainerError):
            return cls("", ContainerError.family, f"{type(error).__name__}: {error}", BUG_REMEDY)
        is_consequence = isinstance(error, PeerLostError)
        saw_timeout = isinstance(error, PeerLostError) and error.is_timeout
        return cls("", error.family, error.cause, error.remedy, is_consequence, saw_timeout)

    def save(self, path: Path) -> None:
        """Write it; a disk that refuses must not hide the failure itself."""
        try:
            path.write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")
        except OSError as error:
            logger.error("cannot write %s: %s", path, error)  # noqa: TRY400 - one sentence, no traceback

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Return what a rank has left; None when it could not."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def error(self, who: str) -> ContainerError:
        """Return the failure as an error of its family, with the rank's name before the cause."""
        kinds = {kind.family: kind for kind in (UserError, PlatformError)}
        return kinds.get(self.family, ContainerError)(f"{who}: {self.cause}", self.remedy)


def outcome_file(folder: Path, local_rank: int) -> Path:
    """Return where a rank leaves its outcome for the launcher."""
    return folder / f"outcome-{local_rank}.json"
