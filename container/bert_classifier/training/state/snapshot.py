"""A trainer's state as a checkpoint, and back: all that decides how a run goes on."""

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.history import History
from bert_classifier.training.state.checkpoint import Checkpoint
from bert_classifier.training.trainer import Trainer, TrainState, copies

_RECORDED_AS = {"num_gradient_groups": "num_shards"}


def take_snapshot(trainer: Trainer) -> Checkpoint:
    """Return a copy of weights, optimizer, best weights, counters, and what validation has said of the weights.

    Random draws are functions of the step.
    """
    tensors = {f"model.{name}": copy for name, copy in copies(trainer.model.state_dict()).items()}
    for name, parameter in trainer.model.named_parameters():
        for key, value in copies(trainer.optimizer.state.get(parameter, {})).items():
            tensors[f"optimizer.{key}.{name}"] = value
    if trainer.state.best_step != trainer.state.step:
        tensors |= {f"best.{name}": value for name, value in trainer.best_weights.items()}
    tensors |= _evaluations(trainer)
    state = {"train": _recorded(trainer.state), "scaler": trainer.scaler.state_dict()}
    state["history"] = dataclasses.asdict(trainer.history)
    return Checkpoint(trainer.state.step, state, tensors)


def restore(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """Give a trainer at its start the state of a snapshot of the same run."""
    model, optimizer, best = (
        _below(f"{kind}.", checkpoint.tensors) for kind in ("model", "optimizer", "best")
    )
    trainer.model.load_state_dict(model)
    for name, parameter in trainer.model.named_parameters():
        for key in ("step", "exp_avg", "exp_avg_sq"):
            if f"{key}.{name}" in optimizer:
                trainer.optimizer.state[parameter][key] = optimizer[f"{key}.{name}"].to(parameter.device)
    trainer.state = _train_state(checkpoint.state["train"])
    told = checkpoint.state.get("history", {"start": checkpoint.step})
    trainer.history = History(**copy.deepcopy(told))
    if trainer.scaler.is_enabled():
        trainer.scaler.load_state_dict(checkpoint.state["scaler"])
    if trainer.state.best_score is not None and trainer.distributed.is_first:
        trainer.best_weights = best or copies(trainer.model.state_dict())
    _restore_evaluations(trainer, _below("validation.", checkpoint.tensors))


def _recorded(state: TrainState) -> dict[str, Any]:
    """Return a state by the names that checkpoints have had from the first version on."""
    return {_RECORDED_AS.get(name, name): value for name, value in dataclasses.asdict(state).items()}


def _train_state(recorded: Mapping[str, Any]) -> TrainState:
    """Return the state that _recorded has described."""
    names = {recorded_as: name for name, recorded_as in _RECORDED_AS.items()}
    return TrainState(**{names.get(name, name): value for name, value in recorded.items()})


def _evaluations(trainer: Trainer) -> dict[str, torch.Tensor]:
    """Return the logits of validation, float32 (texts, classes), by the best weights and by the present ones.

    With them the next start calibrates as this one does, whichever weights it exports. The present ones are left out
    where they are the best, or were not evaluated.
    """
    state, found = trainer.state, {"best": trainer.best_result}
    if state.step == state.evaluated_step != state.best_step:
        found["last"] = trainer.last_result
    return {
        f"validation.{name}": torch.from_numpy(np.ascontiguousarray(result.logits))
        for name, result in found.items()
        if result is not None
    }


def _restore_evaluations(trainer: Trainer, logits: Mapping[str, torch.Tensor]) -> None:
    """Give a trainer what _evaluations has kept; nothing where a checkpoint has none."""
    targets = np.array(trainer.validation.targets)
    found = {name: Evaluation(tensor.numpy(), targets) for name, tensor in logits.items()}
    state = trainer.state
    trainer.best_result = found.get("best")
    is_best = state.step == state.evaluated_step == state.best_step
    trainer.last_result = found.get("best" if is_best else "last")


def share(distributed: DistributedContext, checkpoint: Checkpoint | None) -> Checkpoint | None:
    """Return the first rank's checkpoint on every rank; the best weights stay with the first, which exports them."""
    told = distributed.gather(None if checkpoint is None else _description(checkpoint))[0]
    if told is None:
        return None
    if checkpoint is None:
        tensors = {
            name: torch.empty(shape, dtype=getattr(torch, kind)) for name, shape, kind in told["tensors"]
        }
        checkpoint = Checkpoint(told["step"], told["state"], tensors)
    distributed.broadcast([checkpoint.tensors[name] for name, _, _ in told["tensors"]])
    return checkpoint


def _description(checkpoint: Checkpoint) -> dict[str, Any]:
    tensors = [
        (name, list(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in checkpoint.tensors.items()
        if not name.startswith("best.")
    ]
    return {"step": checkpoint.step, "state": checkpoint.state, "tensors": tensors}


def _below(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
