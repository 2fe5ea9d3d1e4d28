"""Read a labelled file as the data that a model was trained with were read.

Standard library only.
"""

import collections
import dataclasses
import itertools
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from bert_classifier.data.forms import form_of, read_form_lines
from bert_classifier.data.reader_settings import DEFAULTS, DataFiles, ReaderSettings
from bert_classifier.data.shapes import quoted_value
from bert_classifier.data.table import Row, Table, open_table
from bert_classifier.data.text_fields import is_number_of, trained_columns, trained_settings
from bert_classifier.errors import UserError

logger = logging.getLogger(__name__)

_FITTING = ("missing_labels", "encoding", "task", "label_separator")  # settings that fit any file


def settings_of(info: Mapping[str, Any], given: Mapping[str, str], path: Path) -> ReaderSettings:
    """Return the settings that the training was given, with those given now in their place.

    UTF-8 is recognised: the training's encoding holds only for a file that is not UTF-8, which would not fail in it.
    """
    settings = ReaderSettings(**{**trained_settings(info), **given})
    is_inherited = bool(settings.encoding) and "encoding" not in given
    return dataclasses.replace(settings, encoding="") if is_inherited and _is_utf8(path) else settings


def file_as_trained(
    path: Path, classes: Sequence[str], info: Mapping[str, Any], given: Mapping[str, str]
) -> DataFiles:
    """Return a file with the training's settings and columns, as far as they fit it, and those given now.

    Columns that the training found by name are looked for by name; its numbers hold only for a file without names.
    What does not fit is left to the reader, and the log says so.

    Raises:
        UserError: when the file can be read neither with the training's settings nor without them.
    """
    trained = _Trained.of(info, given, path)
    errors = []
    for way in trained.ways():
        files = DataFiles([path], ReaderSettings(**{**way, **given}), classes)
        try:
            if not _holds(files, way):
                continue
            table = open_table(path, files.settings, files.classes)
        except UserError as error:
            errors.append(error)
            continue
        if not trained.is_numbered_alike(way, table):
            continue
        if trained.is_paired is not None and (table.roles.pair is not None) is not trained.is_paired:
            raise _other_texts(path, is_paired=trained.is_paired)
        _tell(path, way, trained.without(way))
        return files
    raise _refusal(path, classes, trained, given, errors[0])


def _other_texts(path: Path, *, is_paired: bool) -> UserError:
    """Return the error for single texts where a model reads pairs, or the reverse."""
    if is_paired:
        return UserError(
            f"{path.name} has one text per row, and the model reads pairs of texts.",
            "Set text_column and text_pair_column to the columns of the two.",
        )
    return UserError(
        f"{path.name} has pairs of texts, and the model reads single texts.",
        "Set text_column to one of them.",
    )


def _refusal(
    path: Path, classes: Sequence[str], trained: "_Trained", given: Mapping[str, str], first: UserError
) -> UserError:
    """Return why a file cannot be read without the settings of the training, naming them if they gave another error."""
    try:
        open_table(path, ReaderSettings(**{**trained.always, **given}), frozenset(classes))
    except UserError as error:
        told = trained.without({})
        if not told or str(error) == str(first):
            return error
        return UserError(
            f"{error.cause} Nor do the training's settings fit it: {' '.join(told)}.", error.remedy
        )
    return first


def _tell(path: Path, way: Mapping[str, str], dropped: Sequence[str]) -> None:
    """Log the settings of the training that are not visible in the file itself, and those that do not fit it."""
    if way.get("header") == "false":
        kept = [_assignment(name, value) for name, value in way.items() if name != "task"]
        logger.info("%s has no header and is read by the training's %s", path.name, " ".join(kept))
    if dropped:
        logger.warning("%s does not fit the training's %s: it is read without", path.name, " ".join(dropped))


def _assignment(name: str, value: str) -> str:
    return f"{name}={quoted_value(value)}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Trained:
    """How the training read its data, without what is given now.

    Attributes:
        told: the settings that it was given.
        names: of the columns that it used, by setting; empty where its data had no names.
        always: settings that fit any file.
        is_paired: whether its texts were pairs; None if that is unknown.
    """

    told: Mapping[str, str]
    names: Mapping[str, str]
    always: Mapping[str, str]
    is_paired: bool | None = None

    @classmethod
    def of(cls, info: Mapping[str, Any], given: Mapping[str, str], path: Path) -> Self:
        """Return it by training.json."""
        told = {
            name: value
            for name, value in trained_settings(info).items()
            if value != getattr(DEFAULTS, name) and name not in given
        }
        found = {f"{role}_column": name for role, name in trained_columns(info).items()}
        wanted = {
            name: value
            for name, value in found.items()
            if name not in given and (name != "title_column" or name in told)
        }
        said = {name: value for name, value in told.items() if _is_name(name, value)}
        always = {name: value for name, value in told.items() if name in _FITTING}
        if "encoding" in always and _is_utf8(path):
            del always["encoding"]
        return cls(told, {**said, **wanted}, always, info.get("is_paired") is True if info else None)

    def ways(self) -> Iterator[dict[str, str]]:
        """Yield settings to read a file with, from all that may fit to none."""
        wide = {"label_columns": self.told["label_columns"]} if "label_columns" in self.told else {}
        for way in self._narrow_ways() if wide else ():
            yield {**way, **wide}
        yield from self._narrow_ways()

    def _narrow_ways(self) -> Iterator[dict[str, str]]:
        """Yield settings for a file whose labels stand in one column."""
        delimiters = [{"delimiter": self.told["delimiter"]}] if "delimiter" in self.told else []
        columns = [self.names, self._with_numbers(), self._without_names(), *self._some_names()]
        for chosen in filter(None, columns):
            for delimiter in [*delimiters, {}]:
                yield {**self.always, **delimiter, **chosen}
        for delimiter in [*delimiters, {}]:
            yield {**self.always, **delimiter}
        if self.told.get("header") == "true":  # where it is unclear
            yield {**self.always, "header": "true"}

    def _with_numbers(self) -> dict[str, str]:
        """Return names and, for the columns that were told by number, numbers: two columns may have one name."""
        numbers = {
            name: self.told[name] for name in self.names if is_number_of(name, self.told.get(name, ""))
        }
        return {**self.names, **numbers} if numbers else {}

    def is_numbered_alike(self, way: Mapping[str, str], table: Table) -> bool:
        """Return whether the columns that a way takes by number have the names that they had in the training."""
        if table.has_header is False:
            return True
        columns = table.understood["columns"]
        numbered = [name for name, value in way.items() if is_number_of(name, value)]
        return all(columns.get(name.removesuffix("_column"), "") == self.names.get(name) for name in numbered)

    def _without_names(self) -> dict[str, str]:
        """Return what holds for a file without names; empty if the training's settings say nothing about such."""
        numbers = {name: value for name, value in self.told.items() if is_number_of(name, value)}
        return {**numbers, "header": "false"} if numbers or self.told.get("header") == "false" else {}

    def _some_names(self) -> Iterator[dict[str, str]]:
        """Yield fewer and fewer of the columns that were told; the others are found by the names in use."""
        told = [name for name in self.names if name in self.told]
        others = {name: column for name, column in self.names.items() if name not in told}
        for size in range(len(told) - 1, -1, -1):
            for kept in itertools.combinations(told, size):
                yield {**others, **{name: self.names[name] for name in kept}}
                if others and kept:
                    yield {name: self.names[name] for name in kept}

    def without(self, way: Mapping[str, str]) -> list[str]:
        """Return the settings that a way leaves out, as `name=value`."""
        return [
            _assignment(name, value)
            for name, value in self.told.items()
            if name not in way and name not in _FITTING and (name, value) != ("header", "true")
        ]


def _is_name(setting: str, value: str) -> bool:
    return setting.endswith("_column") and not value.isdecimal()


def _holds(files: DataFiles, way: Mapping[str, str]) -> bool:
    """Return whether a file has no names, if that is what a way is for.

    Raises:
        UserError: when the file cannot be read so.
    """
    if way.get("header") != "false":
        return True
    (path,) = files
    table = open_table(path, files.settings, files.classes)
    if table.has_header is not False:
        return False
    if _begins_with_class(table):
        return True
    try:
        as_seen = open_table(path, dataclasses.replace(files.settings, header="auto"), files.classes)
    except UserError:  # unclear: a header is refused as a label
        return True
    return as_seen.has_header is False


def _begins_with_class(table: Table) -> bool:
    """Return whether the first row has a label of the model."""
    row = next(table.rows(), None)
    if not isinstance(row, Row):
        return False
    labels = [row.label] if isinstance(row.label, str) else row.label
    return bool(labels) and all(_is_class(label, table.classes) for label in labels)


def _is_class(label: str, classes: Collection[str]) -> bool:
    return label in classes or (label.isdecimal() and 0 < int(label) <= len(classes))


def _is_utf8(path: Path) -> bool:
    try:
        form = form_of(path, path.name)
        collections.deque(read_form_lines(path, path.name, form) if form.encoding else (), maxlen=0)
    except UserError:
        return False
    return True
