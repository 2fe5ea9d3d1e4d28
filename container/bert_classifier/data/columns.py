"""Names in use for the columns of labels, texts and titles, and which columns have these roles.

Standard library only.
"""

import dataclasses
import re
from collections.abc import Collection, Sequence

from bert_classifier.data.pair_columns import pairs_in
from bert_classifier.data.shapes import quoted_value, spoken_name
from bert_classifier.errors import UserError
from bert_classifier.job.settings import nearest, shown
from bert_classifier.job.wording import listed

# Names without case, blanks, "_" and "-". A later group counts only where no column of an earlier one exists.
LABEL_NAMES = (
    ("label", "classindex", "class", "category", "target"),
    (
        "intent", "sentiment", "topic", "rating", "stars", "polarity", "labels", "classname", "classlabel", "classid",
        "labelname", "categoryname", "emotion", "star", "stance", "goldlabel",
    ),
)  # fmt: skip
TEXT_NAMES = (
    ("text", "abstract", "content", "sentence"),
    (
        "review", "message", "utterance", "tweet", "body", "comment", "description", "question", "questiontext",
        "reviewtext", "reviewbody", "reviewcontent", "messagetext", "tweettext", "commenttext", "commentbody",
        "inputtext", "rawtext", "fulltext", "cleantext", "cleanedtext", "textcontent", "document", "query", "headline",
        "sentencetext", "articletext", "article", "sms", "verbatim",
    ),
)  # fmt: skip
TITLE_NAMES = (("title",),)
# The text where no other column is: SageMaker's own name, and a title that stands alone.
LAST_TEXT_NAMES = ("source", "title")
_SEPARATORS = re.compile(r"[\s_-]+")
_UNNAMED = re.compile(r"unnamed:[0-9]+(level[0-9]+)?")  # pandas' name for an index
_MOST_NAMED = 12


@dataclasses.dataclass(frozen=True)
class Roles:
    """Positions of the columns among their names; label and title are None without one.

    Attributes:
        pair: of the second text of each row; None where a row has one text.
        labels: of the columns that are a label each, with 0 and 1; empty without such.
        is_title_joined: whether the title is put before the text; otherwise it replaces an empty one.
    """

    label: int | None
    text: int
    title: int | None = None
    is_title_joined: bool = False
    pair: int | None = None
    labels: tuple[int, ...] = ()

    @property
    def used(self) -> set[int | None]:
        """The positions that have a role."""
        return {self.label, self.text, self.title, self.pair, *self.labels}

    def whole_text(self, title: str, text: str) -> str:
        """Return the text of a row as the model reads it; `title` is empty without such a column."""
        if self.is_title_joined:
            return with_title(title, text)
        return text if text.strip() else title


def with_title(title: str, text: str) -> str:
    """Return the text with its title before it."""
    return " ".join(part for part in (title.strip(), text) if part)


def bare(name: str) -> str:
    """Return a name in lower case, without blanks, "_" and "-"."""
    return _SEPARATORS.sub("", name.strip().lower())


def is_unnamed(name: str) -> bool:
    """Return whether a bare name is what pandas calls a column without a name."""
    return bool(_UNNAMED.fullmatch(name))


def matches(names: Sequence[str], known: Sequence[Collection[str]]) -> list[int]:
    """Return the positions of the names in the first group that has any."""
    for group in known:
        found = [position for position, name in enumerate(names) if bare(name) in group]
        if found:
            return found
    return []


def is_known(name: str) -> bool:
    """Return whether a name is in use for a label, a text or a title."""
    return bool(matches([name], (*LABEL_NAMES, *TEXT_NAMES, *TITLE_NAMES)))


def names_both(cells: Sequence[str]) -> bool:
    """Return whether a row has names in use for a label and for a text, or for the two texts of a pair."""
    if not matches(cells, LABEL_NAMES):
        return False
    return bool(matches(cells, TEXT_NAMES) or pairs_in([*map(bare, cells)]))


def is_header(cells: Sequence[str]) -> bool:
    """Return whether a first row is a header: it names a label and a text, or one of them among other names."""
    return names_both(cells) or (any(map(is_known, cells)) and all(map(_may_be_name, cells)))


def _may_be_name(cell: str) -> bool:
    name = bare(cell)
    return not name or (name.isidentifier() and len(cell.split()) <= 3) or is_unnamed(name)


def told_position(names: Sequence[str], setting: str, value: str, *, is_named: bool) -> int:
    """Return the position of the column that a setting names.

    Raises:
        UserError: when there is no such column; the message gives the nearest, or all of them.
    """
    for is_same in (lambda name: name.strip() == value.strip(), lambda name: bare(name) == bare(value)):
        found = [position for position, name in enumerate(names) if is_same(name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(
                f"{len(found)} columns are called {shown(value)}.",
                f"Give {setting} the number of one of them, from 1 to {len(names)}, with header=true.",
            )
    if value.isdecimal() and 1 <= int(value) <= len(names):
        return int(value) - 1
    columns = (
        f"the columns are {_listed(names)}"
        if is_named
        else f"it has {len(names)} columns, without names as header=false"
    )
    match = nearest(value, [name for name in names if name.strip()]) if is_named else None
    raise UserError(
        f"there is no column {shown(value)} for {setting}; {columns}.",
        f"Did you mean {setting}={quoted_value(match)}?"
        if match
        else f"Give {setting} a name or a number from 1.",
    )


def _listed(names: Sequence[str]) -> str:
    spoken = [spoken_name(name, position) for position, name in enumerate(names)]
    return listed(spoken, _MOST_NAMED)


def other_candidates(names: Sequence[str], role: str, taken: Collection[int | None]) -> list[int]:
    """Return the positions of further columns whose names are in use for a role, "label" or "text"."""
    groups = LABEL_NAMES if role == "label" else TEXT_NAMES
    known = {name for group in groups for name in group}
    return [at for at, name in enumerate(names) if bare(name) in known and at not in taken]


class ColumnsError(UserError):
    """A file whose columns are unclear, or are not those that the settings name."""


class Unclear(Exception):  # noqa: N818 - not an error by itself: the caller words it with the columns' shapes
    """Which column has a role is unclear; str() says why."""
