"""The pretrained encoder that comes in, and the artifact that goes out: what training and serving share.

No pickle is opened and no code of a model folder is imported, neither here nor by what is called from here.
"""

import dataclasses
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from bert_classifier.encoder_folder import positions_of
from bert_classifier.errors import PlatformError, UserError, remedy_for
from bert_classifier.logits import PROBE_TEXTS, probe_logits
from bert_classifier.manifest import find_artifact, put_files, read_object, verify, write_json
from bert_classifier.model_folder import cannot_load, check_config, check_known
from bert_classifier.tokenization import TextEncoder

logger = logging.getLogger(__name__)

TRAINING_INFO = "training.json"
ARTIFACT_FILES = frozenset({"model.safetensors", "config.json", "tokenizer.json", TRAINING_INFO})
# What training.json must say for an artifact to be used.
_NEEDED_INFO: dict[str, Callable[[Any], bool]] = {
    "labels": lambda value: isinstance(value, list),
    "max_seq_length": lambda value: isinstance(value, int),
    "truncation": lambda value: value in ("head", "head_tail", "windows"),
    "max_windows": lambda value: isinstance(value, int) and value > 0,
    "window_overlap": lambda value: isinstance(value, int | float) and 0 <= value < 1,
    "pad_token_id": lambda value: isinstance(value, int),
    "temperature": lambda value: isinstance(value, int | float) and value > 0,
    "abstain_below": lambda value: isinstance(value, int | float) and 0 <= value <= 1,
}
_WITHOUT_WINDOWS = {"max_windows": 1, "window_overlap": 0.0}  # where training.json does not speak of them
_RETRAIN = "Train again with this version, or restore the folder."
# How the configurations of the supported families call attention dropout.
_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")
# The pooler belongs to the encoder's module but learns with the head.
HEAD_PARTS = ("pooler",)


@dataclasses.dataclass(frozen=True)
class Artifact:
    """A trained classifier, ready to answer.

    Attributes:
        model: in evaluation mode, float32, on the CPU.
        encoder: cuts and encodes texts as in training.
        labels: class names in the order of the logits.
        temperature: what logits are divided by before softmax (1 = not calibrated).
        abstain_below: the score below which a text gets no label (0 = never).
        info: the content of training.json.
    """

    model: transformers.PreTrainedModel
    encoder: TextEncoder
    labels: tuple[str, ...]
    temperature: float
    abstain_below: float
    info: dict[str, Any]


def quiet_transformers() -> None:
    """Silence the progress bars and load reports of transformers: what matters is logged here."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def load_tokenizer(source: str) -> transformers.PreTrainedTokenizerFast:
    """Return the fast tokenizer of a checkpoint folder or hub name.

    Raises:
        UserError: when there is none, or it has no padding token.
    """
    check_known(source)
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(source, use_fast=True, trust_remote_code=False)
    except Exception as error:  # the library raises anything on a bad folder
        raise cannot_load("tokenizer", source, error) from error
    if not getattr(tokenizer, "is_fast", False) or tokenizer.pad_token_id is None:
        raise UserError(
            f"The tokenizer of {source} has no tokenizer.json, or no padding token.",
            "Save it anew with transformers: AutoTokenizer.from_pretrained(…).save_pretrained(…).",
        )
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):  # as made up for want of a file
        raise UserError(
            f"{source} has no tokenizer that knows a word.",
            "Put the tokenizer.json (or vocab.txt) that the model was trained with beside it.",
        )
    return tokenizer  # type: ignore[no-any-return]


def load_pretrained(
    source: str, labels: Sequence[str], tokenizer: Any, max_seq_length: int
) -> transformers.PreTrainedModel:
    """Return a pretrained encoder under a new classification head.

    Attention dropout is turned off, so that every way of computing attention gives the same result.

    Args:
        source: a folder in transformers' layout (safetensors), or a name on the model hub.
        labels: class names; their order is that of the logits.
    Raises:
        UserError: when the checkpoint is missing, damaged, pickled, needs code of its own, is no encoder, or
            does not fit the tokenizer or the length.
    """
    config = _load_config(source)
    check_config(config, source, max(tokenizer.get_vocab().values()), max_seq_length)
    for name in _ATTENTION_DROPOUT:
        if hasattr(config, name):
            setattr(config, name, 0.0)
    config.num_labels = len(labels)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    config.problem_type = "single_label_classification"
    model, report = _load_model(source, config)
    encoder = [key for key in _incomplete_keys(report) if key.startswith(model.base_model_prefix + ".")]
    gaps = [key for key in encoder if not any(part in key for part in HEAD_PARTS)]
    if gaps:
        raise UserError(
            f"The weights of {source} do not fit its config.json: {len(gaps)} encoder tensor(s) missing or of"
            f" another shape, such as {gaps[0]}.",
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
            ignore_mismatched_sizes=True,  # a head for other classes is replaced; callers check the encoder
            output_loading_info=True,
        )
    except Exception as error:  # the library raises anything on a bad folder
        raise cannot_load("model", source, error) from error


def _incomplete_keys(report: Mapping[str, Any]) -> list[str]:
    mismatched = [key[0] if isinstance(key, tuple) else key for key in report.get("mismatched_keys", ())]
    return sorted({*report.get("missing_keys", ()), *mismatched})


def _load_config(source: str) -> Any:
    check_known(source)
    try:
        return AutoConfig.from_pretrained(source, trust_remote_code=False)
    except Exception as error:  # the library raises anything on a bad folder
        raise cannot_load("model", source, error) from error


def longest_input(source: str) -> int | None:
    """Return the most tokens that a checkpoint can take; None when it knows no limit.

    Raises:
        UserError: when it has no configuration that can be read.
    """
    return positions_of(_load_config(source).to_dict())


def freeze_encoder(model: transformers.PreTrainedModel) -> None:
    """Let only the classification head learn, a pooler included."""
    for name, parameter in model.base_model.named_parameters():
        parameter.requires_grad = any(part in name for part in HEAD_PARTS)


def save_artifact(
    folder: Path,
    model: transformers.PreTrainedModel,
    tokenizer: Any,
    labels: Sequence[str],
    info: Mapping[str, Any],
) -> None:
    """Write a trained classifier so that it is never there by half.

    Args:
        info: what training.json says; `max_seq_length`, `truncation` and the settings of windows decide how served
            texts are cut.
    Raises:
        PlatformError: when a disk cannot take it; `folder` then holds no artifact, or the old one unharmed.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="artifact-") as scratch:
            staged = Path(scratch)
            model.save_pretrained(staged, safe_serialization=True)
            tokenizer.save_pretrained(staged)
            told = {
                **_WITHOUT_WINDOWS,
                **info,
                "labels": list(labels),
                "pad_token_id": tokenizer.pad_token_id,
            }
            encoder = _encoder(tokenizer.backend_tokenizer, told)
            told["probes"] = {"texts": PROBE_TEXTS, "logits": probe_logits(model, encoder, PROBE_TEXTS)}
            write_json(staged / TRAINING_INFO, told)
            put_files(staged, folder)
    except (OSError, SafetensorError) as error:
        raise PlatformError(
            f"The model cannot be written to {folder}: {error}.",
            remedy_for(error) or "Give the job a larger volume (volume_size), and mount the folder writable.",
        ) from error


def load_artifact(folder: Path) -> Artifact:
    """Return the classifier that save_artifact wrote.

    Raises:
        UserError: when the folder is not an artifact, or a byte of it differs from what was written.
    """
    folder = find_artifact(folder)
    verify(folder, ARTIFACT_FILES)
    info = _read_info(folder)
    config = _load_config(str(folder))
    labels = info["labels"]
    if [config.id2label.get(index) for index in range(max(len(labels), config.num_labels))] != labels:
        raise UserError(f"{folder}: the labels of config.json and {TRAINING_INFO} differ.", _RETRAIN)
    tokenizer = _read_tokenizer(folder)
    check_config(config, str(folder), max(tokenizer.get_vocab().values()), info["max_seq_length"])
    model, report = _load_model(str(folder), config)
    if _incomplete_keys(report):
        gap = _incomplete_keys(report)[0]
        raise UserError(f"{folder}: model.safetensors does not fit config.json at {gap}.", _RETRAIN)
    encoder = _encoder(tokenizer, info)
    if not info.get("is_complete", True):
        logger.warning(
            "the model in %s is that of a run that was stopped at step %s: training.json says is_complete=false",
            folder,
            info.get("steps"),
        )
    return Artifact(model.eval(), encoder, tuple(labels), info["temperature"], info["abstain_below"], info)


def _encoder(tokenizer: Tokenizer, info: Mapping[str, Any]) -> TextEncoder:
    """Return the encoder that cuts texts as training.json says."""
    return TextEncoder(
        tokenizer,
        info["pad_token_id"],
        info["max_seq_length"],
        info["truncation"],
        info["max_windows"],
        info["window_overlap"],
    )


def _read_info(folder: Path) -> dict[str, Any]:
    """Return training.json, which another version may have written."""
    defaults = {"temperature": 1.0, "abstain_below": 0.0, **_WITHOUT_WINDOWS}
    info = {**defaults, **read_object(folder / TRAINING_INFO, _RETRAIN)}
    for name, is_usable in _NEEDED_INFO.items():
        if not is_usable(info.get(name)):
            raise UserError(f"{folder / TRAINING_INFO} has no usable {name}.", _RETRAIN)
    return info


def _read_tokenizer(folder: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library knows no other type
        raise cannot_load("tokenizer", str(folder), error) from error
