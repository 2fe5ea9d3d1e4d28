"""The progress of reading the data files, by whatever Dataset: told from how far the process has read them."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bert_classifier.job.file_positions import file_positions
from bert_classifier.training.progress import LOG_INTERVAL_SECONDS, Bar

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.2


@contextlib.contextmanager
def reading_progress(paths: Sequence[Path], *, bar: bool = False) -> Iterator[None]:
    """Show the progress of a `with` that reads files: as a bar, or as a log line every LOG_INTERVAL_SECONDS.

    Nothing is shown of files that are not read from their beginning to their end, such as mapped ones.
    """
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(paths, ended, bar), name="reading progress", daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()


def _watch(paths: Sequence[Path], ended: threading.Event, bar: bool) -> None:
    sizes = {path: path.stat().st_size for path in paths}
    total, furthest = sum(sizes.values()), dict.fromkeys(paths, 0)
    drawn = Bar(total=total, desc="reading", unit="B", unit_scale=True) if bar else None
    started = logged = time.monotonic()
    while not ended.wait(_POLL_SECONDS):
        for path, position in file_positions(paths).items():
            furthest[path] = max(furthest[path], position)
        done = sum(furthest.values())
        now = time.monotonic()
        if drawn is not None:
            drawn.update(done - drawn.n)
        elif done and now - logged >= LOG_INTERVAL_SECONDS:
            rest = (now - started) / done * (total - done)
            logger.info("%.0f of %.0f MB read, about %.0f s to go", done / 1e6, total / 1e6, rest)
            logged = now
    if drawn is not None:
        drawn.close()
