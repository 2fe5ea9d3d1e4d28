"""The content of a report: a model's predictions for a channel, and facts about the run."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bert_classifier.data.class_words import ClassWords
from bert_classifier.data.examples import Records
from bert_classifier.evaluation.assessment import AnyResult
from bert_classifier.evaluation.calibration import softmax
from bert_classifier.evaluation.confusions import Confusion, confusions
from bert_classifier.evaluation.floor import Floor
from bert_classifier.evaluation.headline import Headline, headline
from bert_classifier.evaluation.label_issues import LabelIssue, likely_label_errors, worst_mistakes
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.occlusion import Occlusion
from bert_classifier.evaluation.reliability_bins import ReliabilityBin, equal_mass_bins
from bert_classifier.evaluation.result import EvaluationResult
from bert_classifier.evaluation.several_runs import SeedScores
from bert_classifier.evaluation.thresholds import Threshold, fixed_thresholds, target_thresholds

ABOUT = "About"  # the group of facts that the head of the page shows


@dataclasses.dataclass(frozen=True)
class LearningCurve:
    """Losses and scores by optimizer step.

    Attributes:
        training: (step, mean loss of the steps around it).
        evaluations: (step, loss, score, macro F1) on validation.
        kept_step: step whose weights were kept; 0 = none.
        learning_rates: (step, mean learning rate of the steps around it); empty if not recorded, as in runs that
            earlier versions began. Before layer_decay.
        gradient_norms: (step, mean norm of the gradient before clipping); empty if not recorded.
        score_name: which score the evaluations hold.
    """

    training: Sequence[tuple[float, float]]
    evaluations: Sequence[Sequence[float]]
    kept_step: int
    learning_rates: Sequence[tuple[float, float]] = ()
    gradient_norms: Sequence[tuple[float, float]] = ()
    score_name: str = "accuracy"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PageContext:
    """What a report says of a model, whatever the task.

    Attributes:
        labels: class names in the order of the logits.
        records: texts of the reported channel and their locations.
        curve: None without training.
        data: the data doctor's report; may be empty.
        warnings: sentences about the model.
        understood: what was understood of the files, by channel, as channel_understood returns it.
        facts: groups of names and values about the run, ABOUT among them. Reports of two identical runs differ only
            here and in throughput.
        throughput: (step, tokens per second of the steps around it, without padding), by the clock; empty if not
            recorded. It belongs into the section of the run's facts, which alone may differ between identical runs.
        seeds: scores of the job's seeds; None if it has one.
        words: the words that speak for each class in the training texts; None without training.
        is_held_out: whether validation was split off the training texts.
        notes: sentences that belong to the first one; empty ones are not shown.
    """

    title: str
    labels: Sequence[str]
    evaluation: AnyResult
    records: Records
    curve: LearningCurve | None = None
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    understood: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    facts: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    warnings: Sequence[str] = ()
    throughput: Sequence[tuple[float, float]] = ()
    seeds: SeedScores | None = None
    words: ClassWords | None = None
    is_held_out: bool = False
    notes: Sequence[str] = ()

    @property
    def channel(self) -> str:
        """The reported channel."""
        return self.evaluation.channel

    @property
    def folds(self) -> int:
        """Number of the models of a cross-validation that predicted its texts; 0 = the reported model did."""
        validated = self.evaluation.cross_validation
        return validated.folds if validated and self.channel == "validation" else 0

    @property
    def scores(self) -> Mapping[str, float | int]:
        """Its headline numbers."""
        return self.evaluation.summaries[self.channel]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportContext(PageContext):
    """Everything in a report of a model that gives each text one label.

    Attributes:
        positive: index of the positive class, or None.
        floor: what a logistic regression on the frozen encoder gets right; None if it was not computed.
        occlusions: the words that the worst mistakes hang on, by the index of the text; may be empty.
    """

    positive: int | None
    evaluation: EvaluationResult
    floor: Floor | None = None
    occlusions: Mapping[int, Occlusion] = dataclasses.field(default_factory=dict)

    @property
    def headline(self) -> Headline:
        """How right the model is, in a sentence."""
        return headline(
            self.evaluation,
            labels=self.labels,
            positive=self.positive,
            is_held_out=self.is_held_out,
            folds=self.folds,
            seeds=self.evaluation.seeds,
            floor=self.floor,
        )

    @property
    def result(self) -> Evaluation:
        """Its evaluation."""
        return self.evaluation.results[self.channel]

    @functools.cached_property
    def probabilities(self) -> np.ndarray:
        """Calibrated probabilities of its texts, float64 (n, classes)."""
        return softmax(self.result.logits, self.evaluation.temperature.value)

    @functools.cached_property
    def mistakes(self) -> list[LabelIssue]:
        """Its wrong predictions, the highest score first."""
        return worst_mistakes(self.probabilities, self.result.targets)

    @functools.cached_property
    def label_errors(self) -> list[LabelIssue]:
        """Its labels that are likely wrong, the likeliest first."""
        return likely_label_errors(self.probabilities, self.result.targets)

    @functools.cached_property
    def confusions(self) -> list[Confusion]:
        """Its most frequent confusions, with their texts."""
        return confusions(self.result.confusion, self.mistakes, self.records)

    @functools.cached_property
    def reliability_bins(self) -> list[ReliabilityBin]:
        """Its texts by calibrated score, in bins of about the same number of texts."""
        return equal_mass_bins(self.probabilities.max(axis=1, initial=0.0), self.result.are_right)

    @functools.cached_property
    def fixed_thresholds(self) -> list[Threshold]:
        """What usual thresholds come to on it."""
        return fixed_thresholds(self.evaluation.curve(self.channel))

    @functools.cached_property
    def target_thresholds(self) -> list[Threshold]:
        """The thresholds for usual target accuracies."""
        return target_thresholds(self.evaluation.curve(self.channel))
