"""System calls on sockets and pipes that do not block, made without giving the interpreter away.

Python's own give it away at each call. Where other threads wait for it, getting it back takes two switches between
threads, which cost more than the call.
"""

import ctypes
import os
import socket

_LIBC = ctypes.PyDLL(None, use_errno=True)


def _declare(name: str, *arguments: type) -> "ctypes._FuncPointer":
    function = _LIBC[name]
    function.argtypes = arguments
    function.restype = ctypes.c_ssize_t
    return function


_SEND = _declare("send", ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
_RECV = _declare("recv", ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_WRITE = _declare("write", ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)


def send_now(descriptor: int, data: bytes) -> int:
    """Send what the socket takes at once, and return how many bytes that is.

    Raises:
        OSError: like socket.send; BlockingIOError where it takes nothing.
    """
    return _checked(_SEND(descriptor, data, len(data), socket.MSG_DONTWAIT))


def recv_now(descriptor: int, size: int) -> bytes:
    """Return what has come, at most `size` bytes; none at the end.

    Raises:
        OSError: like socket.recv; BlockingIOError where nothing has come.
    """
    buffer = ctypes.create_string_buffer(size)
    return ctypes.string_at(buffer, _checked(_RECV(descriptor, buffer, size, socket.MSG_DONTWAIT)))


def write_now(descriptor: int, data: bytes) -> int:
    """Write what a pipe that does not block takes at once, and return how many bytes that is.

    Raises:
        OSError: like os.write.
    """
    return _checked(_WRITE(descriptor, data, len(data)))


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
