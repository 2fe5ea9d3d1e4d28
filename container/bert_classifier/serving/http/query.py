"""A decoded request: its records, and what it wants of their answers."""

import dataclasses
from typing import Literal, Self

from bert_classifier.errors import RequestError
from bert_classifier.serving.http.body_records import Record, RecordError
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

    def beside(self, wanted: Wanted, *, is_setting: bool) -> Self:
        """Return the query with what is asked for outside it; a record that contradicts that is wrong.

        Args:
            wanted: by the Accept header, or else by a setting.
        Raises:
            RequestError: 400 as Wanted.beside, where the request as a whole contradicts it.
        """
        if not self.own and self.wanted is None:
            return self
        records, own = list(self.records), dict[int, Wanted]()
        for place, each in self.own.items():
            try:
                own[place] = each.beside(wanted, is_setting=is_setting)
            except RequestError as error:
                records[place] = RecordError(str(error), error.code)
        asked = self.wanted and self.wanted.beside(wanted, is_setting=is_setting)
        return dataclasses.replace(self, records=records, own=own, wanted=asked)

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
