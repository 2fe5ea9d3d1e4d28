"""Find the files of a job (encoder, class list, data by channel) and check them.

Standard library only, so that mistakes are reported before importing torch or reading a whole file.
"""

from collections.abc import Iterable
from pathlib import Path

from bert_classifier.data.labels import normal_label
from bert_classifier.data.reader_settings import DataFiles, ReaderSettings
from bert_classifier.data.records import read_lines
from bert_classifier.data.table import open_table
from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.encoder_folder import check_encoder, check_readable
from bert_classifier.job.environment import Environment

_PACKAGE = Path(__file__).parents[1]  # bert_classifier


def check_files(config: TrainConfig, environment: Environment) -> None:
    """Do the quick checks of every file of a job, the likeliest mistakes first.

    Raises:
        UserError: for an invalid encoder, class list or channel, or a data file whose columns are unclear.
        PlatformError: for a channel or file that cannot be read.
    """
    check_encoder(model_source(config, environment), config.max_seq_length)
    names = read_class_list(config, environment)
    looks_inside = reads_tables()
    for files in data_files(config, environment, names or ()).values():
        for path in files:
            check_readable(path, "Check the file.")
            if looks_inside:
                open_table(path, files.settings, files.classes, name=files.name_of(path))


def reads_tables(package: Path = _PACKAGE) -> bool:
    """Return whether builder.py still builds the Dataset that reads tables, rather than one of the user's own.

    It is told from the source code, since importing it would load torch.
    """
    builder, dataset = (package.joinpath(name).read_text("utf-8") for name in ("builder.py", "dbpedia.py"))
    body = builder.partition("def build_dataset(")[2].partition("\ndef ")[0]
    return "return DbpediaDataset(files)" in body and "open_table(" in dataset


def model_source(config: TrainConfig, environment: Environment) -> str:
    """Return the encoder's source: the folder of the `model` channel, or else model_name."""
    channel = environment.channels.get("model")
    return str(channel.path) if channel else config.model_name


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
    wanted = {"train": config.train_file, "validation": config.validation_file, "test": ""}
    environment.required_channel("train")
    there = {name: only for name, only in wanted.items() if name in environment.channels}
    channels, settings = environment.channels, ReaderSettings.of(config)
    return {
        name: DataFiles(channels[name].files(only), settings, classes, channels[name].path)
        for name, only in there.items()
    }


def read_class_list(config: TrainConfig, environment: Environment) -> list[str] | None:
    """Return the lines of the class file, from channel `class` or beside the training data; None without one.

    Raises:
        UserError: when a requested file is missing, or has an empty line.
    """
    for name in ("class", "train"):
        channel = environment.channels.get(name)
        path = channel.find(config.class_file) if channel else None
        if path:
            return _class_names(path)
    if "class" in environment.channels or config.class_file != TrainConfig.class_file:
        raise UserError(
            f"No channel, class or train, has the file {config.class_file}.",
            "Put it there, or set class_file to its name.",
        )
    return None


def _class_names(path: Path) -> list[str]:
    names = [normal_label(line) for line in read_lines(path)]
    while names and not names[-1]:
        names.pop()
    if "" in names:
        raise UserError(f"{path} line {names.index('') + 1} is empty.", "List one class per line.")
    return names
