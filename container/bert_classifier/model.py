"""The pretrained encoder that comes in, and the artifact that goes out: what training and serving share.

No pickle is opened and no code of a model folder is imported, neither here nor by what is called from here.
"""

import dataclasses
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

from bert_classifier.errors import UserError
from bert_classifier.tokenization import TextEncoder

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
TRAINING_INFO = "training.json"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
# How the configurations of the supported families call attention dropout.
_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")
# The pooler belongs to the encoder's module but learns with the head.
_HEAD_PARTS = ("pooler",)


@dataclasses.dataclass(frozen=True)
class Artifact:
    """A trained classifier, ready to answer.

    Attributes:
        model: in evaluation mode, float32, on the CPU.
        encoder: cuts and encodes texts as in training.
        labels: class names in the order of the logits.
        temperature: what logits are divided by before softmax (1 = not calibrated).
        info: the content of training.json.
    """

    model: transformers.PreTrainedModel
    encoder: TextEncoder
    labels: tuple[str, ...]
    temperature: float
    info: dict[str, Any]


def quiet_transformers() -> None:
    """Silence the progress bars and load reports of transformers: what matters is logged here."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def load_tokenizer(source: str) -> transformers.PreTrainedTokenizerFast:
    """Return the fast tokenizer of a checkpoint folder or hub name.

    Raises:
        UserError: when there is none, or it has no padding token.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, use_fast=True, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - the library raises anything on a bad folder
        raise _cannot_load("tokenizer", source, error) from error
    if not getattr(tokenizer, "is_fast", False) or tokenizer.pad_token_id is None:
        raise UserError(f"The tokenizer of {source} is not a fast one with a padding token.", "Save one as tokenizer.json.")
    return tokenizer  # type: ignore[no-any-return]


def load_pretrained(source: str, labels: Sequence[str], tokenizer: Any, max_seq_length: int) -> transformers.PreTrainedModel:
    """Return a pretrained encoder under a new classification head.

    Attention dropout is turned off, so that every way of computing attention gives the same result.

    Args:
        source: a folder in transformers' layout (safetensors), or a name on the model hub.
        labels: class names; their order is that of the logits.
    Raises:
        UserError: when the checkpoint is missing, damaged, pickled, needs code of its own, is no encoder, or does not
            fit the tokenizer or the length.
    """
    config = _load_config(source)
    _check_config(config, source, len(tokenizer), max_seq_length)
    for name in _ATTENTION_DROPOUT:
        if hasattr(config, name):
            setattr(config, name, 0.0)
    config.num_labels = len(labels)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    config.problem_type = "single_label_classification"
    model, report = _load_model(source, config)
    unexpected_gaps = [key for key in _incomplete_keys(report) if key.startswith(model.base_model_prefix + ".")]
    unexpected_gaps = [key for key in unexpected_gaps if not any(part in key for part in _HEAD_PARTS)]
    if unexpected_gaps:
        raise UserError(
            f"The weights of {source} do not fit its config.json: {len(unexpected_gaps)} encoder tensors are missing or"
            f" of another shape, such as {unexpected_gaps[0]}.",
            "Give a complete checkpoint of the model that config.json describes.",
        )
    return model


def _load_model(source: str, config: Any) -> tuple[transformers.PreTrainedModel, dict[str, Any]]:
    try:
        return AutoModelForSequenceClassification.from_pretrained(  # type: ignore[no-any-return]
            source,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # a head for other classes is replaced; the encoder is checked by the caller
            output_loading_info=True,
        )
    except Exception as error:  # noqa: BLE001 - the library raises anything on a bad folder
        raise _cannot_load("model", source, error) from error


def _incomplete_keys(report: Mapping[str, Any]) -> list[str]:
    mismatched = [key[0] if isinstance(key, tuple) else key for key in report.get("mismatched_keys", ())]
    return sorted({*report.get("missing_keys", ()), *mismatched})


def _load_config(source: str) -> Any:
    folder = Path(source)
    if folder.is_dir():
        _check_folder(folder)
    try:
        return AutoConfig.from_pretrained(source, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - the library raises anything on a bad folder
        raise _cannot_load("model", source, error) from error


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} has no config.json.", "Put the checkpoint's files directly into this folder.")
    if not any((folder / name).is_file() for name in _WEIGHTS):
        raise UserError(
            f"{folder} has no model.safetensors.",
            "Pickled weights (.bin, .pt) are not opened: save them anew with save_pretrained(…) of transformers.",
        )


def _check_config(config: Any, source: str, vocabulary: int, max_seq_length: int) -> None:
    if getattr(config, "auto_map", None):
        raise UserError(f"The config.json of {source} asks to run code of the checkpoint (auto_map).", "Use a model without.")
    if type(config) not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        raise UserError(
            f"{source} is of type {config.model_type}, which has no sequence classification head.",
            "Use an encoder such as BERT, RoBERTa, DistilBERT or ELECTRA.",
        )
    if vocabulary > config.vocab_size:
        raise UserError(
            f"The tokenizer of {source} knows {vocabulary} tokens, the model only {config.vocab_size}.",
            "Give the tokenizer that the model was trained with.",
        )
    positions = _positions(config)
    if positions is not None and max_seq_length > positions:
        raise UserError(
            f"max_seq_length={max_seq_length} is more than the {positions} tokens that {source} can take.",
            f"Set max_seq_length to {positions} or less.",
        )


def _positions(config: Any) -> int | None:
    positions = getattr(config, "max_position_embeddings", None)
    if positions is None or config.model_type not in {"roberta", "xlm-roberta", "camembert"}:
        return positions
    return int(positions) - int(config.pad_token_id) - 1  # RoBERTa counts positions from the padding id on


def _cannot_load(what: str, source: str, error: Exception) -> UserError:
    if not Path(source).is_dir() and isinstance(error, OSError):
        return UserError(
            f"There is no folder {source}, and the model hub gave no {what} of that name.",
            "Check model_name, or give the job a `model` channel with the checkpoint's files (no network is needed then).",
        )
    kind = "damaged" if isinstance(error, SafetensorError) else "unusable"
    first_line = str(error).strip().split("\n")[0][:200]
    return UserError(
        f"The {what} in {source} is {kind}: {first_line}.", "Copy the checkpoint again and compare the sizes of its files."
    )


def freeze_encoder(model: transformers.PreTrainedModel) -> None:
    """Let only the classification head learn, a pooler included."""
    for name, parameter in model.base_model.named_parameters():
        parameter.requires_grad = any(part in name for part in _HEAD_PARTS)


def logits_of(model: torch.nn.Module, input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
    """Return the logits, float32 (b, classes), of token ids (b, length)."""
    logits: torch.Tensor = model(input_ids=input_ids, attention_mask=attention_mask).logits
    return logits.float()


def save_artifact(
    folder: Path, model: transformers.PreTrainedModel, tokenizer: Any, labels: Sequence[str], info: Mapping[str, Any]
) -> None:
    """Write a trained classifier so that it is never there by half: manifest.json, checked on loading, comes last.

    Args:
        info: what training.json says; `max_seq_length` and `truncation` decide how served texts are cut.
    Raises:
        OSError: when the folder cannot take it; the files of an earlier artifact are then still whole or lack their manifest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="artifact-") as scratch:
        staged = Path(scratch)
        model.save_pretrained(staged, safe_serialization=True)
        tokenizer.save_pretrained(staged)
        told = {**info, "labels": list(labels), "pad_token_id": tokenizer.pad_token_id}
        _write_json(staged / TRAINING_INFO, told)
        names = sorted(p.name for p in staged.iterdir() if p.is_file())
        _write_json(staged / MANIFEST, {"files": {name: _described(staged / name) for name in names}})
        (folder / MANIFEST).unlink(missing_ok=True)
        for name in (*names, MANIFEST):
            _put(staged / name, folder / name)


def _put(source: Path, target: Path) -> None:
    """Copy a file into another mount so that its final name never holds a part of it."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.copyfile(source, partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.chmod(0o644)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def load_artifact(folder: Path) -> Artifact:
    """Return the classifier that save_artifact wrote.

    Raises:
        UserError: when the folder is not an artifact, or a byte of it differs from what was written.
    """
    folder = _artifact_folder(folder)
    _verify(folder)
    info = _read_json(folder / TRAINING_INFO)
    config = _load_config(str(folder))
    labels = tuple(info.get("labels", ()))
    if len(labels) < 2 or [config.id2label.get(i) for i in range(len(labels))] != list(labels):
        raise UserError(f"{folder}: the labels of config.json and training.json differ.", "Train again, or restore the folder.")
    _check_config(config, str(folder), 0, info["max_seq_length"])
    model, report = _load_model(str(folder), config)
    if _incomplete_keys(report):
        raise UserError(f"{folder}: model.safetensors lacks {_incomplete_keys(report)[0]}.", "Train again, or restore it.")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    encoder = TextEncoder(tokenizer, info["pad_token_id"], info["max_seq_length"], info["truncation"])
    return Artifact(model.eval(), encoder, labels, float(info.get("temperature", 1.0)), info)


def _artifact_folder(folder: Path) -> Path:
    """Return where the artifact lies: in the folder, or one level below where an archive had a top folder."""
    if (folder / MANIFEST).is_file():
        return folder
    below = sorted(p.parent for p in folder.glob(f"[!.]*/{MANIFEST}"))
    if len(below) == 1:
        return below[0]
    raise UserError(
        f"{folder} holds no trained model: there is no {MANIFEST}.",
        "Serve the model.tar.gz (or the model folder) that `train` wrote.",
    )


def _verify(folder: Path) -> None:
    """Compare every file with the manifest, before any of them is interpreted."""
    files = _read_json(folder / MANIFEST).get("files")
    if not isinstance(files, dict) or not {"model.safetensors", "config.json", "tokenizer.json", TRAINING_INFO} <= set(files):
        raise UserError(f"{folder / MANIFEST} does not list an artifact's files.", "Restore the folder from model.tar.gz.")
    for name, told in files.items():
        path = folder / name
        if path.parent != folder or path.is_symlink() or not path.is_file():
            raise UserError(f"{path} of the trained model is missing.", "Restore the folder from model.tar.gz.")
        if _described(path) != told:
            raise UserError(f"{path} is not what training wrote (its digest differs).", "Restore it from model.tar.gz.")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"Cannot read {path}: {error}.", "Restore the folder from model.tar.gz.") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} is not a JSON object.", "Restore the folder from model.tar.gz.")
    return value
