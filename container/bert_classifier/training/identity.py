"""What makes a run this run: two jobs that agree in it may resume each other's checkpoints, bit for bit."""

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

from bert_classifier.config import TrainConfig
from bert_classifier.examples import Examples
from bert_classifier.training.checkpoint import tensor_bytes
from bert_classifier.training.trainer import Trainer

# Settings that name things whose content is in the identity, or that do not change what is computed.
_WITHOUT_EFFECT = frozenset(
    {
        "model_name", "train_file", "validation_file", "class_file", "validation_split", "precision",
        "global_batch_size", "per_device_batch_size", "gradient_accumulation_steps",
        "max_tokens_per_micro_batch", "checkpoint_interval_seconds", "logging_steps",
    }
)  # fmt: skip


def run_identity(
    trainer: Trainer, labels: Sequence[str], tokenizer: Any, train: Examples, validation: Examples
) -> dict[str, Any]:
    """Return the identity of a run, by field, before its first step; JSON values."""
    return {
        **_settings(trainer.config),
        "precision": trainer.precision,
        "global_batch": trainer.config.resolve_global_batch_size(1),
        "token_budget": trainer.token_budget,
        "rows_per_micro_batch": trainer.config.per_device_batch_size,
        "pretrained_weights": _digest_of_encoder(trainer),
        "labels": _digest("\n".join(labels)),
        "tokenizer": _digest(tokenizer.backend_tokenizer.to_str()),
        "train_data": train.fingerprint(),
        "validation_data": validation.fingerprint(),
    }


def _settings(config: TrainConfig) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in _WITHOUT_EFFECT}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_of_encoder(trainer: Trainer) -> str:
    """Digest what was pretrained; the head follows from the seed, but in other bits with another library."""
    digest = hashlib.sha256()
    encoder = getattr(trainer.model, "base_model", trainer.model)
    for name, tensor in encoder.state_dict().items():
        if "pooler" not in name:
            digest.update(name.encode())
            digest.update(tensor_bytes(tensor.cpu()))
    return digest.hexdigest()
