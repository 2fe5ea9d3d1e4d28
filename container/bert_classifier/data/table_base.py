"""What tables of every form have in common: columns with roles, rows of label and text, what was understood.

Standard library only.
"""

import collections
import functools
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from bert_classifier.data.columns import ColumnsError, Roles, Unclear, bare, other_candidates
from bert_classifier.data.forms import Form
from bert_classifier.data.label_columns import labels_of, unknown_in
from bert_classifier.data.label_lists import is_several
from bert_classifier.data.label_reader import Label, LabelReader
from bert_classifier.data.labels import normal_label
from bert_classifier.data.plausible_roles import doubt_of_label, is_shifted, refuse_flags
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.records import RowError
from bert_classifier.data.roles import pair_doubts, roles_of
from bert_classifier.data.rows import Row, TextRow
from bert_classifier.data.shapes import (
    ALL_DIFFERENT,
    FEW_ROWS,
    Shape,
    quoted_value,
    shapes_of,
    spoken_name,
)
from bert_classifier.data.suggested_roles import unclear_roles
from bert_classifier.data.text_pair import TextPair, is_half
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
        is_multi: whether each text has any number of labels, as far as settings and the first rows tell.
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
        self.num_rows = self.num_half = 0
        self.left_out: collections.Counter[str] = collections.Counter()
        self.is_multi = settings.is_multi
        self._labels = self._reader()

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
        roles = self.roles
        columns = {"label": roles.label, "text": roles.text, "title": roles.title}
        columns |= {} if roles.pair is None else {"text_pair": roles.pair}
        return {
            "file": self.name,
            "form": self.form.kind,
            "compression": "gzip" if self.form.is_gzip else "",
            "encoding": self.form.encoding_name,
            "delimiter": self.delimiter,
            "header": self.has_header,
            "columns": {role: "" if at is None else self._spoken(at) for role, at in columns.items()},
            **self._labels_understood(),
            "title_joined": roles.is_title_joined,
            "ignored": [
                spoken_name(name, at)
                for at, name in enumerate(self.names)
                if at not in roles.used and name.strip()
            ],
            "notes": [*self.notes, *self.doubts, *self.row_notes],
            "rows": self.num_rows,
            "left_out": dict(self.left_out),
        }

    @property
    def row_notes(self) -> list[str]:
        """What is unusual about the rows, known after reading."""
        half = f"{self.num_half:,} of {self.num_rows:,} rows have one of their two texts only, the other is empty"
        return [half] if self.num_half else []

    def _spoken(self, at: int) -> str:
        return spoken_name(self.names[at], at) if self.names else ""

    def _labels_understood(self) -> dict[str, Any]:
        """Return how the labels of a row are written, where they may be several."""
        if not self.is_multi:
            return {}
        separator = "" if self.roles.labels else self.settings.label_separator
        return {
            "task": "multi",
            "label_separator": separator,
            "label_columns": self.wide_labels,
        }

    @functools.cached_property
    def wide_labels(self) -> Sequence[str]:
        """The labels that have a column each, by the names of these columns; empty where the data are not so."""
        return [normal_label(self.names[at]) for at in self.roles.labels]

    def rows(self) -> Iterator[Row | RowError]:
        """Yield each row with a text, or what is wrong with it; other rows are counted in `left_out`.

        Raises:
            UserError: where reading cannot go on, or at the end if nearly all labels differ.
        """
        self.num_rows = self.num_half = 0
        self.left_out = collections.Counter()
        self._labels = self._reader()
        for line, values in self._values():
            row = values if isinstance(values, RowError) else self._row(line, values)
            if row is not None:
                self.num_rows += isinstance(row, Row)
                yield row
        self._refuse_too_many_labels()

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
        label = self._label_of(values)
        if isinstance(label, ValueError):
            return RowError(line, str(label))
        if label is None:
            self.left_out[WITHOUT_LABEL] += 1
            return None
        if not text.strip():
            self.left_out[WITHOUT_TEXT] += 1
            return None
        self.num_half += is_half(text)
        return Row(line, label, text)

    def _text(self, values: Sequence[Any]) -> str | RowError:
        roles = self.roles
        found = {"text": values[roles.text]}
        found |= {} if roles.title is None else {"title": values[roles.title]}
        found |= {} if roles.pair is None else {"second text": values[roles.pair]}
        for role, part in found.items():
            if part is not None and not isinstance(part, str):
                return RowError(0, f"the {role} must be a string, not {json_kind(part)}")
        text = roles.whole_text(found.get("title") or "", found["text"] or "")
        return text if roles.pair is None else TextPair(text, found["second text"] or "")

    def _label_of(self, values: Sequence[Any]) -> Label | ValueError | None:
        """Return the label or labels of a row, None to leave it out, or what is wrong."""
        roles = self.roles
        if not roles.labels:
            return "" if roles.label is None else self._labels.of(values[roles.label])
        if self.settings.missing_labels == "drop" and any(unknown_in(values[at]) for at in roles.labels):
            return None
        return labels_of(self.wide_labels, [values[at] for at in roles.labels])

    def _reader(self) -> LabelReader:
        return LabelReader(self.settings, self.classes, is_multi=self.is_multi)

    def _refuse_too_many_labels(self) -> None:
        is_told = bool(self.settings.label_column) or bool(self.classes) or self.roles.label is None
        labels, rows = self._labels, self.num_rows
        hardly_recurs = labels.hardly_recurs if self.is_multi else labels.distinct >= ALL_DIFFERENT * rows
        if is_told or rows < FEW_ROWS or not hardly_recurs:
            return
        counts = f"{labels.distinct} in {rows} rows"
        raise UserError(
            f"{self.name}: nearly all labels differ, {counts}, so column"
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
        self.is_multi = self.is_multi or self._holds_lists(rows)
        refuse_flags(self.name, rows, self.roles)
        shapes = shapes_of(self.names, rows)
        if is_named:
            self._note_doubts(shapes, rows, needs_label=needs_label)
        label = self.roles.label
        if label is None or self.settings.label_column or (is_named and not needs_label):
            return
        if not is_named and self.roles.title is not None and is_shifted(shapes, self.roles):
            why = "it has no header, and its three columns do not look like label, title and text"
            raise self._unclear(why, rows)
        if self.is_multi:
            why = self._doubt_of_labels(rows)
        else:
            why = doubt_of_label(shapes, rows, self.roles, self.classes, is_named=is_named)
        if why:
            raise self._unclear(why, rows, shapes[label].name if is_named else "")

    def _holds_lists(self, rows: Sequence[Sequence[Any]]) -> bool:
        """Return whether the first rows have lists of several labels, where the settings leave that open."""
        at, is_open = self.roles.label, self.settings.task == "auto"
        return is_open and at is not None and any(is_several(row[at], self.classes) for row in rows)

    def _doubt_of_labels(self, rows: Sequence[Sequence[Any]]) -> str:
        """Return why the column of labels seems not to hold any, where a row may have several; "" if it may."""
        label, reader = self.roles.label or 0, self._reader()
        for row in rows:
            reader.of(row[label])
        if self.classes or not reader.hardly_recurs:
            return ""
        return f"nearly all labels in column {shown(self._spoken(label))} differ, so it seems not to hold any"

    def _note_doubts(
        self, shapes: Sequence[Shape], rows: Sequence[Sequence[Any]], *, needs_label: bool
    ) -> None:
        """Note what could have a role by name and content, too; refuse a text that is mostly empty."""
        self.doubts += pair_doubts(self.names, self.roles, self.settings) if needs_label else []
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
