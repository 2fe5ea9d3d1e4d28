"""The records of a request, one at a time: a JSON value, a line of JSON Lines or plain text, a row of CSV.

Lines end at \\n or \\r\\n only. An invalid line, such as one that is not UTF-8, does not affect the others.
"""

import dataclasses
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from bert_classifier.data.records import RowError, parse_json, read_csv_rows, text_problem
from bert_classifier.errors import RequestError
from bert_classifier.job.settings import shown

# Names that clients use for one of several texts, without separators; not names of data about a text (text_id).
_SECOND_TEXT = re.compile(
    r"((first|second|third|next|other|input|source|target|original)?"
    r"(text|sentence|input|sequence|premise|hypothesis|question|quer(y|ie)|answer|context|passage|paragraph|document|body"
    r"|abstract|content)s?(pairs?|[a-d]|[0-9]{1,2}|one|two|three)?)|pair"
)
# Parameters of a whole request, here or in similar servers; ignoring one in a record would surprise the caller.
_SETTINGS = frozenset({"topk", "returnallscores", "functiontoapply"})
_SEPARATOR = re.compile(r"[ _-]")
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")  # what surrogateescape makes of a byte that is not UTF-8


@dataclasses.dataclass(frozen=True, slots=True)
class RecordError:
    """Why one record of a request has no prediction."""

    error: str
    code: str = "bad_record"


Record = str | RecordError


def of_json_value(value: Any) -> Record:
    """Return the record that a JSON value stands for.

    Raises:
        RequestError: 400 when it holds a second text, since predicting only the first would be misleading.
    """
    if isinstance(value, dict):
        _refuse_second_text(value)
        names = [name for name in ("text", "inputs") if name in value]
        if len(names) != 1:
            return RecordError('the object must have either "text" or "inputs"')
        if "parameters" in value:
            return RecordError(
                '"parameters" apply to a whole request: put them beside "inputs" in application/json'
            )
        value = value[names[0]]
    if isinstance(value, list) and sum(isinstance(part, str) for part in value) > 1:
        raise _second_text_error("A record is a list of several texts.")
    return _checked(value)


def _refuse_second_text(record: dict[str, Any]) -> None:
    own = next((name for name in ("text", "inputs") if name in record), None)
    for name, value in record.items() if own else ():
        if name in ("text", "inputs") or value is None:  # null means none
            continue
        bare = _SEPARATOR.sub("", name).lower()
        if bare in _SETTINGS:
            raise RequestError(
                400,
                "bad_parameters",
                f"A record has {shown(name)}, which is a setting of a whole request.",
                'Send {"inputs": ["a text"], "parameters": {"top_k": 3}} as application/json.',
            )
        if _SECOND_TEXT.fullmatch(bare) and not _is_no_text(value):
            raise _second_text_error(f"A record has {shown(name)} beside {shown(own)}.")


def _is_no_text(value: Any) -> bool:
    """Return whether a value is a number, empty or blank, so not a text or a container of texts."""
    return isinstance(value, int | float) or not value or (isinstance(value, str) and not value.strip())


def _second_text_error(cause: str) -> RequestError:
    return RequestError(
        400, "second_text", cause, 'The model reads one text: send {"text": "…"} for each record.'
    )


def _checked(value: Any) -> Record:
    problem = text_problem(value)
    return value if problem is None else RecordError(problem)


class _Lines:
    """The lines of a text with their ends, split at \\n only; reading continues at `position`, which may be set.

    `start` is the begin of the line read last.
    """

    def __init__(self, body: bytes) -> None:
        self._text = body.decode("utf-8-sig", "surrogateescape")
        self.position = 0
        self.start = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.position == len(self._text):
            raise StopIteration
        self.start = self.position
        self.position = self._text.find("\n", self.start) + 1 or len(self._text)
        return self._text[self.start : self.position]


def _without_end(line: str) -> str:
    return line[:-2] if line.endswith("\r\n") else line.removesuffix("\n")


def of_json_lines(body: bytes) -> Iterator[Record]:
    """Yield one record per line."""
    return map(_json_line, _Lines(body))


def _json_line(line: str) -> Record:
    if not line.strip():
        return RecordError("the line is empty")
    if _ESCAPED_BYTE.search(line):
        return RecordError("the line is not UTF-8")
    try:
        return of_json_value(parse_json(line))
    except ValueError as error:
        return RecordError(f"the line is not valid JSON ({error})")


def of_plain_text(body: bytes) -> Iterator[Record]:
    """Yield one record per line."""
    return (_text_line(_without_end(line)) for line in _Lines(body))


def _text_line(text: str) -> Record:
    return RecordError("the text is not UTF-8") if _ESCAPED_BYTE.search(text) else _checked(text)


class CsvRecord(NamedTuple):
    """A row of CSV: its cells (none if it is invalid), and the row as one text."""

    cells: list[str]
    record: Record


def of_csv(body: bytes) -> Iterator[CsvRecord]:
    """Yield one record per row.

    The first line of an invalid row counts as a row, and reading continues after it. A row without a fully quoted
    cell is one text, commas included.
    """
    lines = _Lines(body)
    single_until = 0  # earlier lines belong to an invalid row: parse each alone, for linear time
    for line in lines:
        start, behind = lines.start, lines.position
        if '"' not in line:
            text = _without_end(line)
            yield CsvRecord(text.split(","), _text_line(text))
            continue
        is_single = start < single_until
        lines.position = behind if is_single else start
        try:
            cells = next(read_csv_rows([line] if is_single else lines)).cells
        except RowError as error:
            single_until = max(single_until, lines.start)
            lines.position = behind
            yield CsvRecord([], RecordError(error.cause))
        else:
            yield CsvRecord(cells, _text_of_cells(cells, _without_end(line)))


def _text_of_cells(cells: list[str], line: str) -> Record:
    """Return the text of a row that contains a quote."""
    text = ",".join(cells)
    if len(cells) > 1 and text != line:
        return RecordError(f"the row has {len(cells)} cells, some quoted: quote one text as a whole")
    return _text_line(text)
