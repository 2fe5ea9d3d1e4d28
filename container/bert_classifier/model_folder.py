"""What a model must be like to be used here, and the one sentence for one that is not."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_MASKED_LM_MAPPING,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
)

from bert_classifier.errors import UserError
from bert_classifier.fields import shown
from bert_classifier.manifest import read_object

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_ENCODERS = "Use an encoder such as BERT, RoBERTa, DistilBERT or ELECTRA."


def check_folder(source: str) -> None:
    """Refuse a folder that is no checkpoint, before the library guesses at what it might be.

    Args:
        source: a folder, or a name on the model hub, of which nothing is known here.
    Raises:
        UserError: when the folder lacks config.json or safetensors, or wants code of its own to be run.
    """
    folder = Path(source)
    if not folder.is_dir():
        return
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} has no config.json.", "Put the checkpoint's files right into this folder.")
    config = read_object(folder / "config.json", "Copy the checkpoint again.")
    if config.get("auto_map"):
        raise _runs_code(source)
    if str(config.get("model_type")) not in CONFIG_MAPPING:
        wrong = shown(config.get("model_type"))
        raise UserError(f"The config.json of {folder} names no known model_type ({wrong}).", _ENCODERS)
    if not any((folder / name).is_file() for name in _WEIGHTS):
        raise UserError(
            f"{folder} has no model.safetensors.",
            "Pickled weights (.bin, .pt) are not opened: save them anew with transformers' save_pretrained.",
        )


def _runs_code(source: str) -> UserError:
    return UserError(
        f"The config.json of {source} asks to run code of the checkpoint (auto_map).",
        "Use a model of a supported family.",
    )


def check_config(config: Any, source: str, vocabulary: int, max_seq_length: int) -> None:
    """Refuse a model that cannot classify, or does not fit its tokenizer or the length asked for.

    Args:
        vocabulary: tokens that the tokenizer knows.
    Raises:
        UserError: saying which.
    """
    if getattr(config, "auto_map", None):
        raise _runs_code(source)
    if not _is_encoder(config):
        raise UserError(f"{source} is of type {config.model_type}, which is no encoder of texts.", _ENCODERS)
    if vocabulary > config.vocab_size:
        raise UserError(
            f"The tokenizer of {source} knows {vocabulary} tokens, the model only {config.vocab_size}.",
            "Give the tokenizer that the model was trained with.",
        )
    positions = positions_of(config)
    if positions is not None and max_seq_length > positions:
        raise UserError(
            f"max_seq_length={max_seq_length} is more than the {positions} tokens that {source} can take.",
            f"Set max_seq_length to {positions} or less.",
        )


def _is_encoder(config: Any) -> bool:
    """Say whether a model reads a text in both directions and has a classification head."""
    known = type(config) in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING
    return known and type(config) in MODEL_FOR_MASKED_LM_MAPPING and not config.is_encoder_decoder


def positions_of(config: Any) -> int | None:
    """Return the most tokens that a model can take, special ones included; None when it knows no limit."""
    positions = getattr(config, "max_position_embeddings", None)
    if positions is None or config.model_type not in {"roberta", "xlm-roberta", "camembert"}:
        return positions
    return int(positions) - int(config.pad_token_id) - 1  # RoBERTa counts positions from the padding id on


def cannot_load(what: str, source: str, error: Exception) -> UserError:
    """Return the error for a `what` (model or tokenizer) on which the library failed."""
    if not Path(source).is_dir() and isinstance(error, OSError):
        return UserError(
            f"There is no folder {source}, and the model hub gave no {what} of that name.",
            "Check model_name, or give the job a `model` channel with the checkpoint: it needs no network.",
        )
    kind = "damaged" if isinstance(error, SafetensorError) else "unusable"
    first_line = str(error).strip().split("\n")[0][:200].rstrip(" .:")
    return UserError(
        f"The {what} in {source} is {kind}: {first_line}.",
        "Copy the checkpoint again and compare the sizes of its files.",
    )
