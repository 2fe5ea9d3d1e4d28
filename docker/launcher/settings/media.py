"""Media types that a setting names, with their parameters."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Self

from bert_classifier.errors import UserError
from bert_classifier.job.settings import shown

_WORD = r"[\w!#$%&'*+.^`|~-]+"
_PARAMETER = re.compile(rf'\s*;\s*({_WORD})=({_WORD}|"[^"\\]*")', re.ASCII)
_MEDIA_TYPE = re.compile(rf"\s*({_WORD}/{_WORD})((?:{_PARAMETER.pattern})*)\s*;?\s*", re.ASCII)
_QUOTED = re.compile(r'"[^"]*"')


@dataclasses.dataclass(frozen=True)
class MediaType:
    """A media type in lower case, and its parameters by their names in lower case."""

    name: str
    parameters: Mapping[str, str]

    @classmethod
    def of(cls, given: str) -> Self:
        """Read a media type, such as text/csv; top_k=3.

        Raises:
            UserError: when it is written otherwise, or names a parameter twice.
        """
        match = _MEDIA_TYPE.fullmatch(given)
        pairs = _PARAMETER.findall(match[2]) if match else []
        names = [name.lower() for name, _ in pairs]
        if not match or len({*names}) < len(names):
            raise UserError(
                f"{shown(given)} is not one media type with parameters, each once.",
                "Write it like text/csv; top_k=3.",
            )
        return cls(match[1].lower(), dict(zip(names, (value.strip('"') for _, value in pairs), strict=True)))


def are_several(given: str) -> bool:
    """Return whether a setting lists several media types."""
    return "," in _QUOTED.sub("", given)
