"""Say which field of a checkpoint's config.json keeps transformers from building its model."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassClassValidationError, StrictDataclassFieldValidationError
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from bert_classifier.errors import UserError
from bert_classifier.job.encoder_config import CORRECT, wrong_value
from bert_classifier.job.wording import enumerated

_FIELD = re.compile(r"field '(\w+)'")
_EXPECTED = re.compile(r"expected (\w+),")
_KINDS = {
    "int": "a whole number",
    "float": "a number with a decimal point",
    "str": "a text",
    "bool": "true or false",
    "dict": "a table",
    "list": "a list",
}
_ROPE = ("rope_scaling", "rope_parameters")
_OTHER_ROPE = "Use another encoder: how this one's positions turn, transformers does not compute."
_DTYPES = ("dtype", "torch_dtype")


def check_dtype(fields: Mapping[str, Any], source: str) -> None:
    """Refuse a type of numbers that torch does not have; raises a UserError with field and value."""
    for name in _DTYPES:
        value = fields.get(name)
        known = isinstance(value, str) and getattr(torch, value.removeprefix("torch."), None)
        if value is not None and value != "auto" and not isinstance(known, torch.dtype):
            raise wrong_value(
                source, name, value, "which is no type of numbers such as float32",
                "Correct or remove it: training is in float32 whatever it says.",
            )  # fmt: skip


def config_error(error: Exception, fields: Mapping[str, Any], source: str) -> UserError | None:
    """Return what is wrong with a config.json of which transformers builds no model; None if the cause is not there.

    Args:
        error: of transformers, when it made the configuration or the model.
        fields: of config.json.
        source: folder or name of the checkpoint.
    """
    found = next(_causes(error, fields), None)
    if found:
        remedy = _OTHER_ROPE if found[0] in _ROPE else CORRECT
        return wrong_value(source, found[0], fields.get(found[0]), found[1], remedy)
    if isinstance(
        error, StrictDataclassFieldValidationError | StrictDataclassClassValidationError | ValueError
    ):
        reason = str(error).strip().split("\n")[-1].strip().removeprefix("ValueError: ")[:200].rstrip(" .:")
        return UserError(f"transformers builds no model of the config.json of {source}: {reason}.", CORRECT)
    return None


def _causes(error: Exception, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the field that an error is about, and what is wrong with its value."""
    text = str(error)
    if isinstance(error, StrictDataclassFieldValidationError) and (field := _FIELD.search(text)):
        kinds = list(dict.fromkeys(_KINDS.get(kind, kind) for kind in _EXPECTED.findall(text)))
        if field[1] in fields and kinds:
            yield field[1], f"which is not {' or '.join(kinds)}"
    if isinstance(error, KeyError) and error.args:
        yield from _unknown_names(error.args[0], fields)
    if "Padding_idx" in text and "vocab_size" in fields:
        yield "pad_token_id", f"which is not below vocab_size={fields['vocab_size']}"
    if "dropout probability" in text:
        for name, value in fields.items():
            if "drop" in name and isinstance(value, int | float) and not 0 <= value <= 1:
                yield name, "which is not a number from 0 to 1"


def _unknown_names(key: object, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the fields that hold the name of something that transformers does not have."""
    for name, value in fields.items():
        if name in _ROPE and isinstance(value, Mapping) and key in value.values():
            known = enumerated(sorted({*ROPE_INIT_FUNCTIONS, "default"}))
            yield name, f"and transformers knows the types {known}"
        elif value == key and isinstance(key, str):
            known = "; it knows gelu, relu and silu, for example" if "act" in name else ""
            yield name, f"which transformers does not know{known}"
