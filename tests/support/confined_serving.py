"""Run by test_serve_confined.py in namespaces of its own: makes the machine poor, then serves and stops.

unshare --net --mount python confined_serving.py ML_ROOT SCRATCH
"""

import fcntl
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

from support.patience import PATIENCE_S
from support.serving_process import ServingProcess

_SIOCSIFFLAGS = 0x8914  # linux/sockios.h
_IFF_UP = 1


def main() -> None:
    """Serve on a machine that has next to nothing."""
    root, scratch = map(Path, sys.argv[1:])
    raise_loopback()
    mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", str(scratch))
    mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", "/dev/shm")
    mount("-o", "remount,bind,ro", "/")
    with ServingProcess(root, scratch / "log", tmpdir=scratch) as process:
        process.wait_until_ready()
        status, body = process.invoke('["apple", "river"]')
        assert status == 200, body
        process.signal(signal.SIGTERM)
        assert process.exit_code(PATIENCE_S) == 0
        left = {path.name for path in scratch.rglob("*") if path.is_file()}
        assert left == {"log"}, f"left behind: {left}"
    sys.stdout.write("served\n")


def raise_loopback() -> None:
    """Bring up the only network interface of a new namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def mount(*arguments: str) -> None:
    """Mount something in this namespace."""
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    main()
