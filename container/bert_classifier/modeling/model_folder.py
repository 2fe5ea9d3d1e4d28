"""Check that transformers can use a checkpoint as a classifier."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_MASKED_LM_MAPPING,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
)

from bert_classifier.errors import UserError
from bert_classifier.job.encoder_types import no_encoder
from bert_classifier.job.encoder_weights import CONVERT, COPY_AGAIN, WEIGHTS
from bert_classifier.job.wording import first_line


def check_config(config: Any, source: str, highest_id: int) -> None:
    """Raise a UserError for a model that cannot classify, or does not fit its tokenizer.

    Args:
        highest_id: the tokenizer's highest token id.
    """
    if not _is_encoder(config):
        raise no_encoder(source, config.model_type)
    if highest_id >= config.vocab_size:
        raise UserError(
            f"The tokenizer of {source} has ids up to {highest_id}, the model only those below {config.vocab_size}.",
            "Give the tokenizer that the model was trained with.",
        )


def _is_encoder(config: Any) -> bool:
    """Return whether a model is bidirectional, of text alone, and transformers has a classification head for it."""
    if hasattr(config, "vision_config"):
        return False
    known = type(config) in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING
    return known and type(config) in MODEL_FOR_MASKED_LM_MAPPING and not config.is_encoder_decoder


def cannot_load(what: str, source: str, error: Exception, revision: str | None = None) -> UserError:
    """Return the error for a `what` ("model" or "tokenizer") that transformers failed to load.

    Args:
        revision: of a name on the model hub, as the job asked for it.
    """
    if not Path(source).is_dir() and isinstance(error, OSError):
        if f"file named {WEIGHTS}" in str(error):
            return UserError(
                f"{at_revision(source, revision)} has no {WEIGHTS} on the model hub.",
                f"Download its folder. {CONVERT}",
            )
        at, setting = (f" at revision {revision}", " and revision") if revision else ("", "")
        return UserError(
            f"There is no folder {source}, and the model hub gave no {what} of that name{at}.",
            f"Check model_name{setting}, or give the job a `model` channel with the checkpoint: it needs no network.",
        )
    kind = "damaged" if isinstance(error, SafetensorError) else "unusable"
    reason = first_line(error).rstrip(" .:")
    return UserError(f"The {what} in {at_revision(source, revision)} is {kind}: {reason}.", COPY_AGAIN)


def at_revision(source: str, revision: str | None) -> str:
    """Return a folder or hub name as messages call it."""
    return f"{source} at revision {revision}" if revision else source
