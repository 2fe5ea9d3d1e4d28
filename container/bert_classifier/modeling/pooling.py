"""How a text's vector is taken from its tokens: what the encoder was trained for, and what a run makes of it."""

import json
from pathlib import Path
from typing import Any

from transformers.utils.hub import cached_file

from bert_classifier.modeling.mean_layer import add_mean_layer, can_add_mean_layer

# Of sentence-transformers; some checkpoints have its folder without its modules.json.
_POOLING_FILE = "1_Pooling/config.json"
_IS_MEAN = "pooling_mode_mean_tokens"


def is_mean_pooled(source: str) -> bool:
    """Return whether an encoder says that it is a sentence encoder, trained on the mean of its tokens.

    Args:
        source: a folder in transformers' layout, or a name on the model hub.
    """
    settings = _pooling_settings(source)
    others = (name for name, is_on in settings.items() if name.startswith("pooling_mode_") and is_on is True)
    return list(others) == [_IS_MEAN] or settings.get("pooling_mode") == "mean"


def use_mean(model: Any, source: str) -> None:
    """Let a classifier's head read the mean of the tokens.

    Raises:
        UserError: for a family that cannot.
    """
    if hasattr(model.config, "classifier_pooling"):  # ModernBERT's heads can read either
        model.config.classifier_pooling = "mean"
    else:
        add_mean_layer(model, source)


def suits_mean_layer(source: str, config: Any) -> bool:
    """Return whether an encoder is one whose mean of tokens says more than its [CLS], and can hand it to the head."""
    return can_add_mean_layer(config.model_type) and is_mean_pooled(source)


def _pooling_settings(source: str) -> dict[str, Any]:
    try:
        path = cached_file(
            source,
            _POOLING_FILE,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
            _raise_exceptions_for_gated_repo=False,
        )
        settings = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}  # then nothing is known: [CLS], as transformers has it
    return settings if isinstance(settings, dict) else {}
