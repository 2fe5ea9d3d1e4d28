"""What a record was measured on: card, driver, cores, versions, revision."""

import hashlib
import platform
import subprocess
from pathlib import Path

import torch
import transformers

from benchmarks.gpu.goals import Figure
from bert_classifier import __version__
from bert_classifier.job.cpu_quota import available_cores

_ROOT = Path(__file__).parents[3]


def machine() -> Figure:
    """Return the facts about this machine, and about the program that it ran."""
    card = torch.cuda.get_device_properties(0)
    return {
        "card": card.name,
        "GPU memory": f"{card.total_memory / 2**30:.0f} GiB",
        "driver": _said("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"),
        "CUDA of torch": torch.version.cuda,
        "CPU cores": available_cores(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "bert_classifier": __version__,
        "git revision": _revision(),
    }


def digest_of(path: Path) -> str:
    """Return a file's name and the SHA-256 of its bytes, by which others know that they have the same."""
    with path.open("rb") as file:
        return f"{path.name}, SHA-256 {hashlib.file_digest(file, 'sha256').hexdigest()}"


def _revision() -> str:
    """Return the checkout's revision, and whether files differ from it."""
    revision = _said("git", "-C", str(_ROOT), "rev-parse", "--short=12", "HEAD")
    changed = _said("git", "-C", str(_ROOT), "status", "--porcelain", "--untracked-files=no")
    return revision if changed in ("", "unknown") else f"{revision}, with changes"


def _said(*command: str) -> str:
    """Return what a command prints, stripped; "unknown" where it cannot be run or fails."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return ended.stdout.strip() if ended.returncode == 0 else "unknown"
