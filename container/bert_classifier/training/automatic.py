"""Settings that follow from the training texts before these are encoded; training.recipe chooses the others."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from bert_classifier.encoding.length import automatic_length
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.job.automatic_lengths import LARGEST_AUTOMATIC_LENGTH
from bert_classifier.job.config import TrainConfig
from bert_classifier.modeling.hub import pinned
from bert_classifier.modeling.pooling import lacks_mean_layer, suits_mean_layer
from bert_classifier.training.pairs import NOT_PAIRED, cut_settings
from bert_classifier.training.recipe import FEW_TEXTS

logger = logging.getLogger(__name__)


def settings_by_data(
    config: TrainConfig,
    source: str,
    model_config: Any,
    tokenizer: Any,
    texts: Sequence[str],
    *,
    positions: int | None,
    is_head_kept: bool = False,
    pairs: Mapping[str, Any] = NOT_PAIRED,
) -> dict[str, Any]:
    """Return the settings that `config` leaves to the data, with their values; log what was chosen and why.

    The same on all hosts and at every attempt of a run.

    Args:
        source: folder or name of the encoder.
        model_config: the encoder's configuration.
        texts: of training, after the hold-out.
        positions: the most tokens that the encoder takes; None = any.
        is_head_kept: whether the encoder is a classifier that keeps its head; see heads.LoadedHead.keeps.
        pairs: from pair_settings.
    """
    chosen: dict[str, Any] = {}
    if config.max_seq_length is None:
        chosen["max_seq_length"] = _length(config, positions, tokenizer, texts, pairs)
    # Of more texts, [CLS] learns what they are about, and an encoder without one more layer is cheaper.
    # A head that is kept reads what it has read, and starts where it is.
    if len(texts) < FEW_TEXTS and not is_head_kept:
        chosen |= _start(config, source, model_config, len(texts))
    return chosen


def _start(config: TrainConfig, source: str, model_config: Any, num_texts: int) -> dict[str, Any]:
    """Return what the head reads and where it starts, with few texts."""
    chosen: dict[str, Any] = {}
    if config.pooling == "auto" and suits_mean_layer(source, model_config, pinned(source, config.revision)):
        chosen["pooling"] = "mean"
    elif config.pooling == "auto" and lacks_mean_layer(source, model_config):
        logger.info(
            "%s was trained on the mean of a text's tokens, but an encoder of type %s cannot get the layer that hands"
            " it to the head: the head reads what it does by itself", source, model_config.model_type,
        )  # fmt: skip
    if config.head_init == "auto" and "mean" in (config.pooling, *chosen.values()):
        chosen["head_init"] = "logistic_regression"
    if "pooling" in chosen:
        logger.info(
            "chosen for %d training texts and a sentence encoder, trained on the mean of a text's tokens: %s;"
            " pooling=mean takes one more encoder layer, set pooling=cls to do without",
            num_texts, ", ".join(f"{name}={value}" for name, value in chosen.items()),
        )  # fmt: skip
    return chosen


def text_encoder(config: TrainConfig, tokenizer: Any, pairs: Mapping[str, Any] = NOT_PAIRED) -> TextEncoder:
    """Return the encoder of texts for settings that have a max_seq_length.

    Args:
        pairs: from pair_settings.
    """
    settings = cut_settings(config, pairs)
    return TextEncoder.from_settings(tokenizer.backend_tokenizer, tokenizer.pad_token_id, settings)


def _length(
    config: TrainConfig,
    positions: int | None,
    tokenizer: Any,
    texts: Sequence[str],
    pairs: Mapping[str, Any],
) -> int:
    longest = min(positions or LARGEST_AUTOMATIC_LENGTH, config.largest_seq_length)
    whole = dataclasses.replace(config, max_seq_length=longest, truncation="head")
    return automatic_length(text_encoder(whole, tokenizer, pairs), texts)
