"""How to read data files: the settings, and the files that they belong to.

Standard library only.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from bert_classifier.job.config import READER_SETTINGS, TrainConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReaderSettings:
    """The hyperparameters for reading data files; each is explained in job/config.

    A column is a name, or its number from 1.
    """

    text_column: str = ""
    text_pair_column: str = ""
    label_column: str = ""
    label_columns: str = ""
    label_separator: str = ""
    title_column: str = ""
    header: str = "auto"
    delimiter: str = ""
    encoding: str = ""
    missing_labels: str = "refuse"
    task: str = "auto"

    @property
    def is_multi(self) -> bool:
        """Whether they say that each text has any number of labels; False where the data decide, too."""
        return self.task == "multi" or bool(self.label_separator or self.label_columns)

    @classmethod
    def of(cls, config: TrainConfig) -> Self:
        """Return those of a job."""
        return cls(**{name: getattr(config, name) for name in READER_SETTINGS})

    def given(self) -> dict[str, str]:
        """Return the settings that differ from their defaults."""
        pairs = ((name, getattr(self, name)) for name in READER_SETTINGS)
        return {name: value for name, value in pairs if value != getattr(DEFAULTS, name)}


__all__ = ["DEFAULTS", "READER_SETTINGS", "DataFiles", "ReaderSettings"]
DEFAULTS = ReaderSettings()


class DataFiles(tuple[Path, ...]):
    """Data files and how to read them; for a Dataset of your own, a sequence of paths.

    Attributes:
        settings: the job's.
        classes: names of the classes, if a class file or a model gives them.
        root: the folder of the channel; messages name files relative to it.
    """

    settings: ReaderSettings
    classes: frozenset[str]
    root: Path | None

    def __new__(
        cls,
        files: Iterable[Path],
        settings: ReaderSettings = DEFAULTS,
        classes: Iterable[str] = (),
        root: Path | None = None,
    ) -> Self:
        """Return files with these settings."""
        made = super().__new__(cls, files)
        made.settings = settings
        made.classes = frozenset(classes)
        made.root = root
        return made

    def with_task(self, task: str) -> "DataFiles":
        """Return the files as those of a job whose task is known, "single" or "multi"."""
        settings = dataclasses.replace(self.settings, task=task)
        return DataFiles(self, settings, self.classes, self.root)

    @classmethod
    def of(cls, files: Iterable[Path]) -> "DataFiles":
        """Return the files as they are, or with default settings for a plain sequence of paths."""
        return files if isinstance(files, DataFiles) else cls(files)

    def name_of(self, path: Path) -> str:
        """Return the name of a file in messages: relative to the channel's folder."""
        if self.root is not None and path.is_relative_to(self.root):
            return str(path.relative_to(self.root))
        return path.name
