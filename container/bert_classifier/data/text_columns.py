"""Which columns of a CSV table are text and title when it is classified: by the training's names, or names in use.

Standard library only.
"""

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from typing import Self

from bert_classifier.data.columns import (
    LAST_TEXT_NAMES,
    TEXT_NAMES,
    TITLE_NAMES,
    ColumnsError,
    Roles,
    Unclear,
    bare,
    matches,
)
from bert_classifier.data.dialect import find_dialect
from bert_classifier.data.pair_columns import pairs_in
from bert_classifier.data.reader_settings import DEFAULTS, ReaderSettings
from bert_classifier.data.roles import roles_of
from bert_classifier.data.second_texts import is_second_text
from bert_classifier.data.text_fields import TextFields
from bert_classifier.errors import UserError
from bert_classifier.job.settings import shown
from bert_classifier.job.wording import counted

_MOST_NAMED = 10  # in a message
CLIENTS_NAMES = frozenset({"inputs", "input"})  # what Hugging Face's clients call texts in a header
_NAMES_IN_USE = (
    frozenset().union(*TEXT_NAMES),
    CLIENTS_NAMES,
    *(frozenset({name}) for name in LAST_TEXT_NAMES),
)


@dataclasses.dataclass(frozen=True, slots=True)
class TextColumns:
    """The columns of a table: how many, and which of them have a role."""

    width: int
    roles: Roles

    def text_of(self, cells: Sequence[str]) -> str:
        """Return the text of a row of this width, title included, as at training."""
        roles = self.roles
        return roles.whole_text("" if roles.title is None else cells[roles.title], cells[roles.text])

    def __str__(self) -> str:
        """Describe them by place, such as "text in column 2 of 3"; no name occurs in it."""
        title = "" if self.roles.title is None else f", title in column {self.roles.title + 1}"
        second = "" if self.roles.pair is None else f", its pair in column {self.roles.pair + 1}"
        return f"text in column {self.roles.text + 1} of {self.width}{second}{title}"


@dataclasses.dataclass(frozen=True, slots=True)
class FixedColumns:
    """The columns that all CSV bodies have, by a setting of the server.

    Attributes:
        names: as the setting has them, without case and separators.
    """

    delimiter: str
    names: tuple[str, ...]
    columns: TextColumns

    @classmethod
    def of(cls, setting: str, fields: TextFields) -> Self | None:
        """Return the columns that SERVING_CSV_COLUMNS names, None where it is empty; \\t stands for a tab.

        Raises:
            UserError: when it is not one row of CSV, or no text column can be told from it.
        """
        if not setting.strip():
            return None
        row = setting.strip().replace("\\t", "\t")
        dialect, sample = find_dialect([row], header_settings(fields), is_whole=True)
        if sample.error or len(sample.rows) != 1 or dialect.skipped:
            raise UserError(
                "SERVING_CSV_COLUMNS is not one row of CSV.",
                "Name the columns: SERVING_CSV_COLUMNS=label,text.",
            )
        (names,) = sample.rows
        columns = columns_named(names, fields, "SERVING_CSV_COLUMNS")
        return cls(dialect.delimiter, tuple(map(bare, names)), columns)

    def is_named_by(self, cells: Sequence[str]) -> bool:
        """Return whether a row is the setting itself, case and separators aside."""
        return len(cells) == len(self.names) and tuple(map(bare, cells)) == self.names


def header_settings(fields: TextFields, delimiter: str = "") -> ReaderSettings:
    """Return the settings by which a table with a header of the training's columns is read."""
    return ReaderSettings(
        text_column=fields.text, title_column=fields.title, header="true", delimiter=delimiter
    )


def columns_named(names: Sequence[str], fields: TextFields, what: str = "The header") -> TextColumns:
    """Return which of the named columns are text and title, or the two texts of a pair.

    Args:
        fields: names in the training data; they come before names in use.
        what: names the columns, in messages.
    Raises:
        ColumnsError: when the text, or the title that the training put before it, cannot be told.
    """
    if fields.is_paired:
        first, second = _pair_positions(names, fields, what)
        return TextColumns(len(names), Roles(None, first, pair=second))
    text = _text_position(names, fields, what)
    if fields.title:
        return TextColumns(len(names), Roles(None, text, _title_position(names, fields.title, what), True))
    label = bare(fields.label)
    titles = [at for at in matches(names, TITLE_NAMES) if at != text and bare(names[at]) != label]
    return TextColumns(len(names), Roles(None, text, titles[0] if titles else None))


def columns_by_place(width: int, fields: TextFields) -> Iterator[TextColumns]:
    """Yield what unnamed columns may be: by the numbers that the training was told, then as the reader takes them.

    Not the latter where the training put a title before the text, since the reader only fills empty texts by it.
    """
    told = [ReaderSettings(**dict(fields.numbers))] if fields.numbers else []
    for settings in told if fields.title else [*told, DEFAULTS]:
        try:
            roles = roles_of([str(at + 1) for at in range(width)], settings, is_named=False)
        except (Unclear, UserError):
            continue
        yield TextColumns(width, roles)


def _title_position(names: Sequence[str], title: str, what: str) -> int:
    found = _positions(names, title)
    if len(found) == 1:
        return found[0]
    number = f"has {counted(len(found), 'column')} called" if found else "has no column"
    raise ColumnsError(
        f"{what} {number} {shown(title)}, which stands before the text in the training data.",
        "Give it once, with empty cells where a text has none.",
    )


def _text_position(names: Sequence[str], fields: TextFields, what: str) -> int:
    """Return the position of the training's text column, or without it of the only one with a name in use."""
    found = _positions(names, fields.text) if fields.text else []
    if len(found) == 1:
        return found[0]
    others = {bare(fields.title), bare(fields.label)} - {""}
    in_use = (_among(names, group - others) for group in _NAMES_IN_USE)
    known = found or next(filter(None, in_use), [])
    several = known + [at for at, name in enumerate(names) if at not in known and is_second_text(name)]
    if len(known) == 1 and len(several) == 1:
        return known[0]
    raise _unclear_text(names, several if known else [], fields, what)


def _pair_positions(names: Sequence[str], fields: TextFields, what: str) -> tuple[int, int]:
    """Return the positions of the two texts: as the training calls them, or else of the only pair with names in use."""
    first, second = (_positions(names, name) if name else [] for name in (fields.text, fields.text_pair))
    if len(first) == len(second) == 1:
        return first[0], second[0]
    found = pairs_in([*map(bare, names)])
    own = f"{shown(fields.text or 'text')} and {shown(fields.text_pair or 'text_pair')}"
    if not found:
        raise ColumnsError(
            f"{what} names {counted(len(names), 'column')}, but not the two texts of a pair, which the model reads.",
            f"Call them {own}.",
        )
    if len(found) > 1:
        listed = " or ".join(f"{shown(names[one])} and {shown(names[other])}" for one, other in found)
        raise ColumnsError(
            f"{what} names several pairs of texts: {listed}.", f"Give one of them, called {own}."
        )
    return found[0]


def _unclear_text(
    names: Sequence[str], several: Sequence[int], fields: TextFields, what: str
) -> ColumnsError:
    wanted = shown(fields.text or "text")
    if several:
        listed = " and ".join(shown(names[at].strip()) for at in several[:_MOST_NAMED])
        return ColumnsError(
            f"{what} names {len(several)} columns that may be the text: {listed}.",
            f"Give one of them, called {wanted}.",
        )
    own = f"{wanted}, the text column of the training, or " if fields.text else ""
    return ColumnsError(
        f"{what} names {counted(len(names), 'column')}, but not {own}a name in use for texts.",
        f"Call the column of texts {wanted}.",
    )


def _positions(names: Sequence[str], wanted: str) -> list[int]:
    """Return where a name stands: exactly, or but for case and separators."""
    exact = [at for at, name in enumerate(names) if name.strip() == wanted.strip()]
    return exact or _among(names, {bare(wanted)})


def _among(names: Sequence[str], wanted: Collection[str]) -> list[int]:
    return [at for at, name in enumerate(names) if bare(name) in wanted]
