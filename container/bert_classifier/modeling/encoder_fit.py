"""Whether a checkpoint's tensors are those of the encoder that its config.json describes, by transformers' report.

transformers fills what is missing with random numbers and drops what it has no use for.
"""

import functools
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bert_classifier.errors import UserError
from bert_classifier.job.encoder_types import ENCODER_TYPES
from bert_classifier.modeling.own_code import NOT_OF_ENCODER

logger = logging.getLogger(__name__)

# The pooler is part of the encoder's module but trained with the head.
HEAD_PARTS = ("pooler",)
_LAYER = re.compile(r"(?:^|\.)layers?\.(\d+)\.")
_ADAPTER_OF_PEFT = re.compile(r"\.lora_\w+\.|\.base_layer\.")
_SAVED_BY_PEFT = "base_model.model."  # before all names
_SIZES = {
    "position_embeddings": "max_position_embeddings",
    "token_type_embeddings": "type_vocab_size",
    "word_embeddings": "vocab_size",
}
_COMPLETE = "Give a complete checkpoint of the model that config.json describes."
_MERGE = (
    "Merge the adapter where it was trained, with peft: model.merge_and_unload().save_pretrained(folder); and give that"
    " folder."
)


def check_encoder(model: Any, report: Mapping[str, Any], source: str) -> None:
    """Refuse a checkpoint that lacks tensors of its encoder, or has them by other names or in other shapes.

    Args:
        model: loaded by transformers.
        report: of transformers, on its weights.
        source: of the checkpoint, for messages.
    Raises:
        UserError: with the names or shapes in the file and those that are needed.
    """
    left = sorted(report.get("unexpected_keys", ()))
    missing = _of_encoder(model, report.get("missing_keys", ()))
    peft = [name for name in left if _ADAPTER_OF_PEFT.search(name)] or [
        name for name in left if name.startswith(_SAVED_BY_PEFT)
    ]
    if peft:
        raise UserError(
            f"The weights of {source} hold an adapter of peft that is not merged into its model: {peft[0]} is one of"
            f" {len(peft)} tensors with such names.",
            _MERGE,
        )
    if missing:
        raise _missing(model, missing, left, source)
    shapes = {key[0]: tuple(key[1:]) for key in report.get("mismatched_keys", ()) if isinstance(key, tuple)}
    for name in _of_encoder(model, shapes)[:1]:
        raise _other_shape(model.config, name, *(list(shape) for shape in shapes[name]), source=source)


def check_unused(model: Any, report: Mapping[str, Any], source: str) -> None:
    """Refuse a checkpoint of whose encoder layers or other tensors would be dropped; log what else is not used.

    Heads for other tasks, poolers and tables that are computed anew are dropped in silence.

    Raises:
        UserError: with an example.
    """
    left = sorted(name for name in report.get("unexpected_keys", ()) if not NOT_OF_ENCODER.search(name))
    prefix = model.base_model_prefix + "."
    parts = {name for name, _ in model.base_model.named_children()}
    of_encoder = [name for name in left if name.startswith(prefix) or name.split(".", 1)[0] in parts]
    lost = _lost_layers(model, of_encoder)
    if lost:
        field = getattr(model.config, "attribute_map", {}).get("num_hidden_layers", "num_hidden_layers")
        raise UserError(
            f"The weights of {source} have {max(lost) + 1} layers, and its config.json says"
            f" {field}={model.config.num_hidden_layers}: {len(lost)} would be dropped.",
            f"Write {field}={max(lost) + 1} into its config.json. For a model of fewer layers, save one that has only"
            " these.",
        )
    if of_encoder:
        raise UserError(
            f"transformers' {type(model).__name__} has no use for {len(of_encoder)} of the encoder's tensors in the"
            f" weights of {source}, such as {of_encoder[0]}: what they have learnt would be lost.",
            "Give a checkpoint that was trained without them: adapters and further layers are not computed.",
        )
    if left:
        _say(f"{source}: {len(left)} tensor(s) of its weights are not used, such as {left[0]}")


def _of_encoder(model: Any, names: Iterable[str]) -> list[str]:
    """Return which names are of the encoder, the parts that are trained with the head aside."""
    prefix = model.base_model_prefix + "."
    return sorted(
        name for name in names if name.startswith(prefix) and not any(part in name for part in HEAD_PARTS)
    )


def _lost_layers(model: Any, names: Iterable[str]) -> set[int]:
    """Return the numbers of the layers in these names that the model does not have."""
    known = {int(match[1]) for match in map(_LAYER.search, model.base_model.state_dict()) if match}
    return {int(match[1]) for match in map(_LAYER.search, names) if match} - known


def _missing(model: Any, missing: Sequence[str], left: Sequence[str], source: str) -> UserError:
    """Return the error for an encoder's tensors that the file does not have, or has by other names."""
    pairs = ((wanted, _other_name(model, wanted, left)) for wanted in missing)
    wanted, (name, prefix) = next(((w, found) for w, found in pairs if found), ("", ("", "")))
    if not wanted:
        others = [name for name in left if not NOT_OF_ENCODER.search(name)]
        instead = f"; they have others, such as {others[0]}" if others else ""
        return UserError(
            f"The weights of {source} lack {len(missing)} of the encoder's tensors, such as {missing[0]}{instead}.",
            _COMPLETE,
        )
    renamed = (
        f"{len(missing)} of the encoder's tensors have other names than theirs in the weights of {source}: {name} in"
        f" place of {wanted}"
    )
    if not name.endswith(wanted) and _is_family(prefix):
        return UserError(
            f"{renamed}, though its config.json says model_type={model.config.model_type}.",
            "Give config.json and weights of the same model.",
        )
    return UserError(
        f"{renamed}.",
        f"Write the weights without the prefix {prefix!r}: with safetensors.torch,"
        f" save_file({{name.removeprefix({prefix!r}): tensor for name, tensor in load_file(file).items()}}, file,"
        " {'format': 'pt'}).",
    )


def _other_name(model: Any, wanted: str, left: Sequence[str]) -> tuple[str, str] | None:
    """Return a name in the file that ends in the one that is wanted, and what it begins with; None without one."""
    for tail in (wanted, wanted.removeprefix(model.base_model_prefix + ".")):
        name = next((name for name in left if name.endswith("." + tail)), None)
        if name is not None:
            return name, name[: -len(tail)]
    return None


def _is_family(prefix: str) -> bool:
    """Return whether a prefix is what transformers puts before the tensors of another type of encoder."""
    return prefix.split(".")[-2].replace("_", "-") in {name.replace("_", "-") for name in ENCODER_TYPES}


def _other_shape(config: Any, name: str, found: list[int], wanted: list[int], *, source: str) -> UserError:
    """Return the error for a tensor whose shape is not what config.json asks for."""
    field = next((field for part, field in _SIZES.items() if f".{part}." in name), None)
    has, asks = (" × ".join(map(str, shape)) for shape in (found, wanted))
    cause = f"The weights of {source} do not fit its config.json: {name} is {has} there, and has to be {asks}"
    if field and getattr(config, field, None) == wanted[0] and found[1:] == wanted[1:]:
        return UserError(
            f"{cause} by {field}={wanted[0]}.",
            f"Write {field}={found[0]} into config.json, or give the weights that it describes.",
        )
    return UserError(f"{cause}.", _COMPLETE)


@functools.cache
def _say(message: str) -> None:
    """Log something once: a job loads its encoder several times."""
    logger.info(message)
