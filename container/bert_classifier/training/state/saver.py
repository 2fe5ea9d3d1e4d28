"""Save checkpoints in the background: by time, at evaluations and when a run is stopped."""

import logging
import math
import threading
import time
from collections.abc import Callable

from bert_classifier.errors import PlatformError, remedy_for
from bert_classifier.log import METRICS
from bert_classifier.training.state.checkpoint import Checkpoint
from bert_classifier.training.state.store import CheckpointStore

logger = logging.getLogger(__name__)

_MOST_FAILURES = 3  # consecutive failed saves after which the run gives up
_LEAD_SECONDS = 120  # before the deadline; SageMaker then grants another 120
_MOST_OVERHEAD = 0.02  # maximum fraction of time spent saving; beyond it, saves become rarer


class CheckpointSaver:
    """Saves checkpoints without blocking training: a thread writes a copy of the state.

    Args:
        store: None disables saving.
        interval: seconds between two saves.
        take_snapshot: returns a copy of the run's state that later steps do not change.
        deadline: time.monotonic() at which the job's time is up; a checkpoint is saved shortly before.
    """

    def __init__(
        self,
        store: CheckpointStore | None,
        interval: float,
        take_snapshot: Callable[[], Checkpoint],
        deadline: float = math.inf,
    ) -> None:
        self._store = store
        self._interval = interval
        self._take_snapshot = take_snapshot
        self._last_call = deadline - _LEAD_SECONDS
        self._thread: threading.Thread | None = None
        self._saved_at = time.monotonic()
        self._cost = 0.0  # seconds that the last save took away from training
        self._failures: list[Exception] = []  # since the last successful save
        self._saved_step = -1

    @property
    def has_store(self) -> bool:
        """Whether anything is saved."""
        return self._store is not None

    def save_if_due(self, *, is_milestone: bool = False) -> None:
        """Save in the background if a save is due and none is running.

        Args:
            is_milestone: save even if the interval has not passed, as after an evaluation.
        Raises:
            PlatformError: when saving has failed too often.
        """
        if self._store is None or (self._thread is not None and self._thread.is_alive()):
            return
        if len(self._failures) >= _MOST_FAILURES:
            raise self._failure()
        now = time.monotonic()
        is_last_call = now >= self._last_call
        interval = self._cost / _MOST_OVERHEAD if is_milestone else self._seconds_between()
        if is_last_call or now - self._saved_at >= interval:
            self._last_call = math.inf if is_last_call else self._last_call
            self._start()

    def save_now(self, step: int) -> None:
        """Save the current state, which is at `step`, and wait until it is on disk.

        Raises:
            PlatformError: when it cannot be written.
        """
        if self._store is None:
            return
        self.close()
        if self._saved_step == step:
            return
        self._start()
        self.close()
        if self._failures:
            raise self._failure()

    def close(self) -> None:
        """Wait for a running save."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _seconds_between(self) -> float:
        return max(self._interval, self._cost / _MOST_OVERHEAD)

    def _start(self) -> None:
        self._saved_at = time.monotonic()
        checkpoint = self._take_snapshot()
        blocked = time.monotonic() - self._saved_at
        self._thread = threading.Thread(target=self._write, args=(checkpoint, blocked), name="checkpoint")
        self._thread.start()

    def _write(self, checkpoint: Checkpoint, blocked: float) -> None:
        """In the thread: write, and record the cost or the failure."""
        try:
            self._write_timed(checkpoint, blocked)
        except Exception as error:  # noqa: BLE001 - raised again in the training thread
            self._failures.append(error)
            logger.warning(
                "checkpoint_failures=%d: at step %d: %s", len(self._failures), checkpoint.step, error
            )
        else:
            self._failures.clear()

    def _write_timed(self, checkpoint: Checkpoint, blocked: float) -> None:
        assert self._store is not None
        started, worked = time.monotonic(), time.thread_time()
        size = self._store.save(checkpoint).stat().st_size
        is_first = self._saved_step < 0
        self._saved_step = checkpoint.step
        self._cost = blocked + time.thread_time() - worked
        logger.info(
            "checkpoint at step %d: %.1f MB in %.1f s, training waited %.2f s; an interruption costs at most the next"
            " %.0f s",
            checkpoint.step, size / 1e6, time.monotonic() - started, blocked, self._seconds_between(),
            extra=None if is_first else METRICS,  # a person needs to read it once
        )  # fmt: skip

    def _failure(self) -> Exception:
        error = self._failures[-1]
        if not isinstance(error, OSError):
            return error
        return PlatformError(
            f"Checkpoints cannot be saved: {error}.",
            remedy_for(error) or "Check the mount of /opt/ml/checkpoints, and that the volume has room.",
        )
