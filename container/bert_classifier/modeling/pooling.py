"""How a text's vector is taken from its tokens: what the encoder was trained for, and what a run makes of it."""

import json
from pathlib import Path
from typing import Any

from huggingface_hub import constants
from transformers.utils.hub import cached_file

from bert_classifier.errors import PlatformError
from bert_classifier.job.encoder_files import POOLING_FILE, pooling_file
from bert_classifier.job.wording import first_line
from bert_classifier.modeling.mean_layer import HAS_MEAN_LAYER, add_mean_layer, can_add_mean_layer

CLASSIFIER_POOLING = (
    "classifier_pooling"  # in the config.json of ModernBERT and EuroBERT, whose heads read either
)
_IS_MEAN = "pooling_mode_mean_tokens"
_FORMER = "former_pooling"  # of a model: what its checkpoint's head has read, where a run has it read something else


def is_mean_pooled(source: str, revision: str | None = None) -> bool:
    """Return whether an encoder says that it is a sentence encoder, trained on the mean of its tokens.

    Args:
        source: a folder in transformers' layout, or a name on the model hub.
    """
    settings = _pooling_settings(source, revision)
    others = (name for name, is_on in settings.items() if name.startswith("pooling_mode_") and is_on is True)
    return list(others) == [_IS_MEAN] or settings.get("pooling_mode") == "mean"


def use_pooling(model: Any, pooling: str, source: str) -> None:
    """Let a classifier's head read the mean of the tokens or [CLS]; with "auto", what it reads by itself.

    Raises:
        UserError: for a family that cannot read the mean.
    """
    if pooling != "auto" and hasattr(model.config, CLASSIFIER_POOLING):
        _set_pooling(model, "bos" if (model.config.model_type, pooling) == ("eurobert", "cls") else pooling)
    elif pooling == "mean":
        add_mean_layer(model, source)


def former_pooling(model: Any) -> str:
    """Return what a classifier's head has read in its checkpoint, where use_pooling has changed it; else ""."""
    return str(getattr(model, _FORMER, ""))


def _set_pooling(model: Any, pooling: str) -> None:
    former = getattr(model.config, CLASSIFIER_POOLING)
    setattr(model, _FORMER, "" if former == pooling else former)
    setattr(model.config, CLASSIFIER_POOLING, pooling)
    if hasattr(model, CLASSIFIER_POOLING):  # EuroBERT has read its config already
        setattr(model, CLASSIFIER_POOLING, pooling)


def needs_mean_layer(config: Any) -> bool:
    """Return whether the head of a classifier with this configuration reads the mean only by one more layer."""
    return not hasattr(config, CLASSIFIER_POOLING) and not getattr(config, HAS_MEAN_LAYER, False)


def suits_mean_layer(source: str, config: Any, revision: str | None = None) -> bool:
    """Return whether an encoder is one whose mean of tokens says more than its [CLS], and can hand it to the head."""
    return can_add_mean_layer(config.model_type) and is_mean_pooled(source, revision)


def lacks_mean_layer(folder: str, config: Any) -> bool:
    """Return whether a folder's encoder is trained on the mean of its tokens, which no head here can read.

    A name on the model hub is not asked about: a hub that does not answer must not end a job for words in its log.
    """
    can_read = can_add_mean_layer(config.model_type) or hasattr(config, CLASSIFIER_POOLING)
    return not can_read and Path(folder).is_dir() and is_mean_pooled(folder)


def _pooling_settings(source: str, revision: str | None) -> dict[str, Any]:
    """Return what an encoder says of its pooling; empty if it says nothing.

    Raises:
        PlatformError: when the model hub does not tell: a guess would make another run of each attempt.
    """
    path = _pooling_file(source, revision)
    try:
        settings = json.loads(path.read_text(encoding="utf-8")) if path else {}
    except ValueError:
        return {}  # damaged, then nothing is known: [CLS], as transformers has it
    return settings if isinstance(settings, dict) else {}


def _pooling_file(source: str, revision: str | None) -> Path | None:
    if Path(source).is_dir():
        return pooling_file(Path(source))
    try:
        path = cached_file(
            source, POOLING_FILE, revision=revision, _raise_exceptions_for_missing_entries=False
        )
    except OSError as error:
        if constants.HF_HUB_OFFLINE:
            return None
        raise PlatformError(
            f"The model hub does not say whether {source} is a sentence encoder: {first_line(error).rstrip(' .:')}.",
            "Start the job again, or set pooling=cls or pooling=mean.",
        ) from error
    return Path(path) if path else None
