"""The result of an evaluation: metrics per channel, and the temperature and threshold fitted on validation."""

import dataclasses
import functools
import logging
from collections.abc import Mapping, Sequence

from bert_classifier.evaluation.abstention import CoverageCurve, coverage_curve
from bert_classifier.evaluation.calibration import (
    Temperature,
    calibration_scores,
    fit_temperature,
    highest_scores,
)
from bert_classifier.evaluation.channels import finite, reported_channel
from bert_classifier.evaluation.guarantee import Guarantee, guarantee
from bert_classifier.evaluation.metrics import Evaluation, wilson_interval
from bert_classifier.evaluation.precisions import Reading
from bert_classifier.evaluation.several_runs import CrossValidation

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class EvaluationResult:
    """Evaluations by channel, with temperature and abstention threshold.

    Attributes:
        temperature: divisor of the logits.
        abstain_below: score below which a text gets no label; 0 = never.
        guarantee: what target_accuracy comes to on validation; None if it is not set.
        cross_validation: how `results["validation"]` was made; None: by the exported model on texts held out.
        seeds: number of models of which the exported one is the best on validation.
    """

    results: Mapping[str, Evaluation]
    temperature: Temperature
    abstain_below: float
    guarantee: Guarantee | None = None
    cross_validation: CrossValidation | None = None
    seeds: int = 1

    @property
    def warnings(self) -> Sequence[str]:
        """Sentences about the threshold."""
        return [self.guarantee.warning] if self.guarantee and self.guarantee.warning else []

    @property
    def channel(self) -> str:
        """The channel that reports are about: test if there is one, else validation, else the first."""
        return reported_channel(self.results)

    @property
    def reading(self) -> Reading:
        """How the artifact's answers follow from logits."""
        promised = self.guarantee.target if self.guarantee and self.guarantee.threshold is not None else 0.0
        return Reading(self.temperature.value, self.abstain_below, promised)

    @functools.cached_property
    def summaries(self) -> dict[str, dict[str, float | int]]:
        """The main metrics of each channel, by name, for the log and training.json."""
        return {channel: self.summary(channel) for channel in self.results}

    def summary(self, channel: str) -> dict[str, float | int]:
        """Return the main metrics of a channel."""
        result = self.results[channel]
        low, high = wilson_interval(int(result.confusion.trace()), result.count)
        before, after = (calibration_scores(result, t) for t in (1.0, self.temperature.value))
        accepted, right = self.curve(channel).at(self.abstain_below)
        answered_low, answered_high = wilson_interval(right, accepted)
        return {
            "texts": result.count,
            "accuracy": result.accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
            "macro_f1": result.macro_f1,
            "weighted_f1": result.weighted(result.f_score(1.0)),
            "loss": result.loss,
            "nll": after["nll"],
            "brier": after["brier"],
            "ece": after["ece"],
            "ece_uncalibrated": before["ece"],
            "coverage": accepted / max(1, result.count),
            "accuracy_of_answered": right / max(1, accepted),
            "accuracy_of_answered_low": answered_low,
            "accuracy_of_answered_high": answered_high,
        }

    def curve(self, channel: str) -> CoverageCurve:
        """Return coverage and accuracy of a channel by threshold."""
        result = self.results[channel]
        scores = highest_scores(result.logits, self.temperature.value)
        return coverage_curve(scores, result.are_right)


def assess(
    results: Mapping[str, Evaluation], *, abstain_below: float, target_accuracy: float
) -> EvaluationResult:
    """Fit temperature and threshold on the validation channel.

    Args:
        abstain_below: the threshold if target_accuracy is 0.
        target_accuracy: accuracy of the labels of new texts, which the threshold is to guarantee; 0 = not set.
    """
    results = {name: finite(name, result) for name, result in results.items()}
    temperature = fit_temperature(results["validation"])
    if temperature.reason:
        logger.info("scores are not calibrated: %s", temperature.reason)
    evaluation = EvaluationResult(results, temperature, abstain_below)
    if not target_accuracy:
        return evaluation
    guaranteed = guarantee(evaluation.curve("validation"), target_accuracy)
    if guaranteed.threshold is not None:
        logger.info("%s", guaranteed.sentence)
    return dataclasses.replace(evaluation, abstain_below=guaranteed.threshold or 0.0, guarantee=guaranteed)
