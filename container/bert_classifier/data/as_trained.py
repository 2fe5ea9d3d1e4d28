"""How the training data were read: recorded in training.json, and applied to the files that the model meets later.

Standard library only.
"""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from bert_classifier.data.forms import form_of, read_form_lines
from bert_classifier.data.reader_settings import READER_SETTINGS, DataFiles, ReaderSettings
from bert_classifier.data.table import open_table
from bert_classifier.errors import UserError

_ROLES = ("label", "text", "title")


def named_columns(understood: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the names of the columns of the first file, by role; empty where the columns have no names.

    Args:
        understood: of each file, from the Dataset.
    """
    if not understood or understood[0]["header"] is False:
        return {}
    return {role: name for role in _ROLES if (name := understood[0]["columns"].get(role))}


def trained_columns(info: Mapping[str, Any]) -> dict[str, str]:
    """Return what named_columns returned at training.

    Args:
        info: training.json, which any version may have written.
    """
    data = info.get("data")
    columns = data.get("columns") if isinstance(data, dict) else None
    if not isinstance(columns, dict):
        return {}
    return {role: name for role in _ROLES if isinstance(name := columns.get(role), str) and name}


def trained_settings(info: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings for reading data that the training was given, by name."""
    recorded = info.get("hyperparameters")
    given = recorded if isinstance(recorded, dict) else {}
    return {name: value for name in READER_SETTINGS if isinstance(value := given.get(name), str)}


@dataclasses.dataclass(frozen=True, slots=True)
class TextFields:
    """What the training data called the parts of a text.

    Attributes:
        text: name of the text column; empty if it had none.
        title: name of the column that stands before the text; empty without one.
    """

    text: str = ""
    title: str = ""

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Self:
        """Return those of a trained model, by its training.json."""
        columns = trained_columns(info)
        is_title_joined = bool(trained_settings(info).get("title_column"))
        return cls(columns.get("text", ""), columns.get("title", "") if is_title_joined else "")


def with_trained_columns(files: DataFiles, columns: Mapping[str, str]) -> DataFiles:
    """Return the files with the label and text columns of the training set, if that is how they can be read.

    Other files are left to the names in use: they have no such columns.

    Args:
        columns: by role.
    """
    found = {f"{role}_column": columns[role] for role in ("label", "text") if role in columns}
    settings = dataclasses.replace(files.settings, **found)
    try:
        for path in files:
            open_table(path, settings, files.classes, name=files.name_of(path))
    except UserError:
        return files
    return DataFiles(files, settings, files.classes, files.root)


def settings_of(info: Mapping[str, Any], given: Mapping[str, str], path: Path) -> ReaderSettings:
    """Return the settings that the training was given, with those given now in their place.

    UTF-8 is recognised: the training's encoding holds only for a file that is not UTF-8, which would not fail in it.
    """
    settings = ReaderSettings(**{**trained_settings(info), **given})
    is_inherited = bool(settings.encoding) and "encoding" not in given
    return dataclasses.replace(settings, encoding="") if is_inherited and _is_utf8(path) else settings


def _is_utf8(path: Path) -> bool:
    try:
        form = form_of(path, path.name)
        collections.deque(read_form_lines(path, path.name, form) if form.encoding else (), maxlen=0)
    except UserError:
        return False
    return True
