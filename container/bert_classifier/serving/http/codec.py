"""Decode request bodies to records.

A record that cannot be classified (a blank line, a number) becomes a RecordError in its place and does not affect the
others.
"""

import difflib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from bert_classifier.data.records import parse_json
from bert_classifier.data.text_fields import TextFields
from bert_classifier.errors import RequestError
from bert_classifier.job.answer_form import CSV, JSON, NPY, PLAIN
from bert_classifier.job.settings import shown
from bert_classifier.serving.http import npy
from bert_classifier.serving.http.body_records import Record, text_record, too_many_records
from bert_classifier.serving.http.csv_form import CsvForm
from bert_classifier.serving.http.csv_tables import read_csv
from bert_classifier.serving.http.foreign_bodies import refuse_foreign
from bert_classifier.serving.http.json_parts import has_more_parts
from bert_classifier.serving.http.json_records import Line, has_text, of_json_lines, of_json_value
from bert_classifier.serving.http.pair_records import one_text_error, pair_of_cells, refuse_single_texts
from bert_classifier.serving.http.parameters import (
    check_options,
    of_parameters,
    refuse_misplaced,
    refuse_unknown,
)
from bert_classifier.serving.http.query import Nesting, Query
from bert_classifier.serving.http.text_lines import read_plain_text
from bert_classifier.serving.model.facts import ANY_MODEL, ModelFacts

_ANY_CSV = CsvForm()
_TEXTS = ("inputs", "instances")
_ENVELOPE = (*_TEXTS, "parameters", "options")
_SEND_INPUTS = 'Send {"inputs": ["first text", "second text"]}.'
_SEND_PAIRS = 'Send {"inputs": [{"text": "first text", "text_pair": "second text"}]}.'
_ALIKE = 0.8  # similarity of two names, of which one may be meant
_PARTS_PER_RECORD = 16  # a text, or an object with some ignored fields


def decode(
    media_type: str,
    body: bytes,
    max_records: int,
    csv_form: CsvForm = _ANY_CSV,
    model: ModelFacts = ANY_MODEL,
) -> Query:
    """Return the records of a body.

    JSON: `{"inputs": "…" | {…} | […]}` or `{"instances": […]}`, either with `"parameters"` and `"options"` as Hugging
    Face's clients send them, a list, a string, or one object. JSON Lines, CSV and plain text: one record per line; an
    empty body has none. NumPy: an array of strings. A record is a string, in JSON and JSON Lines also an object with
    `text`, `inputs`, the training's own text column, or SageMaker's `features`; without any of them, a name in use for
    texts counts. Its other fields are ignored, as training ignores other columns, but a second text is refused.

    Args:
        media_type: one of answer_form.READ.
        csv_form: context for a CSV body, and the names of the training's columns.
        model: what parameters must agree with.
    Raises:
        RequestError: 400 when the body as a whole cannot be read, 413 when it holds more than `max_records`, 415 for a
            file of another kind.
    """
    if media_type == JSON:
        return _JsonBody(body, max_records, csv_form.fields, model).query()
    if media_type == NPY:
        return Query(_records_of_npy(body, max_records, is_paired=csv_form.fields.is_paired))
    refuse_foreign(body)
    if media_type == PLAIN and csv_form.fields.is_paired:
        raise one_text_error("A line of plain text is one text.")
    if media_type in (CSV, PLAIN):
        rows = (
            read_csv(body, csv_form, max_records)
            if media_type == CSV
            else read_plain_text(body, max_records, is_part=csv_form.is_part)
        )
        return Query(_at_most(max_records, rows.records), understood=rows.understood)
    _refuse_array(body)
    lines: list[Line] = _at_most(max_records, of_json_lines(body, csv_form.fields, model))
    own = {place: line.wanted for place, line in enumerate(lines) if line.wanted is not None}
    return Query([line.record for line in lines], own=own)


def _refuse_array(body: bytes) -> None:
    """Refuse a JSON array for JSON Lines: over several lines, most of them would be errors.

    A line that is a list by itself is an error in its place.
    """
    first = body.lstrip(b"\xef\xbb\xbf \t\r\n").split(b"\n", 1)[0].rstrip()
    if first.startswith(b"[") and not first.endswith(b"]"):
        raise RequestError(
            400,
            "bad_request",
            "The body is not JSON Lines: it begins with a JSON array.",
            "Send the Content-Type application/json, or one object per line.",
        )


def _at_most(max_records: int, records: Iterable[Any]) -> list[Any]:
    kept = list(itertools.islice(records, max_records + 1))
    if len(kept) > max_records:
        raise too_many_records(f"The request holds more than {max_records} records.")
    return kept


def _records_of_npy(body: bytes, max_records: int, *, is_paired: bool) -> list[Record]:
    values = npy.texts_of(body, max_records, is_paired=is_paired)
    texts = [
        value if isinstance(value, str) else value.decode("utf-8", "surrogateescape") for value in values
    ]
    if is_paired:
        return list(map(pair_of_cells, texts[::2], texts[1::2]))
    return list(map(text_record, texts))


class _JsonBody:
    """A JSON body: one text, several, or an envelope around them.

    Args:
        fields: names of the model's training data.
    """

    def __init__(self, body: bytes, max_records: int, fields: TextFields, model: ModelFacts) -> None:
        self._max_records = max_records
        self._fields = fields
        self._model = model
        self._send = _SEND_PAIRS if fields.is_paired else _SEND_INPUTS
        self._value = self._parse(body)

    def _parse(self, body: bytes) -> Any:
        try:
            text = body.decode("utf-8-sig")
            if not text.strip():
                raise RequestError(400, "bad_json", "The body is empty.", self._send)
            if has_more_parts(text, _PARTS_PER_RECORD * (self._max_records + 1)):
                raise too_many_records("The body has too many parts.")
            return parse_json(text)
        except UnicodeDecodeError as error:
            raise RequestError(
                400, "bad_encoding", f"The body is not UTF-8 at byte {error.start}.", "Send UTF-8."
            ) from error
        except ValueError as error:
            raise RequestError(
                400, "bad_json", f"The body is not valid JSON ({error}).", "Correct it, or send text/plain."
            ) from error

    def query(self) -> Query:
        """Return the records, and what is asked for."""
        value, wanted = self._value, None
        if isinstance(value, dict):
            wanted = of_parameters(value.pop("parameters", None), self._model)
            if value.keys() & {*_TEXTS} or isinstance(value.get("options"), dict):  # else a field of a record
                check_options(value.pop("options", None))
            value = self._inner(value)
        nesting: Nesting = "list"
        if isinstance(value, str | dict):
            nesting, value = "string" if isinstance(value, str) else "object", [value]
        if not isinstance(value, list):
            raise RequestError(400, "bad_request", "The body holds no texts.", self._send)
        if self._fields.is_paired and nesting == "list":
            refuse_single_texts(value)
        return Query(_at_most(self._max_records, self._records(value)), wanted, nesting=nesting)

    def _inner(self, envelope: dict[str, Any]) -> Any:
        """Return what an envelope holds; an object that is itself a record stands for one."""
        if not envelope.keys() & {*_TEXTS} and has_text(envelope, self._fields):
            return envelope
        refuse_misplaced(envelope)
        names = [name for name in _TEXTS if name in envelope]
        if not names:
            raise _no_text_error(envelope, self._send)
        refuse_unknown(envelope, _ENVELOPE, "field", self._send, "bad_request")
        if len(names) > 1:
            raise RequestError(400, "bad_request", "The object has both inputs and instances.", self._send)
        value = envelope[names[0]]
        if names == ["instances"] and not isinstance(value, list):
            remedy = self._send.replace("inputs", "instances")
            raise RequestError(400, "bad_request", '"instances" is not a list.', remedy)
        return value

    def _records(self, values: list[Any]) -> Iterator[Record]:
        return map(of_json_value, values, itertools.repeat(self._fields))


def _no_text_error(envelope: dict[str, Any], send: str) -> RequestError:
    """Return why an object is neither an envelope nor a record."""
    given = list(itertools.islice(envelope, 3))
    listed = f"has {' and '.join(map(shown, given))}, but no" if given else "has no"
    alike = [name for name in _TEXTS if difflib.get_close_matches(name, given, 1, _ALIKE)]
    remedy = f"Did you mean {alike[0]}?" if alike else send
    return RequestError(400, "bad_request", f"The object {listed} text under a name in use.", remedy)
