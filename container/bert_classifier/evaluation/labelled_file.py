"""Read a labelled file for a trained model, as the data that it was trained with were read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bert_classifier.builder import build_dataset, build_label_mapper
from bert_classifier.data.as_trained import file_as_trained, settings_of
from bert_classifier.data.examples import Examples, read_examples
from bert_classifier.data.job_files import reads_tables
from bert_classifier.data.reader_settings import READER_SETTINGS, DataFiles
from bert_classifier.errors import UserError
from bert_classifier.job.assignments import parse_assignments
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.task import Task
from bert_classifier.job.wording import listed
from bert_classifier.label_mapper import ClassNames, class_names, positive_index


def read_labelled(
    path: Path, labels: ClassNames, info: Mapping[str, Any] | None = None, hyperparameters: str = ""
) -> tuple[Examples, int | None]:
    """Read a labelled file as training does, with the class indices of an artifact.

    Args:
        labels: the artifact's labels.
        info: the artifact's training.json, which tells how its own data were read.
        hyperparameters: `name=value …`, settings for reading this file that differ from those of the training.
    Returns:
        the examples, and the index of the positive class if the label mapper has one.
    Raises:
        UserError: when the file is missing, a row is invalid, or its labels are not the artifact's.
    """
    return read_files(labelled_file(path, labels, info, hyperparameters), labels)


def labelled_file(
    path: Path, labels: ClassNames, info: Mapping[str, Any] | None = None, hyperparameters: str = ""
) -> DataFiles:
    """Return a file with the settings for reading it; arguments and errors are those of read_labelled."""
    if not path.is_file():
        raise UserError(
            f"{path} is a folder, and one file is read." if path.is_dir() else f"There is no file {path}.",
            "Name a file with labels and texts, such as DATA=test.csv.",
        )
    given = _given(hyperparameters)
    if reads_tables():
        return file_as_trained(path, labels, info or {}, given)
    return DataFiles([path], settings_of(info or {}, given, path), labels)


def read_files(files: DataFiles, labels: ClassNames) -> tuple[Examples, int | None]:
    """Read what labelled_file returned; the result and the errors are those of read_labelled."""
    dataset = build_dataset(files)
    mapper = build_label_mapper(labels, dataset)
    if list(class_names(mapper)) != list(labels):
        raise UserError(
            f"The classes of builder.py are not those of the model: {listed(labels)}.",
            "Use the builder.py that the model was trained with.",
        )
    task = None if files.settings.task == "auto" else Task(files.settings.task)
    positive = None if task is Task.MULTI else positive_index(mapper)
    return read_examples(dataset, mapper, files[0].name, task), positive


def _given(hyperparameters: str) -> dict[str, str]:
    """Return the settings of HP, of which only those for reading data mean something here; "" is the default."""
    given = parse_assignments(hyperparameters)
    try:
        config = TrainConfig.from_hyperparameters({name: value for name, value in given.items() if value})
    except UserError as error:
        raise UserError(error.cause, "Correct HP.") from None
    other = [name for name in given if name not in READER_SETTINGS]
    if other:
        raise UserError(
            f"HP: {other[0]} is no setting for reading data.",
            f"Take it out; there are {', '.join(READER_SETTINGS)}.",
        )
    return {name: getattr(config, name) for name in given}
