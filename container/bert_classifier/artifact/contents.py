"""What an artifact's folder says, read and checked without the library that computes its model."""

import dataclasses
import functools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from bert_classifier.artifact.manifest import find_artifact, verify
from bert_classifier.data.text_pair import LONGEST_FIRST, ONLY_SECOND
from bert_classifier.encoding.text_encoder import PAIR_SETTINGS, TextEncoder
from bert_classifier.errors import UserError
from bert_classifier.job.encoder_weights import COPY_AGAIN
from bert_classifier.job.json_files import read_object
from bert_classifier.job.task import Task
from bert_classifier.job.wording import first_line
from bert_classifier.label_mapper import ClassNames

logger = logging.getLogger(__name__)

TRAINING_INFO = "training.json"
# Its fields where texts have several labels.
TASK, THRESHOLDS = "task", "thresholds"
PROBES = "probes"  # a field of it: see modeling.probes
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
    "is_paired": lambda value: isinstance(value, bool),
    "pair_truncation": lambda value: value in (None, LONGEST_FIRST, ONLY_SECOND),
    "has_token_types": lambda value: value is None or isinstance(value, bool),
    TASK: lambda value: value in list(Task),
    THRESHOLDS: lambda value: isinstance(value, dict) and all(map(_is_threshold, value.values())),
}
WITHOUT_WINDOWS = {"max_windows": 1, "window_overlap": 0.0}  # older versions did not write them
_NAMES_OF_NONE = {"0": "LABEL_0", "1": "LABEL_1"}  # what transformers reads from a config.json without names
RETRAIN = "Train again with this version, or restore the folder."


def _is_threshold(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and 0 <= value <= 1)


@dataclasses.dataclass(frozen=True)
class Artifact:
    """A loaded classifier.

    Attributes:
        model: in evaluation mode, float32, on the CPU; of transformers, or an engine.model.EngineModel.
        encoder: cuts and encodes texts as in training.
        labels: class names in the order of the logits, and whether numbers count them.
        temperature: divides logits before softmax (1 = not calibrated).
        abstain_below: texts with a lower score get no label (0 = never).
        info: the content of training.json.
    """

    model: Any
    encoder: TextEncoder
    labels: ClassNames
    temperature: float
    abstain_below: float
    info: dict[str, Any]

    @property
    def is_paired(self) -> bool:
        """Whether it classifies text pairs, or else single texts."""
        return self.encoder.is_paired

    @property
    def task(self) -> Task:
        """Whether a text gets one label, by softmax, or any number, each by sigmoid."""
        return Task(self.info.get(TASK, Task.SINGLE))

    @functools.cached_property
    def thresholds(self) -> np.ndarray:
        """The score from which each label is answered, float64 (classes,); infinite for one that never is."""
        given = self.info.get(THRESHOLDS, {})
        return np.array([np.inf if (at := given.get(name, 0.5)) is None else at for name in self.labels])


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a folder says of its classifier, beside the model's weights.

    Attributes:
        folder: where the files lie.
        config: the fields of config.json.
        tokenizer: from tokenizer.json.
        info: the content of training.json.
    """

    folder: Path
    config: dict[str, Any]
    tokenizer: Tokenizer
    info: dict[str, Any]

    def with_model(self, model: Any) -> Artifact:
        """Return the classifier with its model."""
        info = self.info
        names = ClassNames(
            info["labels"], are_numbered=_are_numbered(info["labels"], info.get("classes_from"))
        )
        encoder = TextEncoder.from_settings(self.tokenizer, info["pad_token_id"], info)
        return Artifact(model, encoder, names, info["temperature"], info["abstain_below"], info)


def read_contents(folder: Path) -> Contents:
    """Read and verify everything but the model's weights.

    Raises:
        UserError: when the folder is not an artifact, or has been altered.
    """
    folder = find_artifact(folder)
    verify(folder, ARTIFACT_FILES)
    info = _read_info(folder)
    config = read_object(folder / "config.json", RETRAIN)
    names = config.get("id2label", _NAMES_OF_NONE)
    labels = info["labels"]
    if [names.get(str(index)) for index in range(max(len(labels), len(names)))] != labels:
        raise UserError(f"{folder}: the labels of config.json and {TRAINING_INFO} differ.", RETRAIN)
    if not _are_probes(info.get(PROBES), len(labels)):
        raise UserError(f"{folder / TRAINING_INFO} has no usable {PROBES}.", RETRAIN)
    if not info.get("is_complete", True):
        stopped = "the model in %s comes from a run stopped at step %s: training.json says is_complete=false"
        logger.warning(stopped, folder, info.get("steps"))
    return Contents(folder, config, _read_tokenizer(folder), info)


def _are_numbered(labels: Sequence[str], origin: object) -> bool | None:
    """Return whether a class file gave the classes their order; None if a model that does not say may have had one.

    Alphabetical order proves none: it is that of classes from labels.
    """
    if origin in (CLASS_FILE, TRAINING_LABELS):
        return origin == CLASS_FILE
    return False if list(labels) == sorted(labels) else None


def _read_info(folder: Path) -> dict[str, Any]:
    """Return the fields of training.json, which another version may have written."""
    defaults = {
        "temperature": 1.0,
        "abstain_below": 0.0,
        "is_paired": False,
        TASK: Task.SINGLE,
        THRESHOLDS: {},
        **WITHOUT_WINDOWS,
    }
    info = {**defaults, **read_object(folder / TRAINING_INFO, RETRAIN)}
    for name, is_usable in _NEEDED_INFO.items():
        if not is_usable(info.get(name)):
            raise UserError(f"{folder / TRAINING_INFO} has no usable {name}.", RETRAIN)
    _require_pair_fields(folder, info)
    return info


def _are_probes(value: Any, classes: int) -> bool:
    """Return whether a value is what modeling.probes.probe_facts gives; older versions wrote none."""
    if not isinstance(value, dict):
        return value is None
    texts, logits = value.get("texts"), value.get("logits")
    if not (isinstance(texts, list) and isinstance(logits, list) and len(texts) == len(logits) > 0):
        return False
    return all(isinstance(row, list) and len(row) == classes and all(map(_is_logit, row)) for row in logits)


def _is_logit(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _require_pair_fields(folder: Path, info: Mapping[str, Any]) -> None:
    """Refuse a model of text pairs without what cuts and marks them, and one of single texts with it."""
    is_paired = info["is_paired"]
    wrong = [name for name in PAIR_SETTINGS if (info.get(name) is not None) is not is_paired]
    if wrong:
        has = "has no" if is_paired else "has a"
        raise UserError(
            f"{folder / TRAINING_INFO} says is_paired={str(is_paired).lower()} and {has} {wrong[0]}.", RETRAIN
        )


def _read_tokenizer(folder: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises nothing more specific
        reason = first_line(error).rstrip(" .:")
        raise UserError(f"The tokenizer in {folder} is unusable: {reason}.", COPY_AGAIN) from error
