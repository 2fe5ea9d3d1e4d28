"""Media types that a setting names, with their parameters."""

import dataclasses
import re
from collections.abc import Mapping
from email.message import Message
from typing import Self

_QUOTED = re.compile(r'"[^"]*"')


@dataclasses.dataclass(frozen=True)
class MediaType:
    """A media type in lower case, and its parameters by their names in lower case."""

    name: str
    parameters: Mapping[str, str]

    @classmethod
    def of(cls, given: str) -> Self:
        """Read a media type, such as text/csv; top_k=3."""
        message = Message()
        message["content-type"] = given
        (name, _), *parameters = message.get_params() or [("", "")]
        return cls(name.strip().lower(), {key.strip().lower(): value for key, value in parameters})


def are_several(given: str) -> bool:
    """Return whether a setting lists several media types."""
    return "," in _QUOTED.sub("", given)
