"""What the HTTP side must know of a model to read a request. Standard library only."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from bert_classifier.job.task import Task

_OF_ONE_TEXT = ("longest_first", "only_first")  # alike for a single text


@dataclasses.dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the parameters of a request must agree with.

    Attributes:
        max_length: tokens that the model reads of a text or a pair; 0 = unknown.
        task: whether a text gets one label or any number.
        truncations: the values of transformers' `truncation` that say how the model's texts are cut.
    """

    max_length: int = 0
    task: Task = Task.SINGLE
    truncations: tuple[str, ...] = _OF_ONE_TEXT

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Self:
        """Return those of a trained model, by its training.json."""
        cut = info.get("pair_truncation") or "longest_first"
        truncations = (cut,) if info.get("is_paired") else _OF_ONE_TEXT
        return cls(int(info.get("max_seq_length", 0)), Task(info.get("task", Task.SINGLE)), truncations)

    @property
    def is_multi_label(self) -> bool:
        """Whether a text may have any number of labels."""
        return self.task == Task.MULTI

    @property
    def function(self) -> str:
        """What makes scores of logits, as transformers calls it."""
        return "sigmoid" if self.is_multi_label else "softmax"


ANY_MODEL = ModelFacts()
