"""The weights in what a training saved beside its progress, under the names that its wrappers gave them."""

from collections.abc import Mapping
from typing import Any

# Before every name, where the model was trained in DataParallel, by Lightning, or compiled.
_WRAPPERS = ("module.", "model.", "_orig_mod.")


def entry_with_tensors(table: Mapping[str, Any]) -> str:
    """Return the one entry of a training's checkpoint that is a table of tensors; "" if there is not exactly one.

    A state_dict itself has none. Beside the weights there may be an epoch, settings, or an optimizer's state.
    """
    import torch

    def is_table(value: Any) -> bool:
        is_mapping = isinstance(value, Mapping) and bool(value) and all(isinstance(key, str) for key in value)
        return is_mapping and all(isinstance(each, torch.Tensor) for each in value.values())

    entries = [name for name, value in table.items() if is_table(value)]
    return entries[0] if len(entries) == 1 else ""


def without_wrapper(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return tensors by their own names."""
    wrapper = next((w for w in _WRAPPERS if all(name.startswith(w) for name in tensors)), None)
    if wrapper is None:
        return dict(tensors)
    return without_wrapper({name.removeprefix(wrapper): tensor for name, tensor in tensors.items()})
