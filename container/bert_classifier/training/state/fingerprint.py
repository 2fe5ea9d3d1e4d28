"""The run fingerprint: jobs with equal fingerprints may resume each other's checkpoints, bit for bit."""

import hashlib
from collections.abc import Mapping
from typing import Any

from bert_classifier.errors import UserError
from bert_classifier.job.config import READER_SETTINGS, TrainConfig
from bert_classifier.modeling.equal_lengths import EqualLengths
from bert_classifier.modeling.heads import loaded_head
from bert_classifier.modeling.hub import pinned
from bert_classifier.modeling.packed import PackedForward
from bert_classifier.modeling.pooling import CLASSIFIER_POOLING
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.layer_depths import depths_rule
from bert_classifier.training.optimizer import decay_by_shape
from bert_classifier.training.prepare import PreparedData
from bert_classifier.training.state.checkpoint import tensor_bytes
from bert_classifier.training.trainer import Trainer

# Settings that do not change the result, or whose effect (such as a file's content) is in the fingerprint itself.
_LEFT_OUT = frozenset(
    {
        "model_name", "train_file", "validation_file", "class_file", "validation_split", "precision",
        "global_batch_size", "per_device_batch_size", "gradient_accumulation_steps",
        "max_tokens_per_micro_batch", "checkpoint_interval_seconds", "max_run_seconds", "logging_steps",
        "processes_per_host", "peer_timeout_seconds", "damaged_checkpoints", "abstain_below", "target_accuracy",
        "keep_weights", "reproducible", "page_examples", "seeds", "cross_validation",
        "pooling", "head_init", "keep_head", "revision", "label_threshold", "target_precision",
        *READER_SETTINGS,
    }
)  # fmt: skip


_ALWAYS_PACKED = ("bert", "distilbert", "electra", "roberta")


_OF_ENCODER = frozenset({"pretrained_weights", "tokenizer", "layer_depths", "loaded_head", "has_token_types"})


def run_fingerprint(trainer: Trainer, prepared: PreparedData, tokenizer: Any) -> dict[str, Any]:
    """Return the fingerprint of a run, by field, before its first step; JSON values."""
    return {
        **_settings(trainer.config),
        **_depths(trainer),
        **_decay(trainer),
        **_arithmetic(trainer),
        **_start(trainer),
        **_commit(trainer.config),
        **_pairs(prepared),
        "num_train_epochs": trainer.recipe.num_train_epochs,
        "learning_rate": trainer.recipe.learning_rate,
        "warmup_ratio": trainer.recipe.warmup_ratio,
        "precision": trainer.precision,
        "global_batch": trainer.recipe.global_batch_size,
        "token_budget": trainer.state.token_budget if trainer.engine.is_reproducible else 0,
        "rows_per_micro_batch": trainer.config.per_device_batch_size,
        "pretrained_weights": _digest_of_encoder(trainer),
        "labels": _digest("\n".join(prepared.labels)),
        "tokenizer": _digest(tokenizer.backend_tokenizer.to_str()),
        "train_data": prepared.fingerprints["train"],
        "validation_data": prepared.fingerprints["validation"],
    }


def require_same_run(
    distributed: DistributedContext, fingerprint: Mapping[str, Any], host: str, hub_name: str = ""
) -> None:
    """Refuse to train if the ranks differ in data, model or settings.

    Args:
        hub_name: of the encoder on the model hub; "" for a folder.
    Raises:
        UserError: on all ranks, with the first host that differs and the fields.
    """
    first, *others = distributed.all_gather_json({"host": host, "fingerprint": dict(fingerprint)})
    for other in others:
        theirs, ours = other["fingerprint"], first["fingerprint"]
        fields = sorted(name for name in fingerprint if theirs.get(name) != ours[name])
        if "commit" in fields:
            raise UserError(
                f"Host {other['host']} has commit {theirs.get('commit')} of the encoder, and host {first['host']} has"
                f" {ours['commit']}: the branch or tag that `revision` names has moved between them.",
                "Start again, with `revision` set to one of the two commits.",
            )
        if hub_name and fields and {*fields} <= _OF_ENCODER:
            raise UserError(
                f"Host {other['host']} has other files of {hub_name} than host {first['host']} ({', '.join(fields)}):"
                " its main branch on the model hub has moved between them.",
                "Start again, with `revision` set to a commit, so that all hosts take the same files.",
            )
        if fields:
            raise UserError(
                f"Host {other['host']} differs from host {first['host']} in: {', '.join(fields)}.",
                "Give every channel the S3 distribution FullyReplicated, so that all instances have the same data.",
            )


def _settings(config: TrainConfig) -> dict[str, Any]:
    return {name: value for name, value in config.recorded().items() if name not in _LEFT_OUT}


def _depths(trainer: Trainer) -> dict[str, Any]:
    """Return a field if layer_decay sets other learning rates than in early versions, which used parameter names."""
    rule = "" if trainer.config.layer_decay == 1 else depths_rule(trainer.model)
    return {"layer_depths": rule} if rule else {}


def _decay(trainer: Trainer) -> dict[str, Any]:
    """Return a field if other parameters decay than in early versions, where every table did."""
    if trainer.config.weight_decay == 0 or decay_by_shape(trainer.model):
        return {}
    return {"weight_decay_groups": "without biases"}


def _start(trainer: Trainer) -> dict[str, Any]:
    """Return fields for a head that reads something else, or starts in another way, than those of early versions."""
    config = trainer.config
    has_choice = config.pooling != "auto" and hasattr(trainer.model.config, CLASSIFIER_POOLING)
    pooling = {"pooling": config.pooling} if has_choice else {}  # a layer more shows in the weights
    start = {"head_init": config.head_init} if config.head_init == "logistic_regression" else {}
    return {**pooling, **start, **_head(trainer)}


def _head(trainer: Trainer) -> dict[str, Any]:
    """Return a field if the head of a classifier is not taken as early versions took it: by its number of classes."""
    head = loaded_head(trainer.model)
    if head.became == "replaced":
        return {"loaded_head": "replaced"}
    if head.became == "reordered" or (head.is_kept and trainer.config.keep_head == "true"):
        digest = hashlib.sha256()
        for name in head.parts:
            digest.update(tensor_bytes(trainer.model.get_parameter(name).detach().cpu()))
        return {"loaded_head": digest.hexdigest()}
    return {}


def _commit(config: TrainConfig) -> dict[str, Any]:
    """Return a field for an encoder of a fixed revision: a branch that has moved is another one."""
    return {"commit": pinned(config.model_name, config.revision)} if config.revision else {}


def _pairs(prepared: PreparedData) -> dict[str, Any]:
    """Return a field for text pairs, whose tokens are of one type or of two."""
    return {"has_token_types": prepared.pairs["has_token_types"]} if prepared.pairs else {}


def _arithmetic(trainer: Trainer) -> dict[str, Any]:
    """Return fields for what early versions computed in another way, or could not."""
    master = {"master_weights": True} if trainer.precision == "bf16" else {}
    order = {} if trainer.engine.is_reproducible else {"reproducible": False}
    return {**master, **_micro_batches(trainer), **order}


def _micro_batches(trainer: Trainer) -> dict[str, Any]:
    """Return a field for an encoder that early versions padded, and that is computed without padding now."""
    if isinstance(trainer.forward, EqualLengths):
        return {"micro_batches": "by length"}
    family = getattr(getattr(trainer.model, "config", None), "model_type", None)
    was_padded = isinstance(trainer.forward, PackedForward) and family not in _ALWAYS_PACKED
    return {"micro_batches": "in a row"} if was_padded else {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_of_encoder(trainer: Trainer) -> str:
    """Digest the pretrained weights without the head: the seed determines it, but its bits vary with the version."""
    digest = hashlib.sha256()
    encoder = getattr(trainer.model, "base_model", trainer.model)
    for name, tensor in encoder.state_dict().items():
        if "pooler" not in name:
            digest.update(name.encode())
            digest.update(tensor_bytes(tensor.cpu()))
    return digest.hexdigest()
