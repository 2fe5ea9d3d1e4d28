"""The arithmetic a served model computes in."""

from typing import Any

import torch

from bert_classifier.errors import UserError

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def resolve_precision(setting: str, device: torch.device) -> str:
    """Return fp32 or bf16 for ServeConfig.serving_precision on a device.

    Raises:
        UserError: for bf16 on a GPU without it.
    """
    has_bf16 = device.type == "cpu" or torch.cuda.get_device_capability(device) >= (8, 0)
    if setting == "bf16" and not has_bf16:
        raise UserError("This GPU does not compute in bf16.", "Set SERVING_PRECISION=fp32, or auto.")
    if setting != "auto":
        return setting
    return "bf16" if device.type == "cuda" and has_bf16 else "fp32"


def convert(model: torch.nn.Module, precision: str, device: torch.device) -> Any:
    """Return the model with its weights in a precision, on a device."""
    return model.to(device, _DTYPES[precision])
