"""Classifiers of every family that transformers can classify with, three layers deep, that take no memory."""

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_MASKED_LM_MAPPING,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
)

LAYERS = 3
_MORE: dict[str, dict[str, Any]] = {"esm": {"vocab_size": 100}, "deberta-v2": {"relative_attention": True}}


def _families() -> list[str]:
    both = [kind for kind in MODEL_FOR_MASKED_LM_MAPPING if kind in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING]
    texts = [kind for kind in both if not kind().is_encoder_decoder and not hasattr(kind(), "vision_config")]
    return sorted({kind.model_type for kind in texts})


FAMILIES = _families()


def build(family: str, **settings: Any) -> Any:
    """Return a classifier of a family, without values in its weights."""
    shape = {} if family == "funnel" else {"num_hidden_layers": LAYERS}
    config = AutoConfig.for_model(family, **{**shape, **_MORE.get(family, {}), **settings})
    with torch.device("meta"):
        return AutoModelForSequenceClassification.from_config(config)
