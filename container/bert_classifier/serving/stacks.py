"""What every thread does at a moment, for the log."""

import logging
import sys
import threading
import traceback

logger = logging.getLogger(__name__)


def log_stacks() -> None:
    """Log the stack of every thread."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        stack = "".join(traceback.format_stack(frame))
        logger.critical("thread %s\n%s", names.get(ident, ident), stack)
