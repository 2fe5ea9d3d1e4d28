"""Read one labelled file for two models: each reads the texts as it was trained, and the rows must be the same."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bert_classifier.artifact.contents import Artifact
from bert_classifier.data.examples import Examples, Records
from bert_classifier.data.reader_settings import DataFiles
from bert_classifier.errors import UserError
from bert_classifier.evaluation.labelled_file import labelled_file, read_files
from bert_classifier.evaluation.multi_label.tables import in_one_cell
from bert_classifier.job.settings import shown
from bert_classifier.job.task import Task
from bert_classifier.label_mapper import ClassNames

logger = logging.getLogger(__name__)

_NUMBERS = "If its labels are numbers, write class names: the models count their classes differently."
_ALIKE = 'Give settings that make both read the same rows, such as HP="label_column=NAME text_column=NAME".'


def read_for_both(
    path: Path, first: Artifact, second: Artifact, hyperparameters: str
) -> tuple[Examples, Examples]:
    """Return the examples of each model, which may have other texts; targets are indices of the first's labels.

    Args:
        hyperparameters: settings for both, as read_labelled takes them.
    Raises:
        UserError: when the file cannot be read for one of them, or their rows or labels differ.
    """
    names = _names_of_both(first.labels, second.labels)
    files = [
        labelled_file(path, labels, artifact.info, hyperparameters)
        for labels, artifact in zip(names, (first, second), strict=True)
    ]
    ours, _ = read_files(files[0], names[0])
    ours = _reordered(ours, names[0], first.labels)
    if _are_alike(files, names):
        return ours, ours
    theirs, _ = read_files(files[1], names[1])
    theirs = _reordered(theirs, names[1], first.labels)
    _require_same_rows(path.name, first.labels, ours, theirs)
    _tell_of_texts(path.name, ours, theirs)
    return ours, theirs


def _names_of_both(first: ClassNames, second: ClassNames) -> tuple[ClassNames, ClassNames]:
    """Return the class names to read with: if only one model counts its classes, numbers are its."""
    if first.are_numbered is False:
        return (first, first) if second.are_numbered is False else (second, second)
    return (first, first if second.are_numbered is False else second)


def _are_alike(files: Sequence[DataFiles], names: Sequence[ClassNames]) -> bool:
    is_same = names[0] == names[1] and names[0].are_numbered == names[1].are_numbered
    return is_same and files[0].settings == files[1].settings


def _reordered(examples: Examples, labels: Sequence[str], wanted: Sequence[str]) -> Examples:
    """Return examples with targets by another order of the labels."""
    index_of = {label: index for index, label in enumerate(wanted)}
    order = np.array([index_of[label] for label in labels], dtype=np.int64)
    if examples.task is Task.MULTI:
        return dataclasses.replace(examples, targets=examples.targets[:, np.argsort(order)])
    return dataclasses.replace(examples, targets=order[examples.targets])


def _require_same_rows(name: str, labels: Sequence[str], first: Examples, second: Examples) -> None:
    """Refuse readings of different rows or labels."""
    places = Records.of(first).places, Records.of(second).places
    for index, (ours, theirs) in enumerate(zip(*places, strict=False)):
        if ours != theirs:
            raise UserError(
                f"The two models read different rows of {name}, each as it was trained: row {index + 1} is {ours} for"
                f" the first and {theirs} for the second.",
                _ALIKE,
            )
    if len(first) != len(second):
        raise UserError(
            f"The two models read different rows of {name}, each as it was trained: {len(first)} and {len(second)}.",
            _ALIKE,
        )
    is_other = first.targets != second.targets
    differing = np.flatnonzero(is_other.any(axis=1) if first.task is Task.MULTI else is_other)
    if len(differing):
        at = int(differing[0])
        ours, theirs = (_shown_label(examples, at, labels) for examples in (first, second))
        raise UserError(
            f"{places[0][at]}: its label is {ours} as the first model was trained, and {theirs} as the second was"
            f" ({len(differing)} of {len(first)} rows differ).",
            f"{_NUMBERS} Otherwise give label_column in HP.",
        )


def _shown_label(examples: Examples, at: int, labels: Sequence[str]) -> str:
    target = examples.targets[at]
    if examples.task is Task.MULTI:
        return shown(in_one_cell(labels, target))
    return shown(labels[int(target)])


def _tell_of_texts(name: str, first: Examples, second: Examples) -> None:
    """Warn of other texts, of which the results show only the first model's."""
    differing = sum(ours != theirs for ours, theirs in zip(first.texts, second.texts, strict=True))
    if differing:
        logger.warning(
            "%s: each model reads the texts as it was trained: %d of %d differ, and results show those of the first",
            name,
            differing,
            len(first),
        )
