"""What a classifier answers: one label for each text, or any number of them. Standard library only."""

import enum
from typing import Any, Self


class Task(enum.StrEnum):
    """One label per text, or several."""

    SINGLE = "single"
    MULTI = "multi"

    @classmethod
    def of(cls, targets: Any) -> Self:
        """Return the task of targets: class indices, int (n,), or for each class 1 or 0, uint8 (n, classes)."""
        return cls("multi" if targets.ndim == 2 else "single")

    @property
    def problem_type(self) -> str:
        """The name in transformers' config.json, by which its pipeline chooses softmax or sigmoid."""
        return f"{self}_label_classification"
