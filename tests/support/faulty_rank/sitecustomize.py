"""On a job's PYTHONPATH: rank FAULTY_RANK does at step 3 what FAULT says. All else is the real thing."""

import os
import resource
from pathlib import Path
from typing import Any

_STEP = 2  # counted from 0


def _use_up_memory() -> None:
    """Ask for more memory than the process may have, as on an instance that is too small."""
    import torch

    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    most = used + 64 * 1024**2
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    torch.ones(most)


def _lose_the_loss(trainer: Any) -> None:
    """Let the model answer something that is no number."""

    def spoil(_module: Any, _inputs: Any, output: Any) -> Any:
        output.logits = output.logits * float("nan")
        return output

    trainer.model.register_forward_hook(spoil)


def _sabotage(fault: str) -> None:
    from bert_classifier.training.trainer import Trainer

    step_of_old = Trainer.start_step

    def start_step(self: Any, step: int) -> Any:
        if step == _STEP and fault == "leaves":
            os._exit(0)
        if step == _STEP and fault == "hangs":
            sum(range(10**15))  # in C, and the interpreter's lock is held
        if step == _STEP and fault == "memory":
            _use_up_memory()
        if step == _STEP and fault == "nan":
            _lose_the_loss(self)
        return step_of_old(self, step)

    Trainer.start_step = start_step  # type: ignore[method-assign]


if "RANK" in os.environ and os.environ["RANK"] == os.environ.get("FAULTY_RANK"):
    _sabotage(os.environ["FAULT"])
