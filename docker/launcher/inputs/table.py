"""A look at the first rows of local data files, before anything is uploaded or billed: they are read as by the job.

Where builder.py has a Dataset of the user's own, which may read anything, what is found is only a doubt.
"""

import itertools
from collections.abc import Collection, Iterator, Sequence

from bert_classifier.data.class_list import read_class_names
from bert_classifier.data.job_files import reads_tables
from bert_classifier.data.labels import label_remedy
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.records import RowError, text_problem
from bert_classifier.data.table import Table, open_table
from bert_classifier.data.understood import description_of, notes_of
from bert_classifier.data.wrong_rows import WrongRows
from bert_classifier.errors import ContainerError, UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.data_names import choose, listed, splits_warning
from bert_classifier.job.task import Task
from launcher.findings import Finding, fail, ok, told, warn
from launcher.inputs.channels import TABLES, Channel, LocalChannel
from launcher.settings.training import TrainSettings

ROWS = 200
_MOST_FILES = 100  # of a channel, so that very many take no longer than a few seconds


def check_tables(channels: Sequence[Channel], settings: TrainSettings) -> Iterator[Finding]:
    """Yield what is understood of the local files of all data channels, or why the job would refuse them."""
    try:
        config = settings.config
    except UserError:
        return  # the check of the hyperparameters reports it
    local = [channel for channel in channels if isinstance(channel, LocalChannel)]
    classes = _classes(local, config.class_file)
    only = {"train": config.train_file, "validation": config.validation_file}
    for channel in local:
        if channel.name in TABLES:
            yield from _check_channel(channel, only.get(channel.name, ""), config, classes)


def _classes(channels: Sequence[LocalChannel], class_file: str) -> Collection[str]:
    """Return the names in the class file, from channel `class` or beside the training data; none without one."""
    files = {channel.name: channel.files.get(class_file) for channel in channels}
    path = files.get("class") or files.get("train")
    return read_class_names(path) if path else ()


def _check_channel(
    channel: LocalChannel, only: str, config: TrainConfig, classes: Collection[str]
) -> Iterator[Finding]:
    if only and only not in channel.files:
        message = f"it has no file {only}: it holds {listed(channel.files)}"
        yield fail(channel.name, message, f"Correct {channel.name}_file.")
        return
    names = _names_of(channel, only)
    yield from _splits(channel.name, names)
    understood: dict[str, list[str]] = {}
    has_rows = False
    for name in names[:_MOST_FILES]:
        try:
            table = open_table(channel.files[name], ReaderSettings.of(config), classes, name=name)
            has_rows |= _read_first_rows(table)
        except ContainerError as error:
            has_rows = True  # as far as can be told
            yield _refusal(channel.name, error)
        else:
            found = table.understood
            understood.setdefault(f"{description_of(found)}{notes_of(found)}", []).append(name)
    if not has_rows and len(names) <= _MOST_FILES:
        message = f"The {channel.name} channel has no usable row: it holds {listed(names)}."
        yield _refusal(channel.name, UserError(message, "Give it rows with a label and a text."))
    elif reads_tables():
        for description, alike in understood.items():
            yield told(
                ok(channel.name, f"{listed(alike)} {'is' if len(alike) == 1 else 'are'} {description}")
            )


def _names_of(channel: LocalChannel, only: str) -> list[str]:
    """Return the files that the job reads."""
    data = set(choose(channel.files.values()))
    return [only] if only else [name for name, path in channel.files.items() if path in data]


def task_of(channels: Sequence[Channel], settings: TrainSettings) -> Task | None:
    """Return the task that the first rows of local training files tell, as the job's reader takes them.

    None: where the job reads other files, or `check_tables` has failures.
    """
    local = [channel for channel in channels if isinstance(channel, LocalChannel)]
    train = next((channel for channel in local if channel.name == "train"), None)
    if train is None or not reads_tables():
        return None
    try:
        config = settings.config
        reader, classes = ReaderSettings.of(config), _classes(local, config.class_file)
        paths = [train.files[name] for name in _names_of(train, config.train_file)[:_MOST_FILES]]
        are_multi = [open_table(path, reader, classes).is_multi for path in paths]
    except (ContainerError, KeyError):  # KeyError: train_file is none of them
        return None
    return Task.MULTI if any(are_multi) else Task.SINGLE


def _splits(channel: str, names: Sequence[str]) -> Iterator[Finding]:
    warning = splits_warning(names) if channel == "train" else ""
    if warning:
        yield warn(channel, warning)


def _refusal(subject: str, error: ContainerError) -> Finding:
    if reads_tables() or not isinstance(error, UserError):
        return fail(subject, error.cause, error.remedy)
    message = f"{error.cause} Your own Dataset may read it all the same."
    return warn(subject, message, error.remedy)


def _read_first_rows(table: Table) -> bool:
    """Read the first rows as training does; return False if the file has no usable row, which is no error by itself.

    Raises:
        UserError: when training would refuse one of them.
    """
    wrong = WrongRows()
    row = None
    for row in itertools.islice(table.rows(), ROWS):
        problem = row.cause if isinstance(row, RowError) else text_problem(row.text)
        if problem:
            wrong.add(f"{table.name} {table.unit} {row.line}", problem)
    wrong.refuse(label_remedy(wrong.reasons))
    return row is not None
