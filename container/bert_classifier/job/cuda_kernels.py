"""Whether a build of torch has kernels for a GPU, by its list of architectures and the GPU's compute capability."""

import re
from collections.abc import Iterable

_ARCHITECTURE = re.compile(r"(?P<form>sm|compute)_(?P<major>\d+)(?P<minor>\d)(?P<variant>[af]?)")


def has_kernels_for(architectures: Iterable[str], capability: tuple[int, int]) -> bool:
    """Return whether code built for these architectures runs on a GPU.

    Code for sm_XY runs on GPUs with the same major and at least that minor version; with the suffix `a`, only on X.Y.
    The driver compiles code for compute_XY for any GPU from X.Y on. (CUDA C++ Programming Guide, "Binary
    Compatibility" and "PTX Compatibility".)

    Args:
        architectures: as torch lists them, such as sm_75 or compute_120; other forms are ignored.
        capability: major and minor version, such as (7, 0).
    """
    return any(_runs(match, capability) for name in architectures if (match := _ARCHITECTURE.fullmatch(name)))


def _runs(code: "re.Match[str]", capability: tuple[int, int]) -> bool:
    built_for = int(code["major"]), int(code["minor"])
    if code["variant"] == "a":
        return capability == built_for
    is_same_major = capability[0] == built_for[0]
    return capability >= built_for and (is_same_major or (code["form"] == "compute" and not code["variant"]))
