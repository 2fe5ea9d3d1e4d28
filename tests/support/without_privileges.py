"""What the system refuses to a user, though the tests may run as one to whom it refuses nothing."""

import contextlib
import ctypes
import os
from collections.abc import Iterator

_LIBC = ctypes.CDLL(None, use_errno=True)
_VERSION_3 = 0x20080522  # linux/capability.h
_Header = ctypes.c_uint32 * 2  # version, pid (0 = this thread)
_Data = ctypes.c_uint32 * 6  # effective, permitted, inheritable, for each half of the capabilities
_OVER_FILES = (0, 1, 2, 3)  # CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    """Make permissions and owners of files count for this thread, as for any user, until the block ends."""
    before = _Data()
    _call("capget", before)
    less = _Data(*before)
    less[0] &= ~sum(1 << number for number in _OVER_FILES)
    _call("capset", less)
    try:
        yield
    finally:
        _call("capset", before)


def _call(name: str, data: "ctypes.Array[ctypes.c_uint32]") -> None:
    if getattr(_LIBC, name)(_Header(_VERSION_3, 0), data):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), name)
