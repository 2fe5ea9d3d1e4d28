"""Load a pretrained encoder with a new classification head, without unpickling or running a checkpoint's code."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedConfig

from bert_classifier.errors import UserError
from bert_classifier.job.encoder_types import check_type
from bert_classifier.modeling.model_folder import cannot_load, check_config

# Names of attention dropout in the configurations of the supported families.
_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")
# The pooler is part of the encoder's module but trained with the head.
HEAD_PARTS = ("pooler",)


def quiet_transformers() -> None:
    """Silence the progress bars and load reports of transformers."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def load_pretrained(
    source: str, labels: Sequence[str], tokenizer: Any, max_seq_length: int | None
) -> transformers.PreTrainedModel:
    """Return a pretrained encoder with a new classification head.

    Attention dropout is disabled, so that every attention kernel gives the same result.

    Args:
        source: a folder in transformers' layout (safetensors), or a name on the model hub.
        labels: class names in the order of the logits.
        tokenizer: from load_tokenizer, which has checked the folder.
    Raises:
        UserError: when the checkpoint is missing, damaged, pickled, needs its own code, is not an encoder, or
            does not fit the tokenizer or max_seq_length.
    """
    config = load_config(source)
    check_config(config, source, max(tokenizer.get_vocab().values()), max_seq_length)
    for name in _ATTENTION_DROPOUT:
        if hasattr(config, name):
            setattr(config, name, 0.0)
    config.num_labels = len(labels)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    config.problem_type = "single_label_classification"
    model, report = load_model(source, config)
    encoder = [key for key in incomplete_keys(report) if key.startswith(model.base_model_prefix + ".")]
    gaps = [key for key in encoder if not any(part in key for part in HEAD_PARTS)]
    if gaps:
        raise UserError(
            f"The weights of {source} do not fit its config.json: {len(gaps)} encoder tensor(s) missing or of"
            f" another shape, such as {gaps[0]}.",
            "Give a complete checkpoint of the model that config.json describes.",
        )
    return model


def load_model(source: str, config: Any) -> tuple[transformers.PreTrainedModel, dict[str, Any]]:
    """Return a classifier in float32, and transformers' report on its weights, which the caller must check.

    A head with another number of classes is replaced.

    Raises:
        UserError: when the weights cannot be loaded.
    """
    try:
        return AutoModelForSequenceClassification.from_pretrained(  # type: ignore[no-any-return]
            source,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as error:  # the library raises anything on a bad folder
        raise cannot_load("model", source, error) from error


def incomplete_keys(report: Mapping[str, Any]) -> list[str]:
    """Return the names of weights that are missing or of another shape, from load_model's report."""
    mismatched = [key[0] if isinstance(key, tuple) else key for key in report.get("mismatched_keys", ())]
    return sorted({*report.get("missing_keys", ()), *mismatched})


def load_config(source: str) -> Any:
    """Return the configuration of a checkpoint, without running its code.

    Raises:
        UserError: when it cannot be read or its family is unknown.
    """
    try:
        fields, _ = PreTrainedConfig.get_config_dict(source)
        check_type(fields, source)
        return AutoConfig.from_pretrained(source, trust_remote_code=False)
    except UserError:
        raise
    except Exception as error:  # the library raises anything on a bad folder
        raise cannot_load("model", source, error) from error


def freeze_encoder(model: transformers.PreTrainedModel) -> None:
    """Train only the classification head, a pooler included."""
    for name, parameter in model.base_model.named_parameters():
        parameter.requires_grad = any(part in name for part in HEAD_PARTS)
