"""The content of a report on several labels per text."""

import dataclasses
import functools

import numpy as np

from bert_classifier.evaluation.multi_label.calibration import class_errors
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation
from bert_classifier.evaluation.multi_label.floor import LabelFloor
from bert_classifier.evaluation.multi_label.headline import MultiLabelHeadline, multi_label_headline
from bert_classifier.evaluation.multi_label.mistakes import (
    LabelDoubts,
    LabelSetMistake,
    label_doubts,
    label_set_mistakes,
)
from bert_classifier.evaluation.multi_label.predictions import LabelPredictions
from bert_classifier.evaluation.multi_label.result import MultiLabelResult
from bert_classifier.evaluation.report.context import PageContext


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultiLabelContext(PageContext):
    """Everything in a report of a model that gives texts any number of labels.

    Attributes:
        floor: what logistic regressions on the frozen encoder get right; None if they were not computed.
    """

    evaluation: MultiLabelResult
    floor: LabelFloor | None = None

    @functools.cached_property
    def headline(self) -> MultiLabelHeadline:
        """How right the model is, in a sentence."""
        return multi_label_headline(
            self.evaluation,
            is_held_out=self.is_held_out,
            folds=self.folds,
            seeds=self.evaluation.seeds,
            floor=self.floor,
        )

    @property
    def result(self) -> MultiLabelEvaluation:
        """The evaluation of the reported channel."""
        return self.evaluation.results[self.channel]

    @property
    def answers(self) -> LabelPredictions:
        """The labels predicted for its texts."""
        return self.evaluation.predictions(self.channel)

    @functools.cached_property
    def probabilities(self) -> np.ndarray:
        """Calibrated probabilities of its texts, float64 (n, classes)."""
        return self.evaluation.probabilities(self.channel)

    @functools.cached_property
    def calibration_errors(self) -> np.ndarray:
        """The expected calibration error of each class, float64 (classes,)."""
        result = self.result
        return class_errors(result.logits, result.targets, self.evaluation.temperature.value)

    @functools.cached_property
    def mistakes(self) -> list[LabelSetMistake]:
        """Its texts with a wrong label, the surest mistake first."""
        return label_set_mistakes(self.probabilities, self.answers)

    @functools.cached_property
    def doubts(self) -> LabelDoubts:
        """Its labels that are likely wrong, the likeliest first."""
        return label_doubts(self.probabilities, self.result.targets)
