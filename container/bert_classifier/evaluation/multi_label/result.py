"""The result of an evaluation with several labels per text: metrics by channel, temperature and thresholds."""

import dataclasses
import functools
import logging
from collections.abc import Mapping, Sequence

import numpy as np

from bert_classifier.evaluation.calibration import Temperature
from bert_classifier.evaluation.channels import finite, reported_channel
from bert_classifier.evaluation.multi_label.calibration import (
    LabelScores,
    brier_score,
    class_errors,
    fit_label_temperature,
)
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation, mean_loss
from bert_classifier.evaluation.multi_label.precisions import LabelReading
from bert_classifier.evaluation.multi_label.predictions import LabelPredictions
from bert_classifier.evaluation.multi_label.promises import PromisedPrecision, promise_precision
from bert_classifier.evaluation.multi_label.thresholds import (
    LabelThresholds,
    Origin,
    best_thresholds,
    cross_fitted,
    fixed_thresholds,
)
from bert_classifier.evaluation.several_runs import CrossValidation

logger = logging.getLogger(__name__)

_MOST_HURRIED = (
    10_000_000  # pairs of a text and a label: cross-fitting sorts each some eight times, in ten seconds
)


@dataclasses.dataclass(frozen=True)
class MultiLabelResult:
    """Evaluations by channel, with temperature and thresholds.

    Attributes:
        labels: class names in the order of the logits.
        temperature: divisor of the logits.
        chosen: the threshold of each label, and how it came about.
        guarantee: what target_precision comes to on validation; None if it is not set.
        cross_validation: how `results["validation"]` was made; None: by the exported model on texts held out.
        seeds: number of models of which the exported one is the best on validation.
        can_cross_fit: whether there is time to choose thresholds for each fifth of the validation texts.
    """

    results: Mapping[str, MultiLabelEvaluation]
    labels: Sequence[str]
    temperature: Temperature
    chosen: LabelThresholds
    guarantee: PromisedPrecision | None = None
    cross_validation: CrossValidation | None = None
    seeds: int = 1
    can_cross_fit: bool = True

    @property
    def thresholds(self) -> np.ndarray:
        """The lowest probability at which each label is answered, float64 (classes,); inf = never."""
        return self.chosen.values

    @property
    def thresholds_by_label(self) -> dict[str, float | None]:
        """The field of training.json; null = never answered."""
        values = [None if value == np.inf else value for value in self.thresholds.tolist()]
        return dict(zip(self.labels, values, strict=True))

    @property
    def warnings(self) -> Sequence[str]:
        """Sentences about the thresholds."""
        return [self.guarantee.warning] if self.guarantee and self.guarantee.warning else []

    @property
    def channel(self) -> str:
        """The channel that reports are about: test if there is one, else validation, else the first."""
        return reported_channel(self.results)

    @property
    def reading(self) -> LabelReading:
        """How the artifact's answers follow from logits."""
        promised = self.guarantee.target if self.guarantee else 0.0
        return LabelReading(self.labels, self.temperature.value, self.thresholds, promised)

    def probabilities(self, channel: str) -> np.ndarray:
        """Return the calibrated probabilities of a channel's texts, float64 (n, classes)."""
        return self.scores(channel)[:]

    def scores(self, channel: str) -> LabelScores:
        """Return the same, of which each is computed where it is needed."""
        return LabelScores(self.results[channel].logits, self.temperature.value)

    def is_cross_fitted(self, channel: str) -> bool:
        """Whether the answers to a channel's texts are cross-fitted, since the texts chose the thresholds."""
        chose = bool({Origin.OWN, Origin.COMMON} & {*self.chosen.origins})
        return channel == "validation" and chose and self.can_cross_fit

    def predictions(self, channel: str) -> LabelPredictions:
        """Return the labels answered to a channel's texts: each by thresholds that were chosen without the text."""
        return self._predictions[channel]

    @functools.cached_property
    def _predictions(self) -> dict[str, LabelPredictions]:
        found = {}
        for channel, result in self.results.items():
            scores = self.scores(channel)
            if self.is_cross_fitted(channel):
                predicted = cross_fitted(scores, result.targets)
            else:
                predicted = scores.reach(self.thresholds)
            found[channel] = LabelPredictions(predicted, result.targets)
        return found

    @functools.cached_property
    def summaries(self) -> dict[str, dict[str, float | int]]:
        """The main metrics of each channel, by name, for the log and training.json."""
        return {channel: self.summary(channel) for channel in self.results}

    def summary(self, channel: str) -> dict[str, float | int]:
        """Return the main metrics of a channel: of the answers by thresholds, and of the scores."""
        result, answers = self.results[channel], self.predictions(channel)
        low, high = answers.micro_f1_interval
        scored, temperature = (result.logits, result.targets), self.temperature.value
        return {
            "texts": result.count,
            "micro_f1": answers.micro_f1,
            "micro_f1_low": low,
            "micro_f1_high": high,
            "macro_f1": answers.macro_f1,
            "weighted_f1": answers.weighted_f1,
            "micro_precision": answers.micro_precision,
            "micro_recall": answers.micro_recall,
            "mean_average_precision": result.mean_average_precision,
            "subset_accuracy": answers.subset_accuracy,
            "hamming_loss": answers.hamming_loss,
            "labels_per_text": float(answers.support.sum() / max(1, result.count)),
            "answered_labels_per_text": float(answers.answered.sum() / max(1, result.count)),
            "loss": result.loss,
            "nll": mean_loss(*scored, temperature),
            "brier": brier_score(*scored, temperature),
            "ece": float(class_errors(*scored, temperature).mean()),
            "ece_uncalibrated": float(class_errors(*scored, 1.0).mean()),
        }


def assess_labels(
    results: Mapping[str, MultiLabelEvaluation],
    labels: Sequence[str],
    *,
    label_threshold: float | None,
    target_precision: float,
    is_hurried: bool = False,
) -> MultiLabelResult:
    """Fit temperature and thresholds on the validation channel.

    Args:
        labels: class names in the order of the logits.
        label_threshold: one for all labels, or None: each with its best F1.
        target_precision: of the answers with each label to new texts, which its threshold is to promise; 0 = not set.
        is_hurried: whether the run ends early, and answers to many validation texts may not be cross-fitted.
    """
    results = {name: finite(name, result) for name, result in results.items()}
    validation = results["validation"]
    temperature = fit_label_temperature(validation)
    if temperature.reason:
        logger.info("scores are not calibrated: %s", temperature.reason)
    scores = LabelScores(validation.logits, temperature.value)
    if target_precision:
        promised = promise_precision(scores, validation.targets, labels, target_precision)
        logger.info("%s", promised.sentence)
        return MultiLabelResult(results, labels, temperature, promised.thresholds, promised)
    if label_threshold is not None:
        chosen = fixed_thresholds(label_threshold, len(labels))
    else:
        chosen = best_thresholds(scores, validation.targets)
        logger.info("thresholds: %s", chosen.sentence)
    can_cross_fit = not is_hurried or validation.targets.size <= _MOST_HURRIED
    result = MultiLabelResult(results, labels, temperature, chosen, can_cross_fit=can_cross_fit)
    if not can_cross_fit and label_threshold is None:
        logger.warning("scores on validation flatter: its texts chose the thresholds, and the run ends early")
    return result
