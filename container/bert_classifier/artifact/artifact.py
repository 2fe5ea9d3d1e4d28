"""A trained classifier as a folder: written atomically, verified when loaded."""

import dataclasses
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import transformers
from safetensors import SafetensorError
from tokenizers import Tokenizer

from bert_classifier.artifact.manifest import find_artifact, put_files, verify
from bert_classifier.artifact.model_card import MODEL_CARD, model_card
from bert_classifier.artifact.saved_tokenizer import save_tokenizer
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.errors import PlatformError, UserError, remedy_for
from bert_classifier.job.json_files import read_object, write_json
from bert_classifier.label_mapper import ClassNames
from bert_classifier.modeling.model_folder import cannot_load, check_config
from bert_classifier.modeling.pretrained import incomplete_keys, load_config, load_model
from bert_classifier.modeling.probes import PROBE_TEXTS, probe_logits

logger = logging.getLogger(__name__)

TRAINING_INFO = "training.json"
# Values of its field classes_from, which older versions did not write: only a class file gives the classes numbers.
CLASS_FILE, TRAINING_LABELS = "class file", "training labels"
ARTIFACT_FILES = frozenset({"model.safetensors", "config.json", "tokenizer.json", TRAINING_INFO})
# Required fields of training.json.
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
_WITHOUT_WINDOWS = {"max_windows": 1, "window_overlap": 0.0}  # older versions did not write them
_RETRAIN = "Train again with this version, or restore the folder."


@dataclasses.dataclass(frozen=True)
class Artifact:
    """A loaded classifier.

    Attributes:
        model: in evaluation mode, float32, on the CPU.
        encoder: cuts and encodes texts as in training.
        labels: class names in the order of the logits, and whether numbers count them.
        temperature: divides logits before softmax (1 = not calibrated).
        abstain_below: texts with a lower score get no label (0 = never).
        info: the content of training.json.
    """

    model: transformers.PreTrainedModel
    encoder: TextEncoder
    labels: ClassNames
    temperature: float
    abstain_below: float
    info: dict[str, Any]


def save_artifact(
    folder: Path,
    model: transformers.PreTrainedModel,
    tokenizer: Any,
    labels: Sequence[str],
    info: Mapping[str, Any],
) -> None:
    """Write a trained classifier atomically.

    Args:
        info: the content of training.json; its CUT_SETTINGS apply to served texts too.
    Raises:
        PlatformError: when it cannot be written; `folder` then holds no artifact, or the old one intact.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="artifact-") as scratch:
            staged = Path(scratch)
            model.save_pretrained(staged, safe_serialization=True)
            pad_id = tokenizer.pad_token_id
            fields = {**_WITHOUT_WINDOWS, **info, "labels": list(labels), "pad_token_id": pad_id}
            save_tokenizer(staged, tokenizer, model, fields["max_seq_length"])
            encoder = TextEncoder.from_settings(tokenizer.backend_tokenizer, pad_id, fields)
            fields["probes"] = {"texts": PROBE_TEXTS, "logits": probe_logits(model, encoder, PROBE_TEXTS)}
            write_json(staged / TRAINING_INFO, fields)
            (staged / MODEL_CARD).write_text(model_card(fields), encoding="utf-8")
            put_files(staged, folder)
    except (OSError, SafetensorError) as error:
        raise PlatformError(
            f"The model cannot be written to {folder}: {error}.",
            remedy_for(error) or "Give the job a larger volume (volume_size), and mount the folder writable.",
        ) from error


def load_artifact(folder: Path) -> Artifact:
    """Load the classifier that save_artifact wrote.

    Raises:
        UserError: when the folder is not an artifact, or has been altered.
    """
    folder = find_artifact(folder)
    verify(folder, ARTIFACT_FILES)
    info = _read_info(folder)
    config = load_config(str(folder))
    labels = info["labels"]
    if [config.id2label.get(index) for index in range(max(len(labels), config.num_labels))] != labels:
        raise UserError(f"{folder}: the labels of config.json and {TRAINING_INFO} differ.", _RETRAIN)
    tokenizer = _read_tokenizer(folder)
    check_config(config, str(folder), max(tokenizer.get_vocab().values()), info["max_seq_length"])
    model, report = load_model(str(folder), config)
    if gaps := incomplete_keys(report):
        raise UserError(f"{folder}: model.safetensors does not fit config.json at {gaps[0]}.", _RETRAIN)
    encoder = TextEncoder.from_settings(tokenizer, info["pad_token_id"], info)
    if not info.get("is_complete", True):
        stopped = "the model in %s comes from a run stopped at step %s: training.json says is_complete=false"
        logger.warning(stopped, folder, info.get("steps"))
    names = ClassNames(labels, are_numbered=_are_numbered(labels, info.get("classes_from")))
    return Artifact(model.eval(), encoder, names, info["temperature"], info["abstain_below"], info)


def _are_numbered(labels: Sequence[str], origin: object) -> bool | None:
    """Return whether a class file gave the classes their order; None if a model that does not say may have had one.

    Alphabetical order proves none: it is that of classes from labels.
    """
    if origin in (CLASS_FILE, TRAINING_LABELS):
        return origin == CLASS_FILE
    return False if list(labels) == sorted(labels) else None


def _read_info(folder: Path) -> dict[str, Any]:
    """Return the fields of training.json, which another version may have written."""
    defaults = {"temperature": 1.0, "abstain_below": 0.0, **_WITHOUT_WINDOWS}
    info = {**defaults, **read_object(folder / TRAINING_INFO, _RETRAIN)}
    for name, is_usable in _NEEDED_INFO.items():
        if not is_usable(info.get(name)):
            raise UserError(f"{folder / TRAINING_INFO} has no usable {name}.", _RETRAIN)
    return info


def _read_tokenizer(folder: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises nothing more specific
        raise cannot_load("tokenizer", str(folder), error) from error
