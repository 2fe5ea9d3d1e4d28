"""The learning curve of a run, bounded in size so that every checkpoint can hold it."""

import dataclasses

_MOST_BUCKETS = 256
_MOST_EVALUATIONS = 512


@dataclasses.dataclass
class History:
    """Losses in buckets of steps, and evaluations; independent of interruptions. JSON values only.

    Attributes:
        width: steps per bucket.
        buckets: sums of the losses of `width` steps each; the last one may have fewer steps so far.
        steps: number of steps recorded so far.
        evaluations: [step, loss, accuracy, macro F1] on validation; if there are too many, every second one is dropped.
        start: first step recorded; above 0 if the run resumed from an early checkpoint without a history.
        seconds: time spent training and evaluating in all attempts, lost work excluded.
    """

    width: int = 1
    buckets: list[float] = dataclasses.field(default_factory=list)
    steps: int = 0
    start: int = 0
    evaluations: list[list[float]] = dataclasses.field(default_factory=list)
    seconds: float = 0.0

    def note_step(self, loss: float) -> None:
        """Record the loss of the next step."""
        if self.steps % self.width == 0:
            if len(self.buckets) == _MOST_BUCKETS:
                self.buckets = [a + b for a, b in zip(self.buckets[::2], self.buckets[1::2], strict=True)]
                self.width *= 2
            self.buckets.append(0.0)
        self.buckets[-1] += loss
        self.steps += 1

    def note_evaluation(self, step: int, loss: float, accuracy: float, macro_f1: float) -> None:
        """Record an evaluation on validation."""
        if len(self.evaluations) == _MOST_EVALUATIONS:
            del self.evaluations[::2]
        self.evaluations.append([step, loss, accuracy, macro_f1])

    def training_losses(self) -> list[tuple[float, float]]:
        """Return (middle step, mean loss per step) of each bucket."""
        counts = [min(self.width, self.steps - start) for start in range(0, self.steps, self.width)]
        return [
            (self.start + number * self.width + count / 2, total / count)
            for number, (total, count) in enumerate(zip(self.buckets, counts, strict=True))
        ]
