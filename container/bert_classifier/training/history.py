"""The learning curve of a run, bounded in size so that every checkpoint can hold it."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from bert_classifier.training.progress import StepReport

_MOST_BUCKETS = 256
_MOST_EVALUATIONS = 512

Curve = list[tuple[float, float]]


@dataclasses.dataclass
class History:
    """Losses in buckets of steps, and evaluations; independent of interruptions. JSON values only.

    The lists from learning_rates on hold one sum per bucket, as `buckets` does; None where a step was not recorded, as
    earlier versions recorded the loss only.

    Attributes:
        width: steps per bucket.
        buckets: sums of the losses of `width` steps each; the last one may have fewer steps so far.
        steps: number of steps recorded so far.
        evaluations: [step, loss, accuracy or with several labels per text micro-F1, macro F1] on validation; if there
            are too many, every second one is dropped.
        start: first step recorded; above 0 if the run resumed from an early checkpoint without a history.
        seconds: time spent training and evaluating in all attempts, lost work excluded.
        learning_rates: the learning rates, before layer_decay.
        gradient_norms: the finite norms of the gradient before clipping; in fp16 a step's may be infinite.
        finite_norms: the number of these.
        tokens: tokens without padding.
        step_seconds: time spent on steps, evaluations excluded. Like `seconds`, no two runs have the same.
        floor: of Floor.as_json; None if it was not computed.
    """

    width: int = 1
    buckets: list[float] = dataclasses.field(default_factory=list)
    steps: int = 0
    start: int = 0
    evaluations: list[list[float]] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    learning_rates: list[float | None] = dataclasses.field(default_factory=list)
    gradient_norms: list[float | None] = dataclasses.field(default_factory=list)
    finite_norms: list[float | None] = dataclasses.field(default_factory=list)
    tokens: list[float | None] = dataclasses.field(default_factory=list)
    step_seconds: list[float | None] = dataclasses.field(default_factory=list)
    floor: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Fill in what a checkpoint of an earlier version lacks."""
        for sums in self._optional.values():
            sums[:0] = [None] * (len(self.buckets) - len(sums))

    @property
    def _optional(self) -> Mapping[str, list[float | None]]:
        names = ("learning_rates", "gradient_norms", "finite_norms", "tokens", "step_seconds")
        return {name: getattr(self, name) for name in names}

    def note_step(self, loss: float, **values: float) -> None:
        """Record the loss of the next step and, by the list that takes them, other values."""
        if self.steps % self.width == 0:
            if len(self.buckets) == _MOST_BUCKETS:
                self._halve()
            self.buckets.append(0.0)
            for sums in self._optional.values():
                sums.append(0.0)
        self.buckets[-1] += loss
        for name, sums in self._optional.items():
            sums[-1] = _sum(sums[-1], values.get(name))
        self.steps += 1

    def note_report(self, report: StepReport, seconds: float) -> None:
        """Record the next step and the time that it took."""
        is_finite = math.isfinite(report.grad_norm)
        self.note_step(
            report.loss,
            learning_rates=report.learning_rate,
            gradient_norms=report.grad_norm if is_finite else 0.0,
            finite_norms=int(is_finite),
            tokens=report.tokens,
            step_seconds=seconds,
        )

    def note_evaluation(self, step: int, loss: float, main_score: float, macro_f1: float) -> None:
        """Record an evaluation on validation."""
        if len(self.evaluations) == _MOST_EVALUATIONS:
            del self.evaluations[::2]
        self.evaluations.append([step, loss, main_score, macro_f1])

    def training_losses(self) -> Curve:
        """Return (middle step, mean loss per step) of each bucket."""
        return self._ratios(self.buckets, self._counts)

    def learning_rate_curve(self) -> Curve:
        """Return (middle step, mean learning rate) of each bucket recorded."""
        return self._ratios(self.learning_rates, self._counts)

    def gradient_norm_curve(self) -> Curve:
        """Return (middle step, mean norm of the gradient before clipping) of each bucket recorded."""
        return self._ratios(self.gradient_norms, self.finite_norms)

    def throughput(self) -> Curve:
        """Return (middle step, tokens per second without padding) of each bucket recorded."""
        return self._ratios(self.tokens, self.step_seconds)

    @property
    def _counts(self) -> Sequence[int]:
        """Steps of each bucket."""
        return [min(self.width, self.steps - first) for first in range(0, self.steps, self.width)]

    def _ratios(self, parts: Sequence[float | None], wholes: Sequence[float | None]) -> Curve:
        return [
            (self.start + number * self.width + count / 2, part / whole)
            for number, (count, part, whole) in enumerate(zip(self._counts, parts, wholes, strict=True))
            if part is not None and whole
        ]

    def _halve(self) -> None:
        """Join every two buckets."""
        self.buckets = [a + b for a, b in zip(self.buckets[::2], self.buckets[1::2], strict=True)]
        for sums in self._optional.values():
            sums[:] = [_sum(a, b) for a, b in zip(sums[::2], sums[1::2], strict=True)]
        self.width *= 2


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
