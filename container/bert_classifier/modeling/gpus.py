"""The GPUs that torch can use, and why it cannot use one: its build, the driver, missing kernels."""

import contextlib
import re
from pathlib import Path

import torch

from bert_classifier.errors import UserError
from bert_classifier.job.cuda_kernels import has_kernels_for

_DEVICE = Path("/dev/nvidia0")  # exists if the container was given a GPU
_DRIVER = Path("/proc/driver/nvidia/version")
_TOO_OLD = re.compile(r"driver on your system is too old \(found version (\d+)\)")
_LONGEST = 200  # characters of CUDA's own message


def count_gpus() -> int:
    """Return the number of GPUs that torch can use, without allocating memory on them.

    `torch.cuda.device_count()` alone also counts GPUs whose driver torch cannot use.
    """
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def start_gpu(number: int) -> None:
    """Create this process' context on a GPU, if there is one: the first tensor on it would have to wait for that."""
    with contextlib.suppress(RuntimeError):  # it comes again, with its sentence, where the GPU is used
        if number < count_gpus():
            torch.empty(1, device=torch.device("cuda", number))


def require_kernels(number: int) -> None:
    """Refuse a GPU that torch has no kernels for; allocates memory on it.

    Raises:
        UserError: with its compute capability and the architectures of this build.
    """
    capability, architectures = torch.cuda.get_device_capability(number), torch.cuda.get_arch_list()
    if architectures and not has_kernels_for(architectures, capability):
        raise UserError(
            f"This image's torch has no kernels for the GPU {torch.cuda.get_device_name(number)}: its compute"
            f" capability is {capability[0]}.{capability[1]}, the kernels are for {', '.join(architectures)}.",
            "Use an instance type with a newer GPU, such as ml.g4dn or ml.g5, or one without GPU.",
        )


def why_no_gpu() -> str:
    """Return why torch cannot use this machine's GPU; "" if it can or there is none."""
    if not _DEVICE.exists() or torch.cuda.is_available():
        return ""
    if torch.version.cuda is None:
        return "this image's torch is built for CPUs: build and push the flavour gpu, or use an instance without a GPU"
    try:
        torch.cuda.init()
    except RuntimeError as error:
        return _cause_of(str(error))
    return ""


def _cause_of(message: str) -> str:
    too_old = _TOO_OLD.search(message)
    if too_old is None:
        return f"CUDA does not start, although the machine has a GPU device: {message[:_LONGEST]}"
    version = int(too_old[1])  # 12020 is CUDA 12.2
    newest = f"{version // 1000}.{version % 1000 // 10}"
    return (
        f"the host's NVIDIA driver{_driver_version()} goes as far as CUDA {newest}, this image's torch is built for"
        f" CUDA {torch.version.cuda}: use host software with a newer driver (for endpoints INFERENCE_AMI_VERSION), or"
        " an instance without a GPU"
    )


def _driver_version() -> str:
    """Return the kernel driver's version after a space; "" if unknown."""
    try:
        found = re.search(r"Kernel Module\D*(\d+(?:\.\d+)+)", _DRIVER.read_text(encoding="utf-8"))
    except OSError:
        return ""
    return f" {found[1]}" if found else ""
