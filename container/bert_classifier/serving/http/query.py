"""A decoded request: its records, and what it wants of their answers."""

import dataclasses
from typing import Literal

from bert_classifier.errors import RequestError
from bert_classifier.serving.http.body_records import Record
from bert_classifier.serving.http.parameters import Wanted

# What a JSON body holds: several texts, or one in one of two ways.
Nesting = Literal["list", "string", "object"]


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """A decoded request.

    Attributes:
        records: in order.
        wanted: what the request asks for; None if it leaves that open.
        own: what single records ask for, by their place.
        nesting: of a JSON body; its answer is nested alike.
        understood: how a body of CSV or plain text was read, without any of its cells.
    """

    records: list[Record]
    wanted: Wanted | None = None
    own: dict[int, Wanted] = dataclasses.field(default_factory=dict)
    nesting: Nesting = "list"
    understood: str = ""

    def is_bare(self, wanted: Wanted) -> bool:
        """Return whether a JSON answer is not put into a list, as transformers' pipeline leaves it."""
        if self.nesting == "string":
            return wanted.is_list and not wanted.in_model_order  # return_all_scores was always nested
        return self.nesting == "object"

    def refuse_selection(self) -> None:
        """Refuse to answer less than the scores of all classes.

        Raises:
            RequestError: 400.
        """
        given = [wanted for wanted in (self.wanted, *self.own.values()) if wanted is not None]
        if any(wanted.is_selection for wanted in given):
            raise RequestError(
                400,
                "bad_parameters",
                "An answer in application/x-npy holds the probabilities of all classes, and no selection of them.",
                "Leave the parameters out, or accept application/json.",
            )
