"""The floor with several labels per text: what logistic regressions on the frozen encoder, one a label, get right."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from bert_classifier.evaluation.multi_label.intervals import f1_difference
from bert_classifier.evaluation.multi_label.predictions import LabelPredictions
from bert_classifier.job.wording import counted

_SIGNIFICANT = 0.05  # p-value of the paired difference, two-sided


@dataclasses.dataclass(frozen=True)
class LabelFloorScore:
    """The floor on a channel, or on a sample of it.

    Attributes:
        indices: of the scored texts in the channel, in increasing order.
        predicted: the labels predicted for each, as indices.
        micro_f1, macro_f1, subset_accuracy: as in LabelPredictions.
    """

    indices: Sequence[int]
    predicted: Sequence[Sequence[int]]
    micro_f1: float
    macro_f1: float
    subset_accuracy: float

    @classmethod
    def of(cls, indices: np.ndarray, predicted: np.ndarray, targets: np.ndarray) -> Self:
        """Score the predictions, bool (n, classes), for n texts of a channel with these targets, uint8 (n, classes)."""
        scored = LabelPredictions(predicted, targets)
        labels = [np.flatnonzero(row).tolist() for row in predicted]
        return cls(indices.tolist(), labels, scored.micro_f1, scored.macro_f1, scored.subset_accuracy)

    @property
    def texts(self) -> int:
        """Number of scored texts."""
        return len(self.indices)

    def predictions(self, targets: np.ndarray) -> LabelPredictions:
        """Return its predictions for the scored texts, given the targets of the whole channel."""
        predicted = np.zeros((self.texts, targets.shape[1]), dtype=bool)
        for row, labels in enumerate(self.predicted):
            predicted[row, list(labels)] = True
        return LabelPredictions(predicted, targets[np.array(self.indices, dtype=np.int64)])


@dataclasses.dataclass(frozen=True)
class LabelFloor:
    """Logistic regressions, one a label, on the mean last hidden states of the pretrained encoder.

    Attributes:
        trained_on: number of training texts that they were fitted on.
        seconds: time that it took.
        channels: their score on validation and, if there is one, test.
    """

    trained_on: int
    seconds: float
    channels: Mapping[str, LabelFloorScore]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Undo `as_json`."""
        channels = {name: LabelFloorScore(**score) for name, score in values["channels"].items()}
        return cls(values["trained_on"], values["seconds"], channels)

    def as_json(self) -> dict[str, Any]:
        """Return all fields as JSON values, for checkpoints."""
        return dataclasses.asdict(self)

    @property
    def facts(self) -> dict[str, Any]:
        """The field of training.json: the scores by channel; without the time, which differs between equal runs."""
        names = ("texts", "micro_f1", "macro_f1", "subset_accuracy")
        scores = {
            channel: {name: getattr(score, name) for name in names}
            for channel, score in self.channels.items()
        }
        return {"trained_on": self.trained_on, **scores}

    def sentence(self, channel: str) -> str:
        """Say how it does on a channel."""
        score = self.channels[channel]
        return (
            f"logistic regression on the frozen encoder has a micro-F1 of {score.micro_f1:.2f} on"
            f" {counted(score.texts, f'{channel} text')}"
        )


@dataclasses.dataclass(frozen=True)
class LabelFloorComparison:
    """A model beside the floor, on the same texts of one channel.

    Attributes:
        channel: its name.
        score: the floor's.
        model_f1: the model's micro-F1 on the same texts.
        p_value: that both have the same, two-sided.
    """

    channel: str
    score: LabelFloorScore
    model_f1: float
    p_value: float

    @classmethod
    def of(cls, floor: LabelFloor | None, channel: str, answers: LabelPredictions) -> Self | None:
        """Compare with a model's answers to a channel, the whole of it; None if the floor is not known there."""
        score = floor.channels.get(channel) if floor else None
        if score is None or not score.texts:
            return None
        indices = np.array(score.indices, dtype=np.int64)
        model = LabelPredictions(answers.predicted[indices], answers.targets[indices])
        _, _, p_value = f1_difference(score.predictions(answers.targets).by_text, model.by_text)
        return cls(channel, score, model.micro_f1, p_value)

    @property
    def difference(self) -> float:
        """Micro-F1 of the model less that of the floor."""
        return self.model_f1 - self.score.micro_f1

    @property
    def is_significant(self) -> bool:
        """Whether model and floor differ by more than chance."""
        return self.p_value <= _SIGNIFICANT

    @property
    def is_model_below(self) -> bool:
        """Whether the model is significantly worse than the floor."""
        return self.is_significant and self.difference < 0

    @property
    def sentence(self) -> str:
        """Both numbers."""
        texts = counted(self.score.texts, f"{self.channel} text")
        return (
            f"On the same {texts} the model has a micro-F1 of {self.model_f1:.2f}, logistic regression on the frozen"
            f" encoder {self.score.micro_f1:.2f}."
        )

    def words(self, count: int) -> str:
        """Return the floor with its score, and the model's where they are compared on a sample of `count` texts."""
        sample = (
            ""
            if self.score.texts == count
            else f" on {self.score.texts:,} of them, this model {self.model_f1:.2f}"
        )
        return f"logistic regression on the frozen encoder ({self.score.micro_f1:.2f}{sample})"
