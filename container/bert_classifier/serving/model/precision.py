"""The precision that a served model computes in, and the check that a faster one keeps the labels."""

import copy
import dataclasses
import logging
import math
import warnings
from typing import Any

import torch

from bert_classifier.artifact.artifact import Artifact
from bert_classifier.errors import UserError
from bert_classifier.modeling.probes import probe_logits

logger = logging.getLogger(__name__)

_PROBES_PER_TIE = 6  # one of so many texts may be a tie that turns over
_CLEAR_LEAD = math.log(1.25)  # of a logit: what is 5 to 4 likelier is no tie in any format
# What rounding adds to a layer's output, as a share of its standard deviation. bf16 keeps 8 significant bits. torch's
# int8 has 127 steps on x86 (reduce_range), laid over the activations' range, which is some 8 standard deviations wide;
# an error is even within a step, so has its width / sqrt(12). On MiniLM (38 layers) that makes 1.2 % and 11 % of a
# lead; measured were 0.3-0.7 % and 7-21 %.
_ROUNDING = {"bf16": 2.0**-9, "int8": 8 / 127 / math.sqrt(12)}
_USE_FP32 = "Set SERVING_PRECISION=fp32."


def on_device(artifact: Artifact, device: torch.device, setting: str) -> Artifact:
    """Return the artifact with its model on a device, in the precision that the setting means there.

    `auto` is bf16 on a GPU that supports it, if the probe texts keep the labels that training gave them.

    Args:
        setting: as ServeConfig.serving_precision.
    Raises:
        UserError: when a precision that was asked for by name is not supported here, or changes a label.
    """
    if setting == "auto":
        return _in_auto_precision(artifact, device)
    if setting == "bf16" and not _has_bf16(device):
        raise UserError("This GPU does not compute in bf16.", _USE_FP32)
    if setting == "int8" and device.type != "cpu":
        raise UserError("SERVING_PRECISION=int8 is for CPUs.", "Set SERVING_PRECISION=auto on a GPU.")
    converted = _converted(artifact, device, setting)
    if setting != "fp32" and (problem := _disagreement(artifact, converted, setting)):
        raise UserError(f"In {setting} this model gives other labels than in float32: {problem}.", _USE_FP32)
    return converted


def _in_auto_precision(artifact: Artifact, device: torch.device) -> Artifact:
    if device.type == "cuda" and _has_bf16(device):
        converted = _converted(artifact, device, "bf16")
        problem = _disagreement(artifact, converted, "bf16")
        if problem is None:
            return converted
        logger.warning("served in fp32 and not in bf16: %s", problem)
    return _converted(artifact, device, "fp32")


def _has_bf16(device: torch.device) -> bool:
    return device.type == "cpu" or torch.cuda.get_device_capability(device) >= (8, 0)


def _converted(artifact: Artifact, device: torch.device, precision: str) -> Artifact:
    if precision == "fp32" and device.type == "cpu":  # as loaded: all threads may share it
        return artifact
    model: Any = copy.deepcopy(artifact.model)
    if precision == "int8":
        model = _quantised(model)
    elif precision == "bf16":
        model = model.to(device, torch.bfloat16)
    else:
        model = model.to(device)
    return dataclasses.replace(artifact, model=model)


def _quantised(model: Any) -> Any:
    """Return the model with its linear layers in int8: weights per channel, activations by their range in a pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it will move to a package of its own; the pinned torch has it
        from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

        return quantize_dynamic(model, {torch.nn.Linear: per_channel_dynamic_qconfig})


def is_quantised(model: torch.nn.Module) -> bool:
    """Return whether texts in one pass would change each other's scores, as their activations would share a range."""
    return any(isinstance(module, torch.ao.nn.quantized.dynamic.Linear) for module in model.modules())


def _disagreement(reference: Artifact, converted: Artifact, precision: str) -> str | None:
    """Return how a converted model's labels differ from training's on the artifact's probe texts, if they do.

    A text on which training's best two labels nearly tied counts only where there are several such texts.
    """
    probes = reference.info.get("probes")
    if not probes:
        return "the artifact has no probe texts to prove it, so an older version has written it"
    wanted = torch.tensor(probes["logits"])
    found = torch.tensor(probe_logits(converted.model, converted.encoder, probes["texts"]))
    infinite = int((~(wanted.isfinite() & found.isfinite()).all(dim=1)).sum())
    if infinite:
        return f"{infinite} of {len(found)} probe texts get scores that are no numbers"
    differ = wanted.argmax(dim=1) != found.argmax(dim=1)
    lead = wanted.amax(dim=1) - wanted.gather(1, found.argmax(dim=1, keepdim=True))[:, 0]
    ties = differ & (lead <= _most_lead_of_a_tie(reference, wanted, precision))
    if differ.sum() > ties.sum() or ties.sum() > len(differ) // _PROBES_PER_TIE:
        return f"{int(differ.sum())} of {len(differ)} probe texts get another label"
    if ties.any():
        logger.info("%d probe text without a clear label in float32 gets another one", int(ties.sum()))
    return None


def _most_lead_of_a_tie(reference: Artifact, wanted: torch.Tensor, precision: str) -> float:
    """Return the lead of one logit over another in float32 that rounding alone may turn over.

    It depends on float32's own logits (n, classes) and the format only: an arithmetic that is wrong everywhere must
    not excuse itself. Rounding errors of layers are independent, so they add up by the root of their number; the
    median lead sets the scale.
    """
    layers = sum(isinstance(module, torch.nn.Linear) for module in reference.model.modules())
    best, second = wanted.topk(2, dim=1).values.T
    plausible = _ROUNDING[precision] * math.sqrt(layers) * float((best - second).median())
    return min(plausible, _CLEAR_LEAD)
