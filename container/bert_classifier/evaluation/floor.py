"""The floor: what a logistic regression on the frozen encoder gets right; fine-tuning that stays below it does harm."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from bert_classifier.evaluation.compare import Comparison
from bert_classifier.evaluation.metrics import ConfusionMatrix, Evaluation, beats_constant, count_confusion
from bert_classifier.job.wording import counted

_SIGNIFICANT = 0.05  # p-value of McNemar's test, two-sided


@dataclasses.dataclass(frozen=True)
class FloorScore:
    """The floor on a channel, or on a sample of it.

    Attributes:
        indices: of the scored texts in the channel, in increasing order.
        predicted: the class predicted for each, as an index.
        right: number of texts predicted correctly.
        macro_f1: as in Metrics.
        commonest: number of texts of the commonest class among them.
    """

    indices: Sequence[int]
    predicted: Sequence[int]
    right: int
    macro_f1: float
    commonest: int

    @classmethod
    def of(cls, indices: np.ndarray, predicted: np.ndarray, targets: np.ndarray, num_classes: int) -> Self:
        """Score the predictions, int64 (n,), for n texts of a channel with these targets, int64 (n,)."""
        matrix = ConfusionMatrix(count_confusion(targets, predicted, num_classes))
        right, commonest = int(matrix.confusion.trace()), int(matrix.confusion.sum(axis=1).max())
        return cls(indices.tolist(), predicted.tolist(), right, matrix.macro_f1, commonest)

    @property
    def texts(self) -> int:
        """Number of scored texts."""
        return len(self.indices)

    @property
    def accuracy(self) -> float:
        """Share of the scored texts predicted correctly."""
        return self.right / max(1, self.texts)

    @property
    def commonest_accuracy(self) -> float:
        """Accuracy of always predicting the commonest class."""
        return self.commonest / max(1, self.texts)

    def compare(self, result: Evaluation) -> Comparison:
        """Compare with a model on the same texts: the floor is the first, the model the second.

        Args:
            result: the model's evaluation on the whole channel.
        """
        indices = np.array(self.indices, dtype=np.int64)
        floor = np.array(self.predicted, dtype=np.int64) == result.targets[indices]
        model = result.are_right[indices]
        return Comparison(int((floor & ~model).sum()), int((~floor & model).sum()), self.texts)


@dataclasses.dataclass(frozen=True)
class Floor:
    """A logistic regression on the mean last hidden states of the pretrained encoder.

    Attributes:
        trained_on: number of training texts that it was fitted on.
        seconds: time that it took.
        channels: its score on validation and, if there is one, test.
    """

    trained_on: int
    seconds: float
    channels: Mapping[str, FloorScore]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Undo `as_json`."""
        channels = {name: FloorScore(**score) for name, score in values["channels"].items()}
        return cls(values["trained_on"], values["seconds"], channels)

    def as_json(self) -> dict[str, Any]:
        """Return all fields as JSON values, for checkpoints."""
        return dataclasses.asdict(self)

    @property
    def facts(self) -> dict[str, Any]:
        """The field of training.json: the scores by channel; without the time, which differs between equal runs."""
        scores = {
            name: {
                "texts": score.texts,
                "accuracy": score.accuracy,
                "macro_f1": score.macro_f1,
                "commonest_class_accuracy": score.commonest_accuracy,
            }
            for name, score in self.channels.items()
        }
        return {"trained_on": self.trained_on, **scores}

    def sentence(self, channel: str) -> str:
        """Say how it does on a channel, compared with a constant answer."""
        score = self.channels[channel]
        return (
            f"logistic regression on the frozen encoder is right on {score.right:,} of"
            f" {counted(score.texts, f'{channel} text')} ({score.accuracy:.0%}; always predicting the commonest class:"
            f" {score.commonest_accuracy:.0%})"
        ).replace("%", " %")


@dataclasses.dataclass(frozen=True)
class FloorComparison:
    """A model beside the floor, on the same texts of one channel.

    Attributes:
        channel: its name.
        score: the floor's.
        paired: the floor is the first, the model the second.
    """

    channel: str
    score: FloorScore
    paired: Comparison

    @classmethod
    def of(cls, floor: Floor | None, channel: str, result: Evaluation) -> Self | None:
        """Compare with a model's evaluation of a channel, the whole of it; None if the floor is not known there."""
        score = floor.channels.get(channel) if floor else None
        return cls(channel, score, score.compare(result)) if score and score.texts else None

    @property
    def model_right(self) -> int:
        """Texts that the model predicts correctly."""
        return self.score.right + self.paired.only_second - self.paired.only_first

    @property
    def is_significant(self) -> bool:
        """Whether model and floor differ by more than chance."""
        return self.paired.mid_p <= _SIGNIFICANT

    @property
    def is_model_below(self) -> bool:
        """Whether the model is significantly worse than the floor."""
        return self.is_significant and self.model_right < self.score.right

    @property
    def floor_beats_constant(self) -> bool:
        """Whether the floor is significantly better than always predicting the commonest class."""
        return beats_constant(self.score.right, self.score.commonest, self.score.texts)

    @property
    def sentence(self) -> str:
        """Both numbers."""
        texts = counted(self.paired.count, f"{self.channel} text")
        return (
            f"Of the same {texts} the model is right on {self.model_right:,}, a logistic regression on the frozen"
            f" encoder on {self.score.right:,}."
        )
