"""How much memory something needs at its peak, as the kernel counts it."""

import gc
from collections.abc import Callable
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_growth(work: Callable[[], object]) -> int:
    """Do something; return how many bytes this process had at most, beyond those that it had before."""
    gc.collect()
    _RESET.write_text("5")  # the peak begins anew
    before = _bytes_of("VmRSS")
    work()
    return _bytes_of("VmHWM") - before


def _bytes_of(field: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) * 1024
