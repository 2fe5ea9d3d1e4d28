"""Classify the failure of a process, log it and pass it to the launcher."""

import dataclasses
import errno
import json
import logging
import traceback
from pathlib import Path
from typing import Self

from bert_classifier.errors import (
    BUG_REMEDY,
    ContainerError,
    PlatformError,
    UserError,
    failure_text,
    remedy_for,
)

logger = logging.getLogger(__name__)

# Messages of torch and its libraries when memory runs out. Comparing exception types would need torch, whose import
# takes seconds.
_INSTANCE_MEMORY = ("can't allocate memory", "Cannot allocate memory")
_GPU_MEMORY = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "Failed to CUDA ")
_SHARED_MEMORY = "shared memory segment /dev/shm"
# Messages of torch after torch.use_deterministic_algorithms(True).
_NO_DETERMINISTIC_KERNEL = " does not have a deterministic implementation"
_NO_DETERMINISTIC_CUBLAS = "CUBLAS_WORKSPACE_CONFIG=:4096:8"
# The message of torch.AcceleratorError and of failed calls of cuBLAS. Some are a mistake in a call, not of the GPU.
_CUDA_ERROR = "CUDA error: "
_MISTAKEN_CALLS = (
    "device-side assert", "invalid argument", "invalid configuration", "invalid device", "invalid resource handle",
    "CUBLAS_STATUS_INVALID_VALUE", "CUBLAS_STATUS_NOT_SUPPORTED",
)  # fmt: skip
_NOT_REPRODUCIBLE = "set reproducible=false and leave num_gradient_groups out"


class PeerLostError(PlatformError):
    """Another rank has ended or hangs: the consequence of a failure that is reported elsewhere.

    Attributes:
        is_timeout: whether the other rank hangs rather than having ended.
    """

    def __init__(self, cause: str, remedy: str, *, is_timeout: bool) -> None:
        super().__init__(cause, remedy)
        self.is_timeout = is_timeout


def classify_error(error: Exception) -> Exception:
    """Return a PlatformError for an error of the machine, a UserError for one of the encoder, and others unchanged."""
    if isinstance(error, PeerLostError):
        return _gpu_error(error.__cause__) or error
    if is_out_of_memory(error):
        return _out_of_memory_error(error)
    if not isinstance(error, OSError):
        return _gpu_error(error) or _reproducibility_error(error) or _encoder_error(error) or error
    return _classify_os_error(error)


def _classify_os_error(error: OSError) -> Exception:
    where = f" at {error.filename}" if error.filename else ""
    remedy = remedy_for(error)
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return PlatformError(f"The disk is full{where}.", remedy)
    if error.errno in {errno.EROFS, errno.EIO, errno.ESTALE}:
        return PlatformError(f"A disk failed{where}: {error.strerror}.", remedy)
    if error.errno in {errno.EACCES, errno.EPERM}:
        return PlatformError(f"Access was denied{where}: {error.strerror}.", remedy)
    return error


def is_out_of_memory(error: Exception) -> bool:
    """Return whether the machine or its GPU has run out of memory."""
    return isinstance(error, MemoryError) or _message_contains(
        error, *_INSTANCE_MEMORY, *_GPU_MEMORY, _SHARED_MEMORY
    )


def _message_contains(error: BaseException | None, *words: str) -> bool:
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


def _out_of_memory_error(error: Exception) -> PlatformError:
    if _message_contains(error, _SHARED_MEMORY):
        return PlatformError(
            "The container's shared memory (/dev/shm) is too small for its GPUs to exchange gradients.",
            "Start the container with more of it, such as docker run --shm-size=8g.",
        )
    if _message_contains(error, *_GPU_MEMORY) and not _message_contains(error, *_INSTANCE_MEMORY):
        return PlatformError(
            "The GPU ran out of memory.",
            "Set a smaller max_tokens_per_micro_batch or max_seq_length, or use an instance whose GPU has more memory.",
        )
    return PlatformError(
        "The instance ran out of memory.", "Use a larger instance, or fewer or shorter texts."
    )


def _gpu_error(error: BaseException | None) -> PlatformError | None:
    """Return the error for a failure of the GPU or its driver, in CUDA's own words."""
    if not _message_contains(error, _CUDA_ERROR) or _message_contains(error, *_MISTAKEN_CALLS):
        return None
    words, *_ = str(error).partition(_CUDA_ERROR)[2].splitlines()
    return PlatformError(
        f"The GPU failed: {words.rstrip('.')}.",
        "Start the job again, which resumes from its last checkpoint; if it fails again, use another instance.",
    )


def _reproducibility_error(error: Exception) -> UserError | None:
    """Return the error for an operation that a GPU does not compute with the same bits every time."""
    if _message_contains(error, _NO_DETERMINISTIC_KERNEL):
        operation = str(error).partition(_NO_DETERMINISTIC_KERNEL)[0]
        return UserError(
            f"This encoder cannot be trained reproducibly on a GPU, where {operation} has no deterministic kernel.",
            f"Use an instance without a GPU, or {_NOT_REPRODUCIBLE}.",
        )
    if _message_contains(error, _NO_DETERMINISTIC_CUBLAS):
        return UserError(
            "The environment's CUBLAS_WORKSPACE_CONFIG does not let a GPU compute reproducibly.",
            f"Leave it out, set it to :4096:8, or {_NOT_REPRODUCIBLE}.",
        )
    return None


def _encoder_error(error: Exception) -> UserError | None:
    """Return the error for inputs that the encoder's own code refuses, such as X-MOD's without a language."""
    if not isinstance(error, ValueError) or not (frames := list(traceback.walk_tb(error.__traceback__))):
        return None
    module = str(frames[-1][0].f_globals.get("__name__"))
    if not (module.startswith("transformers.models.") and ".modeling_" in module):
        return None
    return UserError(
        f"The encoder cannot compute: {str(error).rstrip('.')}.",
        "Complete the encoder's config.json, or use another encoder.",
    )


def log_failure(error: Exception) -> None:
    """Log a ContainerError without, and a bug with, its traceback."""
    logger.error("%s", failure_text(error), exc_info=None if isinstance(error, ContainerError) else error)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one rank ended, passed to the launcher in a file.

    Attributes:
        stopped: name of the signal that stopped it; empty if none did.
        family: family of the error that ended it; empty if none did.
        is_consequence: whether it failed only because another rank was lost.
        saw_timeout: whether that other rank did not respond in time.
    """

    stopped: str = ""
    family: str = ""
    cause: str = ""
    remedy: str = ""
    is_consequence: bool = False
    saw_timeout: bool = False

    @classmethod
    def of_failure(cls, error: Exception) -> Self:
        """Return the outcome of a rank that failed with this error."""
        if not isinstance(error, ContainerError):
            return cls("", ContainerError.family, f"{type(error).__name__}: {error}", BUG_REMEDY)
        is_consequence = isinstance(error, PeerLostError)
        saw_timeout = isinstance(error, PeerLostError) and error.is_timeout
        return cls("", error.family, error.cause, error.remedy, is_consequence, saw_timeout)

    def save(self, path: Path) -> None:
        """Write the outcome. A disk error is only logged: it must not hide the failure itself."""
        try:
            path.write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")
        except OSError as error:
            logger.error("cannot write %s: %s", path, error)  # noqa: TRY400 - one sentence, no traceback

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Return the outcome that a rank wrote, or None."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def error(self, who: str) -> ContainerError:
        """Return the failure as an error of its family, with the rank's name before the cause."""
        kinds = {kind.family: kind for kind in (UserError, PlatformError)}
        return kinds.get(self.family, ContainerError)(f"{who}: {self.cause}", self.remedy)


def outcome_file(folder: Path, local_rank: int) -> Path:
    """Return the file for a rank's outcome."""
    return folder / f"outcome-{local_rank}.json"
