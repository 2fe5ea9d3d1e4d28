"""NVIDIA's libraries for forward compatibility: a newer CUDA over an older driver. Standard library only.

They stand for the driver's own libraries, on data-center GPUs, over drivers from 535 on (NVIDIA, "CUDA Compatibility",
Forward Compatibility). Over a newer driver they would fail, so they are used only where the host's is older.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path("/opt/cuda-compat")
DRIVER = Path("/proc/driver/nvidia/version")
OLDEST_DRIVER = 535
_PATH = "LD_LIBRARY_PATH"


def use_newer_libraries(environ: Mapping[str, str], folder: Path = FOLDER, driver: Path = DRIVER) -> None:
    """Start this program anew with the compatibility libraries, where the host's driver is older than they are.

    The loader reads its path only once, at the start; processes that this one starts inherit it.
    """
    folders = environ.get(_PATH, "").split(":")
    if str(folder) in folders or not needs_libraries(folder, driver):
        return
    path = ":".join([str(folder), *filter(None, folders)])
    os.execve(sys.executable, sys.orig_argv, {**environ, _PATH: path})  # noqa: S606 - this program itself


def needs_libraries(folder: Path, driver: Path) -> bool:
    """Return whether the folder's libraries are newer than the host's driver, and made to run over it."""
    newest = max((_major(path.name) for path in folder.glob("libcuda.so.*.*")), default=0)
    try:
        host = _major(driver.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return False  # no GPU
    return OLDEST_DRIVER <= host < newest


def _major(text: str) -> int:
    """Return the first part of a driver's version, such as 535 of 535.183.01; 0 where none is named."""
    found = re.search(r"\b(\d{3})\.\d+", text)
    return int(found[1]) if found else 0
