"""What is known of one request, for the access log and the metrics: numbers and names, nothing of its content."""

import dataclasses
import time

from flask import request

OBSERVATION = (
    "bert_classifier.observation"  # key in the WSGI environment, which is read faster than Flask's g
)


@dataclasses.dataclass(slots=True)
class Observation:
    """One request, from its first byte on.

    Attributes:
        began: when its first byte came, on time.monotonic's clock.
        code: of the error it is answered with.
        type_in: media type of the body, one of answer_form.READ.
        csv: what was understood of a body of CSV or plain text.
        records: how many there are; of them, errors have no prediction, truncated were cut, unsure lie below the
            abstention threshold.
        labels: how many labels texts got together, where each may get several; unlabelled: texts that got none.
        seconds: spent in each stage that has ended.
    """

    began: float
    code: str | None = None
    type_in: str | None = None
    csv: str | None = None
    records: int | None = None
    errors: int | None = None
    truncated: int | None = None
    unsure: int | None = None
    labels: int | None = None
    unlabelled: int | None = None
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    _stage: str = "head"
    _since: float = 0.0

    def __post_init__(self) -> None:
        """Begin with the stage in which the head is read."""
        self._since = self.began

    def enter(self, stage: str, at: float | None = None) -> None:
        """End the current stage and begin the next one, now or at a moment on time.monotonic's clock.

        Stages follow one another without a gap, so a request that fails has its time in the stage where it failed.
        """
        now = time.monotonic() if at is None else at
        self.seconds[self._stage] = now - self._since
        self._stage, self._since = stage, now

    def note_records(self, count: int, errors: int) -> None:
        """Note how many records there are, and how many of them hold no text."""
        self.records, self.errors, self.truncated, self.unsure = count, errors, 0, 0

    def note_results(self, errors: int, truncated: int, unsure: int) -> None:
        """Note what became of the texts; `errors` join those of records without a text."""
        self.errors = (self.errors or 0) + errors
        self.truncated, self.unsure = truncated, unsure

    def note_labels(self, count: int, unlabelled: int) -> None:
        """Note how many labels the texts got together, and how many texts got none."""
        self.labels, self.unlabelled = count, unlabelled

    def end(self) -> None:
        """End the last stage."""
        self.enter("")

    @property
    def total(self) -> float:
        """Seconds from the first byte to the end of the stage that ended last."""
        return self._since - self.began


def current() -> Observation:
    """Return the observation of Flask's current request."""
    return request.environ[OBSERVATION]  # type: ignore[no-any-return]
