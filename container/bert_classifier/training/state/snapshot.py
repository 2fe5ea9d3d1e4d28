"""Convert a trainer's state to a checkpoint and back."""

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from bert_classifier.evaluation.evaluation_of import evaluation_of
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.history import History
from bert_classifier.training.state.checkpoint import Checkpoint
from bert_classifier.training.train_state import TrainState, copies
from bert_classifier.training.trainer import Trainer

_RECORDED_AS = {"num_gradient_groups": "num_shards"}  # names in checkpoints


def take_snapshot(trainer: Trainer) -> Checkpoint:
    """Copy weights, optimizer, best weights, counters, history and validation logits.

    Random generators have no state to save: every draw is a function of the step.
    """
    tensors = {f"model.{name}": tensor for name, tensor in copies(trainer.model.state_dict()).items()}
    for name, parameter in trainer.model.named_parameters():
        for key, value in copies(trainer.optimizer.state.get(parameter, {})).items():
            tensors[f"optimizer.{key}.{name}"] = value
    if trainer.state.best_step != trainer.state.step:
        tensors |= {f"best.{name}": value for name, value in trainer.best_weights.items()}
    tensors |= _evaluations(trainer)
    state = {"train": _recorded(trainer.state), "scaler": trainer.engine.scaler.state_dict()}
    state["history"] = dataclasses.asdict(trainer.history)
    return Checkpoint(trainer.state.step, state, tensors)


def restore(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """Restore the state of a snapshot of the same run into a trainer that has not started yet."""
    model, optimizer, best = (
        _with_prefix(f"{kind}.", checkpoint.tensors) for kind in ("model", "optimizer", "best")
    )
    trainer.model.load_state_dict(model)
    for name, parameter in trainer.model.named_parameters():
        for key in ("step", "exp_avg", "exp_avg_sq"):
            if f"{key}.{name}" in optimizer:
                trainer.optimizer.state[parameter][key] = optimizer[f"{key}.{name}"].to(parameter.device)
    own_budget = trainer.state.token_budget
    trainer.state = _train_state(checkpoint.state["train"])
    if not trainer.engine.is_reproducible:  # it is for this attempt's settings and GPU
        trainer.state.token_budget = own_budget
    history = checkpoint.state.get("history", {"start": checkpoint.step})  # early checkpoints have none
    trainer.history = History(**copy.deepcopy(history))
    if trainer.engine.scaler.is_enabled():
        trainer.engine.scaler.load_state_dict(checkpoint.state["scaler"])
    if trainer.state.best_score is not None and trainer.distributed.is_first:
        trainer.best_weights = best or copies(trainer.model.state_dict())
    _restore_evaluations(trainer, _with_prefix("validation.", checkpoint.tensors))


def _recorded(state: TrainState) -> dict[str, Any]:
    """Return the state under the names used in checkpoints since the first version."""
    return {_RECORDED_AS.get(name, name): value for name, value in dataclasses.asdict(state).items()}


def _train_state(recorded: Mapping[str, Any]) -> TrainState:
    """Undo _recorded."""
    names = {recorded_as: name for name, recorded_as in _RECORDED_AS.items()}
    return TrainState(**{names.get(name, name): value for name, value in recorded.items()})


def _evaluations(trainer: Trainer) -> dict[str, torch.Tensor]:
    """Return the validation logits, float32 (texts, classes), of the best and of the current weights.

    With them, a later attempt calibrates exactly as this one would, whichever weights it exports. Those of the current
    weights are omitted if these are the best or were not evaluated.
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
    """Undo _evaluations; early checkpoints have no logits."""
    targets = np.array(trainer.validation.targets)
    selects_by = trainer.config.multi_label_score
    found = {name: evaluation_of(tensor.numpy(), targets, selects_by) for name, tensor in logits.items()}
    state = trainer.state
    trainer.best_result = found.get("best")
    is_best = state.step == state.evaluated_step == state.best_step
    trainer.last_result = found.get("best" if is_best else "last")


def broadcast_checkpoint(distributed: DistributedContext, checkpoint: Checkpoint | None) -> Checkpoint | None:
    """Return the first rank's checkpoint on every rank, without the best weights: the first rank exports them."""
    header = distributed.all_gather_json(None if checkpoint is None else _header(checkpoint))[0]
    if header is None:
        return None
    if checkpoint is None:
        tensors = {
            name: torch.empty(shape, dtype=getattr(torch, dtype)) for name, shape, dtype in header["tensors"]
        }
        checkpoint = Checkpoint(header["step"], header["state"], tensors)
    distributed.broadcast([checkpoint.tensors[name] for name, _, _ in header["tensors"]])
    return checkpoint


def _header(checkpoint: Checkpoint) -> dict[str, Any]:
    tensors = [
        (name, list(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in checkpoint.tensors.items()
        if not name.startswith("best.")
    ]
    return {"step": checkpoint.step, "state": checkpoint.state, "tensors": tensors}


def _with_prefix(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
