"""What tables of every form have in common: columns with roles, rows of label and text, what was understood.

Standard library only.
"""

import collections
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from bert_classifier.data.columns import (
    ColumnsError,
    Roles,
    Unclear,
    bare,
    other_candidates,
    roles_of,
)
from bert_classifier.data.forms import Form
from bert_classifier.data.labels import is_missing, label_of
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.records import RowError
from bert_classifier.data.rows import Row, TextRow
from bert_classifier.data.shapes import (
    ALL_DIFFERENT,
    FEW_ROWS,
    LABEL_WORDS,
    SAMPLE_ROWS,
    Shape,
    quoted_value,
    shapes_of,
    spoken_name,
    unclear_roles,
)
from bert_classifier.errors import UserError
from bert_classifier.job.json_files import json_kind
from bert_classifier.job.settings import shown

WITHOUT_TEXT, WITHOUT_LABEL, BLANK = "without a text", "without a label", "blank"
_TEXT_WORDS = 3  # on average, from which a column beside the text may be one too


class Table:
    """A data file whose columns are understood.

    Attributes:
        unit: what places count: "line", or "record" where lines do not separate texts.
        names: of the columns; numbers from 1 where the file does not name them.
        roles: of the columns.
        has_header: None where the form has no header row.
        notes: what is unusual about the file.
        doubts: what could have been understood otherwise.
    """

    unit = "line"

    def __init__(
        self, path: Path, name: str, form: Form, settings: ReaderSettings, classes: Collection[str]
    ) -> None:
        self.path, self.name, self.form = path, name, form
        self.settings, self.classes = settings, classes
        self.names: Sequence[str] = ()
        self.roles = Roles(None, 0)
        self.has_header: bool | None = None
        self.notes = list(form.notes)
        self.doubts: list[str] = []
        self.num_rows = 0
        self.left_out: collections.Counter[str] = collections.Counter()
        self._labels: dict[Any, str | ValueError | None] = {}

    @property
    def delimiter(self) -> str:
        """The character between cells; empty where the form has none."""
        return ""

    @property
    def form_name(self) -> str:
        """The form as messages name it."""
        return self.form.kind

    @property
    def _header_hint(self) -> str:
        """What to add to a remedy about the first row."""
        return ""

    @property
    def understood(self) -> dict[str, Any]:
        """What was understood, as data_report.json has it; the numbers of rows are complete after reading."""
        columns = {"label": self.roles.label, "text": self.roles.text, "title": self.roles.title}
        used = self.roles.used
        return {
            "file": self.name,
            "form": self.form.kind,
            "compression": "gzip" if self.form.is_gzip else "",
            "encoding": self.form.encoding_name,
            "delimiter": self.delimiter,
            "header": self.has_header,
            "columns": {
                role: "" if at is None or not self.names else spoken_name(self.names[at], at)
                for role, at in columns.items()
            },
            "title_joined": self.roles.is_title_joined,
            "ignored": [
                spoken_name(name, at) for at, name in enumerate(self.names) if at not in used and name.strip()
            ],
            "notes": [*self.notes, *self.doubts],
            "rows": self.num_rows,
            "left_out": dict(self.left_out),
        }

    def rows(self) -> Iterator[Row | RowError]:
        """Yield each row with a text, or what is wrong with it; other rows are counted in `left_out`.

        Raises:
            UserError: where reading cannot go on, or at the end if nearly all labels differ.
        """
        self.num_rows, self.left_out = 0, collections.Counter()
        self._labels = {}
        for line, values in self._values():
            row = values if isinstance(values, RowError) else self._row(line, values)
            if row is not None:
                self.num_rows += isinstance(row, Row)
                yield row
        self._refuse_too_many_labels(len(self._labels), self.num_rows)

    def texts(self) -> Iterator[TextRow | RowError]:
        """Yield the text of every row, whatever its label, or what is wrong with it; raises as rows()."""
        for line, values in self._values(is_every=True):
            yield values if isinstance(values, RowError) else self._text_row(line, values)

    def _text_row(self, line: int, values: Sequence[Any]) -> TextRow | RowError:
        text, roles = self._text(values), self.roles
        if isinstance(text, RowError):
            return RowError(line, text.cause, text.remedy)
        title = None if roles.title is None or roles.is_title_joined else values[roles.title]
        has_own_text = bool((values[roles.text] or "").strip())
        return TextRow(line, text, title or "" if has_own_text else "")

    def _values(self, *, is_every: bool = False) -> Iterator[tuple[int, Sequence[Any] | RowError]]:
        """Yield the place and the values of each row; if `is_every`, also where all are empty, or the label void."""
        raise NotImplementedError

    def _row(self, line: int, values: Sequence[Any]) -> Row | RowError | None:
        text = self._text(values)
        if isinstance(text, RowError):
            return RowError(line, text.cause, text.remedy)
        label = ""
        if self.roles.label is not None:
            found = self._label(values[self.roles.label])
            if isinstance(found, ValueError):
                return RowError(line, str(found))
            if found is None:
                self.left_out[WITHOUT_LABEL] += 1
                return None
            label = found
        if not text.strip():
            self.left_out[WITHOUT_TEXT] += 1
            return None
        return Row(line, label, text)

    def _text(self, values: Sequence[Any]) -> str | RowError:
        text = values[self.roles.text]
        title = None if self.roles.title is None else values[self.roles.title]
        parts = [text, title] if title is not None else [text]
        wrong = next((part for part in parts if part is not None and not isinstance(part, str)), None)
        if wrong is not None:
            role = "text" if wrong is text else "title"
            return RowError(0, f"the {role} must be a string, not {json_kind(wrong)}")
        return self.roles.whole_text(title or "", text or "")

    def _label(self, value: Any) -> str | ValueError | None:
        """Return the label, None to leave the row out, or what is wrong; each value is judged once."""
        key = value if isinstance(value, str) else (type(value), repr(value))
        if key not in self._labels:
            self._labels[key] = self._judged(value)
        return self._labels[key]

    def _judged(self, value: Any) -> str | ValueError | None:
        try:
            label = label_of(value)
        except ValueError as error:
            return error
        policy = self.settings.missing_labels
        if label and (label in self.classes or policy == "keep" or not is_missing(label)):
            return label
        if policy == "drop":
            return None
        return ValueError(
            f"the label {shown(label)} stands for a missing value" if label else "the label is empty"
        )

    def _refuse_too_many_labels(self, distinct: int, rows: int) -> None:
        is_told = bool(self.settings.label_column) or bool(self.classes) or self.roles.label is None
        if not is_told and rows >= FEW_ROWS and distinct >= ALL_DIFFERENT * rows:
            raise UserError(
                f"{self.name}: nearly all labels differ, {distinct} in {rows} rows, so column"
                f" {shown(self.names[self.roles.label or 0])} seems not to be the label.",
                "Set label_column (and text_column, if the two are swapped), or remove what is no label.",
            )

    def _set_roles(self, rows: Sequence[Sequence[Any]], *, needs_label: bool) -> None:
        """Decide which column is what from names, settings and the first rows.

        Raises:
            UserError: when that is unclear or implausible.
        """
        is_named = self.has_header is not False
        try:
            self.roles = roles_of(self.names, self.settings, is_named=is_named, needs_label=needs_label)
        except Unclear as unclear:
            raise self._unclear(str(unclear), rows) from None
        except UserError as error:
            raise ColumnsError(f"{self.name}: {error.cause}", error.remedy) from None
        shapes = shapes_of(self.names, rows)
        if is_named:
            self._note_doubts(shapes, rows)
        label = self.roles.label
        if label is None or self.settings.label_column or (is_named and not needs_label):
            return
        if not is_named and self.roles.title is not None and is_shifted(shapes, self.roles):
            why = "it has no header, and its three columns do not look like label, title and text"
            raise self._unclear(why, rows)
        if self._is_implausible(shapes, rows):
            swapped = (
                f" and {shown(shapes[self.roles.text].name)} few"
                if shapes[self.roles.text].may_be_label
                else ""
            )
            why = (
                f"column {shown(shapes[label].name)} has nearly as many values as rows{swapped}, so it seems not to be "
                f"the label{'; label and text may be swapped' if swapped else ''}"
            )
            raise self._unclear(why, rows, shapes[label].name if is_named else "")

    def _note_doubts(self, shapes: Sequence[Shape], rows: Sequence[Sequence[Any]]) -> None:
        """Note further columns that could have a role by name and content; refuse a text that is mostly empty."""
        for role, chosen in (("label", self.roles.label), ("text", self.roles.text)):
            is_plain = role == "label" and bare(self.names[chosen or 0]) == "label"
            if chosen is None or is_plain or getattr(self.settings, f"{role}_column"):
                continue
            for at in other_candidates(self.names, role, self.roles.used):
                other = shapes[at]
                if not (other.recurs if role == "label" else other.words >= _TEXT_WORDS and not other.recurs):
                    continue
                if role == "text" and shapes[chosen].filled < len(rows) / 2 <= other.filled:
                    why = (
                        f"column {shown(shapes[chosen].name)} is mostly empty, and {shown(other.name)} is not"
                    )
                    raise self._unclear(why, rows)
                setting = f"{role}_column={quoted_value(other.name)}"
                self.doubts.append(f"column {shown(other.name)} could be the {role} too; {setting} takes it")

    def _is_implausible(self, shapes: Sequence[Shape], rows: Sequence[Sequence[Any]]) -> bool:
        label = self.roles.label or 0
        if {str(row[label]).strip() for row in rows} <= {*self.classes}:
            return False
        if self.has_header is False and _are_swapped(shapes[label], shapes[self.roles.text]):
            return True
        if not shapes[label].varies_like_texts:
            return False
        others = [shape for at, shape in enumerate(shapes) if at != label]
        return len(rows) < SAMPLE_ROWS - 1 or any(s.may_be_label for s in others) or shapes[label].words >= 4

    def _unclear(self, why: str, rows: Sequence[Sequence[Any]], label: str = "") -> UserError:
        shapes = shapes_of(self.names, rows)
        form = f"{'gzipped ' if self.form.is_gzip else ''}{self.form_name}"
        cause, remedy = unclear_roles(
            f"{self.name}: {why}", shapes, self.settings, form=form, header=self._header_hint, label=label
        )
        return ColumnsError(cause, remedy)

    def at(self, error: RowError) -> UserError:
        """Return the error of a row with its place."""
        return UserError(
            f"{self.name} {self.unit} {error.line}: {error.cause}.", error.remedy or "Correct this row."
        )


def is_shifted(shapes: Sequence[Shape], roles: Roles) -> bool:
    """Return whether columns do not look like label, title and text, as a file of three without a header has them."""
    text, title = shapes[roles.text], shapes[roles.title or 0]
    is_constant = text.distinct == 1 and text.filled >= FEW_ROWS
    if (text.may_be_label or is_constant) and not title.may_be_label:
        return True
    if text.filled < FEW_ROWS:
        return False
    is_split = title.may_be_label and text.varies_like_texts
    return is_split or text.kind == "number" or text.words < title.words / 2


def _are_swapped(label: Shape, text: Shape) -> bool:
    """Return whether what should be labels are texts, and the texts shorter: plain however few rows there are."""
    return label.distinct == label.filled > 1 and text.words <= LABEL_WORDS < label.words
