"""Read the files of captured requests, of answers, or of texts: what they are is found from their content."""

import csv
import datetime
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bert_classifier.data.text_fields import TextFields
from bert_classifier.drift.answer_rows import is_no_score
from bert_classifier.drift.answers import JOINED, AnswerReader
from bert_classifier.drift.capture import Body, Exchange, UnreadableError, exchange_of
from bert_classifier.drift.content import content_of, first_values, holds_captured
from bert_classifier.drift.observed import Observed
from bert_classifier.errors import ContainerError, RequestError, UserError
from bert_classifier.job.answer_form import CSV, JSON, JSON_LINES, NPY, PLAIN
from bert_classifier.serving.http import media_types
from bert_classifier.serving.http.body_records import Record, RecordError
from bert_classifier.serving.http.codec import decode
from bert_classifier.serving.http.csv_form import CsvForm
from bert_classifier.serving.http.json_records import of_json_value
from bert_classifier.serving.model.facts import ModelFacts

_MOST_RECORDS = 10_000_000
_FORMS = {".csv": CSV, ".tsv": CSV, ".txt": PLAIN, ".npy": NPY, ".json": JSON}
_TELLING = {"score", "probability", "probabilities", "error", "labels"}  # fields of an answer
_NO_FILE = "Name a folder of captured files, a file of answers, or a file of texts: FILE=captured/."


def files_of(path: Path) -> list[Path]:
    """Return a file, or the files in a folder and all below it, in order, without hidden ones.

    Raises:
        UserError: when there is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"There is no file or folder {path}.", _NO_FILE)
    found = [
        each
        for each in sorted(path.rglob("*"))
        if each.is_file() and not any(part.startswith(".") for part in each.relative_to(path).parts)
    ]
    if not found:
        raise UserError(f"The folder {path} holds no file.", _NO_FILE)
    return found


class FileReader:
    """Reads files into what was observed.

    Args:
        labels: the model's classes.
        info: its training.json, which tells what its data called the text; may be empty.
        since: what was captured before is left out; None: nothing.
        abstain_below: as of AnswerReader; so are thresholds.
    """

    def __init__(
        self,
        observed: Observed,
        labels: Sequence[str],
        info: Mapping[str, Any],
        since: datetime.datetime | None = None,
        abstain_below: float | None = 0.0,
        thresholds: Sequence[float] | None = None,
    ) -> None:
        self._observed, self._tally = observed, observed.tally
        self._answers = AnswerReader(labels, abstain_below, thresholds)
        self._labels, self._fields = labels, TextFields.of(info)
        self._facts = ModelFacts.of(info)
        self._since = since
        self._request = 0

    def read(self, path: Path) -> None:
        """Read one file.

        Raises:
            UserError: when it cannot be read.
        """
        body = content_of(path)
        self._tally.files += 1
        name = path.name.removesuffix(".gz")
        if holds_captured(body):
            self._read_captured(body)
            return
        self._tally.undated += 1
        first = first_values(body)
        if self._are_answers(first):
            self._read_answer_lines(body)
        else:
            self._read_other(name, body, first)

    def _read_captured(self, body: bytes) -> None:
        for line in body.decode("utf-8", "replace").split("\n"):
            if line.strip():
                try:
                    self._read_exchange(exchange_of(line))
                except UnreadableError as error:
                    self._tally.unreadable[str(error)] += 1

    def _read_exchange(self, exchange: Exchange) -> None:
        if exchange.moment is None:
            self._tally.without_time += 1
        elif self._since is not None and exchange.moment < self._since:
            self._tally.before += 1
            return
        else:
            self._tally.note_moment(exchange.moment)
        self._tally.requests += 1
        self._request += 1
        records = self._read_request(exchange.request) if exchange.request else None
        if exchange.answer:
            self._read_answer(exchange.answer, None if records is None else len(records))

    def _read_request(self, body: Body) -> list[Record] | None:
        """Count the texts of a request; return its records, or None if they cannot be read."""
        try:
            request_type = media_types.of_content_type(body.content_type)
            form = self._form(request_type.header)
            query = decode(
                request_type.name, request_type.decoded(body.data), _MOST_RECORDS, form, self._facts
            )
        except RequestError as error:
            self._tally.unreadable[f"the server refuses such a request: {error.cause.rstrip('.')}"] += 1
            return None
        self._add_records(query.records)
        return query.records

    def _form(self, header: str = "", *, is_part: bool = False) -> CsvForm:
        return CsvForm.of(header, self._labels, is_part=is_part, fields=self._fields)

    def _add_records(self, records: Sequence[Record]) -> None:
        self._observed.add_texts((record for record in records if isinstance(record, str)), self._request)

    def _read_answer(self, body: Body, records: int | None) -> None:
        media_type = body.content_type.partition(";")[0].strip().lower()
        answers = self._answers.read(media_type, body.data, records)
        if len(answers) == 1 and answers[0].is_refused and records != 1:
            self._tally.refused_requests += 1
            return
        self._observed.add_answers(answers, self._request)

    def _are_answers(self, first: Sequence[Any]) -> bool:
        """Return whether JSON Lines hold answers, by the values of the first lines: one is enough, without a rating."""
        if len(first) == 1 and isinstance(first[0], list):
            return False  # an array of all answers
        entries = [value for value in first if isinstance(value, dict)]
        if any(is_no_score(value.get("score")) for value in entries):
            return False
        return any(map(self._is_answer, entries or first[:1]))

    def _is_answer(self, value: Any) -> bool:
        """Return whether a line of JSON Lines holds an answer."""
        if isinstance(value, dict) and JOINED in value:
            return True
        if isinstance(value, dict) and (not value.keys() & _TELLING or self._has_no_label(value)):
            return False  # a text, perhaps with its label
        try:
            self._answers.of_value(value)
        except UnreadableError:
            return False
        return True

    def _has_no_label(self, value: Any) -> bool:
        """Return whether a value is a text with an empty list of labels, as in data with several labels per text."""
        return (
            isinstance(value, dict) and value.get("labels") == [] and bool(_text_beside(value, self._fields))
        )

    def _read_answer_lines(self, body: bytes) -> None:
        """Read JSON Lines of answers, joined to their texts or not."""
        for line in body.decode("utf-8", "replace").split("\n"):
            if not line.strip():
                continue
            self._request += 1
            try:
                value = json.loads(line)
                joined = isinstance(value, dict) and JOINED in value
                answer = self._answers.of_value(value.pop(JOINED) if joined else value)
            except (ValueError, RecursionError) as error:
                reason = str(error) if isinstance(error, UnreadableError) else "the line is not JSON"
                self._tally.unreadable[reason] += 1
                continue
            self._observed.add_answers([answer], self._request)
            self._add_records(_text_beside(value, self._fields))

    def _read_other(self, name: str, body: bytes, first: Sequence[Any]) -> None:
        """Read a file of rows, or of texts alone."""
        kind = (
            JSON_LINES[0]
            if first and isinstance(first[0], dict | str)
            else _FORMS.get(Path(name).suffix.lower(), "")
        )
        if not kind:
            kind = JSON if body.lstrip()[:1] == b"[" else CSV
        if kind == CSV and self._read_answer_rows(body):
            return
        if kind == JSON and self._read_answer_array(body):
            return
        try:
            query = decode(kind, body, _MOST_RECORDS, self._form(), self._facts)
        except RequestError as error:
            raise UserError(
                f"{name} is neither a file of captured requests nor of answers, and no texts can be read from it:"
                f" {error.cause}",
                error.remedy,
            ) from error
        for record in query.records:
            self._request += 1
            if isinstance(record, RecordError):
                self._tally.unreadable[record.error] += 1
            else:
                self._observed.add_texts([record], self._request)

    def _read_answer_rows(self, body: bytes) -> bool:
        """Read rows of CSV with answers; return whether they hold such."""
        try:
            rows = [row for row in csv.reader(io.StringIO(body.decode("utf-8-sig"))) if row]
        except (UnicodeDecodeError, csv.Error):
            return False
        try:
            read = self._answers.reader_of(rows)
        except UnreadableError as error:
            raise UserError(
                f"A file of answers cannot be read: {error}.", "Give its columns a header."
            ) from None
        if read is None:
            return False
        has_header = self._answers.has_header(rows)
        text_at = self._text_column(rows[0]) if has_header else None
        for row in rows[1:] if has_header else rows:
            self._request += 1
            try:
                self._observed.add_answers([read(row)], self._request)
            except UnreadableError as error:
                self._tally.unreadable[str(error)] += 1
                continue
            if text_at is not None and text_at < len(row) and row[text_at].strip():
                self._observed.add_texts([row[text_at]], self._request)
        return True

    def _text_column(self, header: Sequence[str]) -> int | None:
        """Return the place of the texts beside answers: called as at training, or text or inputs; None without one."""
        names = (self._fields.text, "text", "inputs")
        return next((header.index(name) for name in names if name and name in header), None)

    def _read_answer_array(self, body: bytes) -> bool:
        """Read a JSON array of answers; return whether it is one."""
        try:
            answers = self._answers.read(JSON, body, None)
        except UnreadableError:
            return False
        if all(map(self._has_no_label, _entries(json.loads(body)))):
            return False
        for answer in answers:
            self._request += 1
            self._observed.add_answers([answer], self._request)
        return True


def _entries(value: Any) -> list[Any]:
    return value if isinstance(value, list) and value else [value]


def _text_beside(value: Any, fields: TextFields) -> list[Record]:
    """Return the text of a record that its answer was joined to; none where there is none."""
    if not isinstance(value, dict):
        return []
    record = {name: each for name, each in value.items() if name not in ("label", "score")}
    try:
        found = of_json_value(record, fields)
    except ContainerError:
        return []
    return [found] if isinstance(found, str) else []
