"""What an encoder cannot do with a job's settings, told before data are read."""

import logging
from pathlib import Path
from typing import Any

from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.encoder_folder import check_length
from bert_classifier.job.encoder_weights import unused_weights
from bert_classifier.job.sentence_parts import unused_parts
from bert_classifier.modeling.positions import longest_of_one_rope, positions_of_model
from bert_classifier.training.layer_depths import layer_depths
from bert_classifier.training.trial_pass import try_encoder

# Rows of the embeddings beyond the tokenizer's ids: many checkpoints have a few; mDeBERTa-v3 has 898 of 251,000.
_SPARE_ROWS = 128
_SPARE_SHARE = 0.01
logger = logging.getLogger(__name__)

_POOR_WHEN_FROZEN = {"modernbert": "ModernBERT"}


def check_encoder_for(config: TrainConfig, model: Any, tokenizer: Any, source: str) -> int | None:
    """Try an encoder with the longest texts that the job permits; return the most tokens that it takes, None if any.

    Args:
        model: which is not trained afterwards.
        source: the encoder's folder or name, for messages.
    Raises:
        UserError: when it cannot be trained, or not with these settings.
    """
    for doubt in filter(None, (unused_weights(Path(source)), _unused_rows(model, tokenizer, source))):
        logger.warning("%s", doubt)
    for said in unused_parts(Path(source)):
        logger.info("%s", said)
    if config.layer_decay < 1:
        layer_depths(model)
    if config.freeze_encoder and (family := _POOR_WHEN_FROZEN.get(model.config.model_type)):
        logger.warning(
            "freeze_encoder=true with %s: unless it was trained further as a sentence encoder, what it says of a text"
            " by itself separates classes worse than other encoders do; leave freeze_encoder out, or use a sentence"
            " encoder", family,
        )  # fmt: skip
    positions = positions_of_model(model)
    check_length(positions, source, config.max_seq_length)
    positions = _of_one_rope(config, model, source, positions)
    wanted = min(config.largest_seq_length, positions or config.largest_seq_length)
    longest = try_encoder(model, tokenizer, source, wanted)
    if longest == wanted:
        return positions
    check_length(longest, source, config.max_seq_length)
    return longest


def _of_one_rope(config: TrainConfig, model: Any, source: str, positions: int | None) -> int | None:
    """Return the most tokens with which a text's logits do not depend on how long others of its batch are."""
    most = longest_of_one_rope(model.config)
    if most is None or (positions is not None and positions <= most):
        return positions
    if config.max_seq_length is not None and config.max_seq_length > most:
        raise UserError(
            f"max_seq_length={config.max_seq_length} is more than the {most} tokens up to which {source} was first"
            " trained (rope_type longrope): a longer text would change how the others of its batch are read.",
            f"Set max_seq_length to {most} or less.",
        )
    return most


def _unused_rows(model: Any, tokenizer: Any, source: str) -> str:
    """Return what to say of a tokenizer that has far fewer ids than the model; "" if it has not."""
    rows, highest = model.config.vocab_size, max(tokenizer.get_vocab().values())
    if rows - 1 - highest <= max(_SPARE_ROWS, _SPARE_SHARE * rows):
        return ""
    return (
        f"the tokenizer of {source} has ids up to {highest}, the model {rows} rows for them: make sure that it is the"
        " model's own tokenizer, or texts are read as other words"
    )
