"""A section of a page: its template, its place in the table of contents, the values that it shows."""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of a page.

    Attributes:
        name: its anchor, and its template below templates/sections.
        title: its heading, and its entry in the table of contents.
        values: what the template shows, there called `of`.
    """

    name: str
    title: str
    values: Mapping[str, Any]
