"""NVIDIA's libraries for forward compatibility: used over an older driver, and only there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bert_classifier.job.cuda_compat import needs_libraries
from support.patience import PATIENCE_S
from support.source_tree import CONTAINER

CLOSED = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {}  Mon Oct 27 2025\nGCC version:  gcc version 11.4.0\n"
)
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {}  Release Build  (root@host)\n"


@pytest.fixture
def host(tmp_path: Path):
    """Return a function that writes the driver's version and the libraries of 580; return their paths."""
    folder = tmp_path / "cuda-compat"

    def write(driver: str, library: str = "libcuda.so.580.95.05") -> tuple[Path, Path]:
        folder.mkdir()
        (folder / library).touch()
        (folder / "libcuda.so.1").symlink_to(library)
        (tmp_path / "version").write_text(driver)
        return folder, tmp_path / "version"

    return write


@pytest.mark.parametrize(
    ("driver", "needed"),
    [
        (CLOSED.format("535.183.01"), True),
        (OPEN.format("550.163.01"), True),
        (OPEN.format("570.172.08"), True),
        (OPEN.format("580.95.05"), False),  # its own are as new
        (OPEN.format("595.10"), False),  # over a newer driver they fail
        (CLOSED.format("470.256.02"), False),  # NVIDIA does not support it
        ("something else", False),
    ],
)
def test_they_are_used_over_older_drivers_alone(host, driver, needed):
    """From 535, the oldest that NVIDIA supports, to the release before the libraries' own."""
    assert needs_libraries(*host(driver)) is needed


def test_without_a_gpu_or_libraries_nothing_is_done(tmp_path, host):
    """The cpu image has no such folder, and a host without a GPU no driver."""
    folder, driver = host(CLOSED.format("535.183.01"))
    assert not needs_libraries(folder, tmp_path / "none")
    assert not needs_libraries(tmp_path / "none", driver)


def test_the_program_starts_anew_once_with_the_libraries_first(host):
    """The loader looks there before all else; arguments, and folders that were given, stay."""
    folder, driver = host(CLOSED.format("535.183.01"))
    program = (
        "import os, sys; from pathlib import Path; from bert_classifier.job.cuda_compat import use_newer_libraries;"
        f"print('start', flush=True); use_newer_libraries(os.environ, Path({str(folder)!r}), Path({str(driver)!r}));"
        "print(os.environ['LD_LIBRARY_PATH'], sys.argv[1:])"
    )
    environ = {**os.environ, "PYTHONPATH": str(CONTAINER), "LD_LIBRARY_PATH": "/somewhere"}
    command = [sys.executable, "-c", program, "train", "more"]
    ended = subprocess.run(
        command, env=environ, capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert ended.stdout.splitlines() == ["start", "start", f"{folder}:/somewhere ['train', 'more']"]
