"""bfloat16 weights."""

import torch


def to_bfloat16(model: torch.nn.Module) -> torch.nn.Module:
    """Round a model's parameters to bfloat16 in place, and return it.

    Its buffers stay as they are: with rounded frequencies, rotary positions of tokens 500 apart would be off by up to a
    radian.
    """
    for parameter in model.parameters():
        parameter.data = parameter.data.to(torch.bfloat16)
    return model
