"""How the text pairs of a job are encoded, decided once the data are read."""

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from bert_classifier.encoding.frames import PairFrame
from bert_classifier.encoding.text_encoder import CUT_SETTINGS
from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig

logger = logging.getLogger(__name__)

NOT_PAIRED: Mapping[str, Any] = MappingProxyType({})


def pair_settings(
    config: TrainConfig, tokenizer: Any, *, is_paired: bool, has_token_types: bool
) -> dict[str, Any]:
    """Return the fields of training.json on text pairs, PAIR_SETTINGS among them; none where the texts are single ones.

    Args:
        is_paired: whether the texts of the job are pairs.
        has_token_types: whether the model reads token types; see modeling.token_types.
    Raises:
        UserError: when the settings or the encoder do not suit pairs.
    """
    if not is_paired:
        return {}
    if config.truncation != "head":
        raise UserError(
            f"truncation={config.truncation} is for single texts, and these are pairs: pair_truncation says how both"
            " texts of a pair are cut.",
            "Leave truncation out.",
        )
    frame = PairFrame.of(tokenizer.backend_tokenizer)
    if not frame.middle:
        logger.warning(
            "the tokenizer puts no token between the two texts of a pair, so the model cannot tell where the first ends"
        )
    types = has_token_types and frame.types_from is not None
    return {"is_paired": True, "pair_truncation": config.pair_truncation, "has_token_types": types}


def cut_settings(config: TrainConfig, pairs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of training.json on how texts are cut, with those on pairs from pair_settings."""
    return {**{name: getattr(config, name) for name in CUT_SETTINGS}, **pairs}
