"""Memory: little is kept back, and whether it has run out, which libraries call by many names, is tried."""

import contextlib
import ctypes
import mmap
import traceback

NO_MEMORY = "memory has run out"
_ENOUGH = 32 * 2**20  # bytes, for a small request
_M_ARENA_MAX = -8  # of malloc.h
_ARENAS = 2


def share_arenas() -> None:
    """Have threads share the C library's heaps, before most of them start.

    By default it makes eight for each core, and each keeps what the longest pass took that a thread computed in it.
    """
    with contextlib.suppress(AttributeError):  # a library other than glibc
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def give_back_freed() -> None:
    """Give the kernel what was freed and the C library keeps, which after a start may be a copy of the model."""
    with contextlib.suppress(AttributeError):  # a library other than glibc
        ctypes.CDLL(None).malloc_trim(0)


def has_run_out(error: BaseException) -> bool:
    """Return whether an error may come from memory that has run out, and this process gets no more now.

    torch raises RuntimeError for it, with words such as "could not create a primitive". What the failed functions
    held is given up, so that a call that asked for too much by itself is told apart.
    """
    if not isinstance(error, MemoryError | RuntimeError):
        return False
    traceback.clear_frames(error.__traceback__)
    return not _gets_more()


def _gets_more() -> bool:
    try:
        mmap.mmap(-1, _ENOUGH).close()
    except (OSError, MemoryError):
        return False
    return True
