"""What the server answered to one record, in whatever form."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one record.

    Attributes:
        label: its class; None where the answer names none.
        labels: all its labels, of a model that gives a text any number of them; None of any other model, and where the
            answer does not tell them all.
        score: of that class, from 0 to 1; None where the answer has none, or has those of some labels only.
        is_unsure: whether the model abstained; None where the answer does not tell.
        is_refused: whether the record was not classified.
        is_truncated: whether the answer says that the text was cut.
    """

    label: str | None = None
    score: float | None = None
    is_unsure: bool | None = False
    is_refused: bool = False
    is_truncated: bool = False
    labels: tuple[str, ...] | None = None


REFUSED = Answer(is_refused=True)
