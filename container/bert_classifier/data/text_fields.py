"""What the training called its columns, and the settings it was given for reading them.

Standard library only.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

from bert_classifier.data.columns import TITLE_NAMES, bare
from bert_classifier.data.reader_settings import READER_SETTINGS

_ROLES = ("label", "text", "title", "text_pair")


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
    """Return the settings for reading data that the training was given, by name; of a trained model also its task."""
    recorded = info.get("hyperparameters")
    given = recorded if isinstance(recorded, dict) else {}
    task = {"task": info.get("task", "single")} if info else {}
    return {name: value for name in READER_SETTINGS if isinstance(value := given.get(name), str)} | task


@dataclasses.dataclass(frozen=True, slots=True)
class TextFields:
    """What the training data called the parts of a text, and its label.

    Attributes:
        text: name of the text column; empty if it had none.
        title: name of the column that stands before the text; empty without one.
        label: name of the label column, by which a header is known; empty if it had none.
        numbers: settings that gave columns by number, which hold for tables without names.
        delimiter: that the training was told; empty if it was found from the rows.
        is_paired: whether the model reads two texts together.
        text_pair: name of the column of the second text; empty if it had none.
    """

    text: str = ""
    title: str = ""
    label: str = ""
    numbers: tuple[tuple[str, str], ...] = ()
    delimiter: str = ""
    is_paired: bool = False
    text_pair: str = ""

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Self:
        """Return those of a trained model, by its training.json."""
        columns, told = trained_columns(info), trained_settings(info)
        names = {role: _name_of(columns.get(role, ""), told.get(f"{role}_column", "")) for role in _ROLES}
        numbers = tuple((name, value) for name, value in told.items() if is_number_of(name, value))
        title = names["title"] if told.get("title_column") else ""
        if any(name == "title_column" for name, _ in numbers) and not columns:
            title = TITLE_NAMES[0][0]  # joined in the training too, whose data had no names
        return cls(
            names["text"], title, names["label"], numbers, told.get("delimiter", ""),
            info.get("is_paired") is True, names["text_pair"],
        )  # fmt: skip

    @property
    def names(self) -> frozenset[str]:
        """The names without case and separators; numbers are none, since a text may be one."""
        names = map(bare, (self.text, self.title, self.label, self.text_pair))
        return frozenset(name for name in names if any(map(str.isalpha, name)))


def _name_of(recorded: str, told: str) -> str:
    """Return a column's name: as it was told where many words, which may be a text, were recorded as a number."""
    return told if recorded.isdecimal() and told and not told.isdecimal() else recorded


def is_number_of(setting: str, value: str) -> bool:
    """Return whether a setting takes a column by its number."""
    return setting.endswith("_column") and value.isdecimal()
