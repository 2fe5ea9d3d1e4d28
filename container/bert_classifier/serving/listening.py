"""Close a listening socket without resetting connections that the kernel has already accepted."""

import contextlib
import ctypes
import socket
import struct

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; the socket module does not name it
_FLAGS_AT = 13  # byte of the TCP header
_SYN, _ACK = 0x02, 0x10
# Classic BPF (linux/filter.h): (code, jump if true, jump if false, operand). A TCP socket filter sees the
# segment from its TCP header on; it returns how many bytes to keep.
_DROP_NEW_CONNECTIONS = (
    (0x30, 0, 0, _FLAGS_AT),  # A = flags
    (0x54, 0, 0, _SYN | _ACK),  # A &= SYN | ACK
    (0x15, 0, 1, _SYN),  # SYN without ACK?
    (0x06, 0, 0, 0),  # then keep nothing
    (0x06, 0, 0, 0xFFFFFFFF),  # else all
)


def refuse_new_connections(listener: socket.socket) -> None:
    """Let pending handshakes finish, and drop new ones.

    A client that connects meanwhile repeats its SYN a second later and finds the port closed: it is refused before it
    has sent anything. Without kernel support for such filters, nothing changes.
    """
    program = b"".join(struct.pack("HBBI", *step) for step in _DROP_NEW_CONNECTIONS)
    code = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("HP", len(_DROP_NEW_CONNECTIONS), ctypes.addressof(code))  # struct sock_fprog
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
