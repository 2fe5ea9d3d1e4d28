"""Load a pretrained encoder with a new classification head, without unpickling or running a checkpoint's code."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import transformers
from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForSequenceClassification, PreTrainedConfig

from bert_classifier.errors import UserError
from bert_classifier.job.encoder_config import check_values
from bert_classifier.job.encoder_folder import check_length
from bert_classifier.job.encoder_types import check_type
from bert_classifier.job.task import Task
from bert_classifier.modeling.config_errors import check_dtype, config_error
from bert_classifier.modeling.encoder_fit import HEAD_PARTS, check_encoder, check_unused
from bert_classifier.modeling.heads import head_of_config, use_head
from bert_classifier.modeling.model_folder import at_revision, cannot_load, check_config
from bert_classifier.modeling.own_code import check_native
from bert_classifier.modeling.positions import positions_of_model

# Names of attention dropout in the configurations of the supported families.
_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")
# How the program has every model computed, whatever a checkpoint's config.json says of how it was.
_CHOSEN_HERE = frozenset(
    {
        "return_dict", "use_return_dict", "attn_implementation", "_attn_implementation",
        "_attn_implementation_internal", "reference_compile",
    }
)  # fmt: skip
_LOCAL, _GLOBAL = "local_rope_theta", "global_rope_theta"  # ModernBERT's
_ANY_LABELS = ("any", "other")


def quiet_transformers() -> None:
    """Silence the progress bars and load reports of transformers."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def load_pretrained(
    source: str,
    labels: Sequence[str] | None,
    tokenizer: Any,
    max_seq_length: int | None,
    *,
    task: Task = Task.SINGLE,
    keep_head: str = "auto",
    revision: str | None = None,
) -> transformers.PreTrainedModel:
    """Return a pretrained encoder with a classification head, which is new unless the checkpoint's own is kept.

    Attention dropout is disabled, so that every attention kernel gives the same result.

    Args:
        source: a folder in transformers' layout (safetensors), or a name on the model hub.
        labels: class names in the order of the logits; None while they are not known: the model is then for two.
        tokenizer: from load_tokenizer, which has checked the folder.
        task: whether a text has one label or any number.
        keep_head: "auto", "true" or "false"; see keep_head_of.
        revision: branch, tag or commit of a name on the model hub; None for its default branch.
    Raises:
        UserError: when the checkpoint is missing, damaged, pickled, needs its own code, is not an encoder, does not
            fit the tokenizer or max_seq_length, or has no head that could be kept.
    """
    config, named = load_config(source, revision), at_revision(source, revision)
    head, names = head_of_config(config, named, keep_head), labels or _ANY_LABELS
    has_code = bool(vars(config).pop("auto_map", None))
    check_config(config, named, max(tokenizer.get_vocab().values()))
    for name in _ATTENTION_DROPOUT:
        if hasattr(config, name):
            setattr(config, name, 0.0)
    config.num_labels = len(names)
    config.id2label = dict(enumerate(names))
    config.label2id = {label: index for index, label in enumerate(names)}
    config.problem_type = task.problem_type
    model, report = load_model(source, config, revision)
    check_length(positions_of_model(model), named, max_seq_length)
    check_encoder(model, report, named)
    if has_code:
        check_native(model, report, named)
    else:
        check_unused(model, report, named)
    use_head(model, head, report, labels, task)
    return model


def load_model(
    source: str, config: Any, revision: str | None = None
) -> tuple[transformers.PreTrainedModel, dict[str, Any]]:
    """Return a classifier in float32, and transformers' report on its weights, which the caller must check.

    A head for another number of classes is replaced.

    Raises:
        UserError: when the weights cannot be loaded.
    """
    try:
        return AutoModelForSequenceClassification.from_pretrained(  # type: ignore[no-any-return]
            source,
            config=config,
            **_at(revision),
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as error:  # the library raises anything on a bad folder
        raise _cannot_build(source, error, revision) from error


def incomplete_keys(report: Mapping[str, Any]) -> list[str]:
    """Return the names of weights that are missing or of another shape, from load_model's report."""
    mismatched = [key[0] if isinstance(key, tuple) else key for key in report.get("mismatched_keys", ())]
    return sorted({*report.get("missing_keys", ()), *mismatched})


def load_config(source: str, revision: str | None = None) -> Any:
    """Return the configuration of a checkpoint, without running its code.

    Raises:
        UserError: when it cannot be read or its family is unknown.
    """
    named = at_revision(source, revision)
    try:
        fields = _fields(source, revision)
        check_type(fields, named)
        check_values(fields, named)
        check_dtype(fields, named)
        return _config_of(source, fields, revision)
    except UserError:
        raise
    except Exception as error:  # the library raises anything on a bad folder
        raise _cannot_build(source, error, revision) from error


def _fields(source: str, revision: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = PreTrainedConfig.get_config_dict(source, **_at(revision))[0]
    return fields


def _config_of(source: str, fields: dict[str, Any], revision: str | None) -> Any:
    """Return the configuration that fields of config.json describe, without those that the program chooses itself."""
    own = {name: value for name, value in fields.items() if name not in _CHOSEN_HERE}
    if own["model_type"] == "modernbert" and own.get(_LOCAL, "") is None:
        del own[_LOCAL]  # then its local layers turn as the global ones do, as transformers 4 computed it
        own |= {_LOCAL: own[_GLOBAL]} if isinstance(own.get(_GLOBAL), int | float) else {}
    if own == fields:
        return AutoConfig.from_pretrained(source, trust_remote_code=False, **_at(revision))
    return CONFIG_MAPPING[own["model_type"]].from_dict({**own, "name_or_path": source})


def _cannot_build(source: str, error: Exception, revision: str | None) -> UserError:
    """Return the error for a model that transformers does not build: of its config.json if the cause is there."""
    with contextlib.suppress(Exception):
        found = config_error(error, _fields(source, revision), at_revision(source, revision))
        if found:
            return found
    return cannot_load("model", source, error, revision)


def _at(revision: str | None) -> dict[str, str]:
    return {"revision": revision} if revision else {}


def freeze_encoder(model: transformers.PreTrainedModel) -> None:
    """Train only the classification head, a pooler included."""
    for name, parameter in model.base_model.named_parameters():
        parameter.requires_grad = any(part in name for part in HEAD_PARTS)
