"""Settings for reading local files of texts, as training takes them."""

import dataclasses
import re
from typing import Any

from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.settings import specs
from launcher.settings.account import AccountSettings

READING = ("text_column", "text_pair_column", "title_column", "header", "delimiter", "encoding")
_SPECS = specs(TrainConfig)
_LABEL = re.compile(r"\blabel_column=(\"[^\"]*\"|[^\s.,]+) ?")
_NAMED = re.compile(
    rf"\b(?<!; )({'|'.join(READING)})(?==)|(?<=\bset )(delimiter|encoding)\b"
    r"|(?<!['\w])(text|text_pair|title)_column(?!['\w])",
    re.IGNORECASE,
)


def of_reader(name: str) -> Any:
    """Return a dataclass field for one of READING, the same as the hyperparameter."""
    return dataclasses.field(default=getattr(TrainConfig, name), metadata={"spec": _SPECS[name]})


def reader_settings(settings: AccountSettings) -> ReaderSettings:
    """Return how to read a file, by the settings of a command that has READING."""
    return ReaderSettings(**{name: getattr(settings, name) for name in READING})


def in_capitals(error: UserError) -> UserError:
    """Return an error of the reader that names settings as commands take them; labels do not matter here."""
    return UserError(said_in_capitals(error.cause), said_in_capitals(_LABEL.sub("", error.remedy)))


def said_in_capitals(text: str) -> str:
    """Return a sentence of the reader with its settings named as commands take them."""
    return _NAMED.sub(lambda name: name[0].upper(), text)
