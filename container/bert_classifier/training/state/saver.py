"""When a run saves its state: by time, at evaluations and when told to stop, from a copy and in the background."""

import itertools
import logging
import math
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from bert_classifier.errors import PlatformError, remedy_for
from bert_classifier.training.state.checkpoint import Checkpoint
from bert_classifier.training.state.store import KEEP, CheckpointStore

logger = logging.getLogger(__name__)

_MOST_FAILURES = 3  # saves in a row that may fail before the run gives up
_MOST_NAMED = 5
_LEAD_SECONDS = 120  # before the job's time is up: as long again as the platform then grants
_MOST_OVERHEAD = 0.02  # share of the time that saving may take before it becomes rarer


class CheckpointSaver:
    """Saves checkpoints without holding up training: a copy in memory is written by a thread.

    Args:
        store: where they go; None = nowhere, every call does nothing.
        interval: seconds between two saves.
        take: returns a copy of the run's state that later steps do not change.
        deadline: time.monotonic() at which the job's time is up; one checkpoint is saved shortly before.
    """

    def __init__(
        self,
        store: CheckpointStore | None,
        interval: float,
        take: Callable[[], Checkpoint],
        deadline: float | None = None,
    ) -> None:
        self._store = store
        self._interval = interval
        self._take = take
        self._last_call = math.inf if deadline is None else deadline - _LEAD_SECONDS
        self._thread: threading.Thread | None = None
        self._saved_at = time.monotonic()
        self._cost = 0.0  # seconds that the last save took from training
        self._failures: list[Exception] = []  # of the saves since the last good one
        self._saved_step = -1

    def save_if_due(self, *, is_milestone: bool = False) -> None:
        """Save in the background if it is time and no save is under way.

        Args:
            is_milestone: a good moment, such as after an evaluation, at which the interval need not have passed.
        Raises:
            PlatformError: when saving has failed too often.
        """
        if self._store is None or (self._thread is not None and self._thread.is_alive()):
            return
        if len(self._failures) >= _MOST_FAILURES:
            raise self._given_up()
        cheapest = self._cost / _MOST_OVERHEAD
        now = time.monotonic()
        is_last_call = now >= self._last_call
        if is_last_call or now - self._saved_at >= (
            cheapest if is_milestone else max(self._interval, cheapest)
        ):
            self._last_call = math.inf if is_last_call else self._last_call
            self._start()

    def save_now(self, step: int) -> None:
        """Save the state, which is that of `step`, and wait until it is on disk.

        Raises:
            PlatformError: when the disk does not take it.
        """
        if self._store is None:
            return
        self.close()
        if self._saved_step == step:
            return
        self._start()
        self.close()
        if self._failures:
            raise self._given_up()

    def close(self) -> None:
        """Wait for a save under way."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _start(self) -> None:
        started = time.monotonic()
        checkpoint = self._take()
        blocked = time.monotonic() - started
        self._saved_at = started
        self._thread = threading.Thread(target=self._write, args=(checkpoint, blocked), name="checkpoint")
        self._thread.start()

    def _write(self, checkpoint: Checkpoint, blocked: float) -> None:
        """In the thread: write, and note what it cost or why it failed."""
        try:
            self._write_timed(checkpoint, blocked)
        except Exception as error:  # noqa: BLE001 - raised again in the training thread, where it is told
            self._failures.append(error)
            logger.warning(
                "checkpoint_failures=%d: at step %d: %s", len(self._failures), checkpoint.step, error
            )
        else:
            self._failures.clear()

    def _write_timed(self, checkpoint: Checkpoint, blocked: float) -> None:
        assert self._store is not None
        started, worked = time.monotonic(), time.thread_time()
        path = self._store.save(checkpoint)
        size = path.stat().st_size
        self._saved_step = checkpoint.step
        self._cost = blocked + time.thread_time() - worked
        logger.info(
            "checkpoint at step %d: %.1f MB in %.1f s, of which training waited %.2f s; an interruption costs at most"
            " the next %.0f s",
            checkpoint.step, size / 1e6, time.monotonic() - started, blocked,
            max(self._interval, self._cost / _MOST_OVERHEAD),
        )  # fmt: skip

    def _given_up(self) -> Exception:
        error = self._failures[-1]
        if not isinstance(error, OSError):
            return error
        return PlatformError(
            f"Checkpoints cannot be saved: {error}.",
            remedy_for(error) or "Check the mount of /opt/ml/checkpoints, and that the volume has room.",
        )


def require_space(
    folder: Path,
    checkpoint_bytes: int,
    kept: Sequence[int] = (),
    others: int = 0,
    damaged: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Refuse to begin a run whose checkpoints will not fit.

    Args:
        checkpoint_bytes: size of one.
        kept: sizes of this run's checkpoints that are there already and make room for new ones.
        others: bytes of other runs' checkpoints, which stay.
        damaged: name and bytes of each checkpoint that is set aside, or will be.
    Raises:
        PlatformError: naming what is needed and what is free.
    """
    there = sum(min(size, checkpoint_bytes) for size in kept[:KEEP])
    needed, free = (KEEP + 1) * checkpoint_bytes, shutil.disk_usage(folder).free
    if free < needed - there:
        # As fine as a tenth: 2.6 MB free where 2.8 are needed are not 3 and 3.
        stay = {"other runs' checkpoints": others, f"damaged ones ({_some(damaged)})": sum(damaged.values())}
        told = [f"the {size / 1e6:,.1f} MB of {name}" for name, size in stay.items() if size]
        or_else = f", or remove {' and '.join(told)} there" if told else ""
        raise PlatformError(
            f"{folder} has {free / 1e6:,.1f} MB free, {KEEP + 1} checkpoints need {needed / 1e6:,.1f} MB"
            f" ({there / 1e6:,.1f} MB of them are there).",
            f"Give the job a larger volume (volume_size){or_else}.",
        )


def _some(names: Collection[str]) -> str:
    return ", ".join([*itertools.islice(names, _MOST_NAMED), *(["…"] if len(names) > _MOST_NAMED else [])])


def require_space_for_model(folder: Path, model_bytes: int) -> None:
    """Refuse to begin a run whose model will not fit: it is put together in a scratch folder, then copied.

    Raises:
        PlatformError: naming what is needed and what is free.
    """
    scratch = Path(tempfile.gettempdir())
    is_same_disk = scratch.stat().st_dev == folder.stat().st_dev
    for place, needed in {scratch: model_bytes, folder: model_bytes * (2 if is_same_disk else 1)}.items():
        free = shutil.disk_usage(place).free
        if free < needed:
            raise PlatformError(
                f"{place} has {free / 1e6:,.1f} MB free, the model needs {needed / 1e6:,.1f} MB.",
                "Give the job a larger volume (volume_size).",
            )
