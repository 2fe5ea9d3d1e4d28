"""Find the files of a job (encoder, class list, data by channel) and check them.

Standard library only, so that mistakes are reported before importing torch or reading a whole file.
"""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from bert_classifier.data.class_list import read_class_names
from bert_classifier.data.columns import ColumnsError
from bert_classifier.data.reader_settings import DataFiles, ReaderSettings
from bert_classifier.data.table import Table, open_table
from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.data_names import listed, splits_warning
from bert_classifier.job.encoder_folder import check_encoder, check_readable, check_revision, encoder_source
from bert_classifier.job.environment import Channel, Environment
from bert_classifier.job.settings import shown

logger = logging.getLogger(__name__)

_PACKAGE = Path(__file__).parents[1]  # bert_classifier


def check_files(config: TrainConfig, environment: Environment) -> None:
    """Do the quick checks of every file of a job, the likeliest mistakes first.

    Raises:
        UserError: for an invalid encoder, class list or channel, or a data file whose columns are unclear.
        PlatformError: for a channel or file that cannot be read.
    """
    check_encoder(model_source(config, environment), config.max_seq_length)
    check_revision(config.revision, config.model_name, has_channel="model" in environment.channels)
    if config.cross_validation and "validation" in environment.channels:
        raise UserError(
            "cross_validation judges the training texts, but the job has a validation channel.",
            "Leave one of the two out.",
        )
    names = read_class_list(config, environment)
    looks_inside = reads_tables()
    opened: list[Table] = []
    for name, files in data_files(config, environment, names or ()).items():
        if not _only(config)[name]:
            _warn_of_others(environment.channels[name], files, config.class_file)
        splits = splits_warning(map(files.name_of, files)) if name == "train" else ""
        if splits:
            logger.warning("channel %s: %s", name, splits)
        for path in files:
            check_readable(path, "Check the file.")
            if looks_inside:
                opened.append(_opened(path, files, opened))


def _opened(path: Path, files: DataFiles, others: Sequence[Table]) -> Table:
    """Open a file; if its columns are unclear, say that the settings also hold for the files opened before."""
    try:
        return open_table(path, files.settings, files.classes, name=files.name_of(path))
    except ColumnsError as error:
        if not others:
            raise
        columns = others[0].understood["columns"]
        like = ", ".join(f"{role} {shown(name)}" for role, name in columns.items() if name)
        remedy = (
            f"Give it the columns of {others[0].name} ({like}): the settings hold for all files of the job."
        )
        raise UserError(error.cause, remedy) from None


def reads_tables(package: Path = _PACKAGE) -> bool:
    """Return whether builder.py still builds the Dataset that reads tables, rather than one of the user's own.

    It is told from the source code, since importing it would load torch.
    """
    files = (package / "builder.py", package / "dbpedia.py")  # who has a Dataset may have removed the other
    builder, dataset = (path.read_text("utf-8") if path.is_file() else "" for path in files)
    body = builder.partition("def build_dataset(")[2].partition("\ndef ")[0]
    return "return DbpediaDataset(files)" in body and "open_table(" in dataset


def _warn_of_others(channel: Channel, chosen: Sequence[Path], class_file: str) -> None:
    """Warn of files beside the chosen ones that are not read."""
    others = channel.passed_over(chosen, class_file)
    if others:
        read = listed(path.relative_to(channel.path) for path in chosen)
        logger.warning("channel %s: reading %s; not read: %s", channel.name, read, listed(others))


def model_source(config: TrainConfig, environment: Environment) -> str:
    """Return the encoder's source: its folder in the `model` channel, or else what model_name names."""
    channel = environment.channels.get("model")
    return encoder_source(str(channel.path) if channel else config.model_name)


def data_files(
    config: TrainConfig, environment: Environment, classes: Iterable[str] = ()
) -> dict[str, DataFiles]:
    """Return the files of each data channel: train and, if the job has them, validation and test.

    Args:
        classes: names that the class file gives.

    Raises:
        UserError: for a missing channel or file.
        PlatformError: for a channel that cannot be read.
    """
    environment.required_channel("train")
    there = {name: only for name, only in _only(config).items() if name in environment.channels}
    channels, settings = environment.channels, ReaderSettings.of(config)
    return {
        name: DataFiles(channels[name].files(only, config.class_file), settings, classes, channels[name].path)
        for name, only in there.items()
    }


def _only(config: TrainConfig) -> dict[str, str]:
    """Return the one file to read of each data channel; "" for all."""
    return {"train": config.train_file, "validation": config.validation_file, "test": ""}


def read_class_list(config: TrainConfig, environment: Environment) -> list[str] | None:
    """Return the lines of the class file, from channel `class` or beside the training data; None without one.

    Raises:
        UserError: when a requested file is missing, has an empty line, or holds labelled data.
    """
    for name in ("class", "train"):
        channel = environment.channels.get(name)
        path = channel.find(config.class_file) if channel else None
        if path:
            return read_class_names(path, f"{name}/{config.class_file}")
    if "class" in environment.channels or config.class_file != TrainConfig.class_file:
        raise UserError(
            f"No channel, class or train, has the file {config.class_file}.",
            "Put it there, or set class_file to its name.",
        )
    return None
