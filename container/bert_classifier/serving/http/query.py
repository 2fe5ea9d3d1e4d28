"""A decoded request: its records, and what it wants of their answers."""

import dataclasses
from typing import Literal

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
