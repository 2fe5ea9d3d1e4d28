"""Request bodies to records, and predictions to answer bodies: one table for each direction.

In: JSON (`{"inputs": "…" | […]}`, `{"instances": […]}`, a list, a string), JSON Lines, CSV, plain text. A record is a
string; in JSON and JSON Lines also an object with `text` or `inputs`, whose other fields are ignored. A record that
cannot be classified (a blank line, a number) becomes a RecordError in its place and does not fail its neighbours.

JSON Lines, CSV and plain text hold one record a line and are answered with one line a record, in order: SageMaker's
batch transform relies on it (with AssembleWith=Line). Lines end at \\n or \\r\\n only; the answer has no line end at its
end. A CSV row that is not quoted is one text, commas included; a quoted one may contain line ends. In CSV an answer is
`label,score` (with top_k=n: n pairs) and a wrong record `,,message`. An empty body is no lines, hence an empty answer.
"""

import csv
import dataclasses
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from werkzeug.http import parse_options_header

from bert_classifier.errors import RequestError
from bert_classifier.records import RowError, parse_json, read_csv_rows, text_problem

if TYPE_CHECKING:
    from bert_classifier.serving.predictor import Prediction  # it loads torch

JSON = "application/json"
JSON_LINES = ("application/jsonlines", "application/x-ndjson", "application/jsonl")
CSV = "text/csv"
PLAIN = "text/plain"
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")  # how surrogateescape keeps a byte that is not UTF-8
_QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


@dataclasses.dataclass(frozen=True, slots=True)
class RecordError:
    """Why one record of a request has no prediction."""

    error: str
    code: str = "bad_record"


Record = str | RecordError


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """A decoded request: its records in order, and how many classes each answer names (None: the best one)."""

    records: list[Record]
    top_k: int | None = None


def media_type_of(content_type: str | None) -> str:
    """Return the media type of a Content-Type header.

    Raises:
        RequestError: 415 for a type or charset that is not read here, or no header.
    """
    media_type, parameters = parse_options_header(content_type)
    media_type = media_type.lower()
    remedy = f"Send one of {', '.join(_DECODERS)}, in UTF-8."
    if not media_type:
        raise RequestError(415, "unsupported_media_type", "The request has no Content-Type header.", remedy)
    if media_type not in _DECODERS:
        raise RequestError(415, "unsupported_media_type", "The Content-Type is not one that is read here.", remedy)
    if parameters.get("charset", "utf-8").strip().lower() not in _CHARSETS:
        raise RequestError(415, "unsupported_charset", "The charset of the Content-Type is not UTF-8.", remedy)
    return media_type


def decode(media_type: str, body: bytes, max_records: int) -> Query:
    """Return the records of a body.

    Args:
        media_type: as media_type_of returns it.
    Raises:
        RequestError: 400 when the body as a whole cannot be read, 413 when it holds more than `max_records`.
    """
    records, top_k = _DECODERS[media_type](body)
    kept: list[Record] = []
    for record in records:
        if len(kept) == max_records:
            raise RequestError(
                413, "too_many_records", f"The request holds more than {max_records} records.", "Split it into several."
            )
        kept.append(record)
    return Query(kept, top_k)


def _decode_json(body: bytes) -> tuple[Iterable[Record], int | None]:
    try:
        value = parse_json(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RequestError(400, "bad_encoding", f"The body is not UTF-8 at byte {error.start}.") from error
    except ValueError as error:
        raise RequestError(400, "bad_json", f"The body is not valid JSON ({error}).") from error
    top_k = None
    if isinstance(value, dict):
        value, top_k = _open_envelope(value)
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise RequestError(400, "bad_request", "The body holds no texts.", 'Send {"inputs": ["first text", "second text"]}.')
    return map(_record_of_value, value), top_k


def _open_envelope(envelope: dict[str, Any]) -> tuple[Any, int | None]:
    names = [name for name in ("inputs", "instances") if name in envelope]
    if len(names) != 1 or not set(envelope) <= {*names, "parameters"}:
        raise RequestError(
            400, "bad_request", 'The object must have either "inputs" or "instances", and no field but "parameters" else.'
        )
    value = envelope[names[0]]
    if names == ["instances"] and not isinstance(value, list):
        raise RequestError(400, "bad_request", '"instances" must be a list.')
    return value, _top_k_of(envelope.get("parameters", {}))


def _top_k_of(parameters: Any) -> int | None:
    if not isinstance(parameters, dict) or not set(parameters) <= {"top_k"}:
        raise RequestError(400, "bad_parameters", '"parameters" must be an object; the only one known is "top_k".')
    if not parameters:
        return None
    top_k = parameters["top_k"]
    if type(top_k) is not int or top_k < 1:
        raise RequestError(400, "bad_parameters", '"top_k" must be a whole number from 1 on.')
    return top_k


def _record_of_value(value: Any) -> Record:
    """Return the record that a JSON value stands for."""
    if isinstance(value, dict):
        names = [name for name in ("text", "inputs") if name in value]
        if len(names) != 1:
            return RecordError('the object must have either "text" or "inputs"')
        if "parameters" in value:
            return RecordError('"parameters" hold for a whole request: they belong beside "inputs" in application/json')
        value = value[names[0]]
    return _checked(value)


def _checked(value: Any) -> Record:
    problem = text_problem(value)
    return value if problem is None else RecordError(problem)


class _Lines:
    """The lines of a text with their ends, split at \\n only; reading can go on from any `position`."""

    def __init__(self, body: bytes) -> None:
        self._text = body.decode("utf-8-sig", "surrogateescape")
        self.position = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        start = self.position
        if start == len(self._text):
            raise StopIteration
        self.position = self._text.find("\n", start) + 1 or len(self._text)
        return self._text[start : self.position]


def _without_end(line: str) -> str:
    return line[:-2] if line.endswith("\r\n") else line.removesuffix("\n")


def _decode_json_lines(body: bytes) -> tuple[Iterable[Record], None]:
    return map(_json_line, _Lines(body)), None


def _json_line(line: str) -> Record:
    if not line.strip():
        return RecordError("the line is empty")
    if _ESCAPED_BYTE.search(line):
        return RecordError("the line is not UTF-8")
    try:
        return _record_of_value(parse_json(line))
    except ValueError as error:
        return RecordError(f"the line is not valid JSON ({error})")


def _decode_plain(body: bytes) -> tuple[Iterable[Record], None]:
    return (_text_line(_without_end(line)) for line in _Lines(body)), None


def _text_line(text: str) -> Record:
    return RecordError("the text is not UTF-8") if _ESCAPED_BYTE.search(text) else _checked(text)


def _decode_csv(body: bytes) -> tuple[Iterable[Record], None]:
    return _csv_records(_Lines(body)), None


def _csv_records(lines: _Lines) -> Iterator[Record]:
    """Yield one record a row; a row that cannot be read costs its first line, and reading goes on behind that."""
    while True:
        start = lines.position
        line = next(lines, None)
        if line is None:
            return
        if '"' not in line:
            yield _text_line(_without_end(line))
            continue
        behind, lines.position = lines.position, start
        try:
            cells = next(read_csv_rows(lines)).cells
        except RowError as error:
            lines.position = behind
            yield RecordError(error.cause)
        else:
            yield _text_of_cells(cells, _without_end(line))


def _text_of_cells(cells: list[str], line: str) -> Record:
    """Return the text of a row with a quote somewhere: its only cell, or the line when no cell as a whole is quoted."""
    text = ",".join(cells)
    if len(cells) > 1 and text != line:
        return RecordError(f"the row has {len(cells)} cells, some quoted: quote one text as a whole")
    return _text_line(text)


_Decoder = Callable[[bytes], tuple[Iterable[Record], int | None]]
_DECODERS: dict[str, _Decoder] = {
    JSON: _decode_json,
    **dict.fromkeys(JSON_LINES, _decode_json_lines),
    CSV: _decode_csv,
    PLAIN: _decode_plain,
}


def negotiate(accept: str | None, media_type: str) -> str:
    """Return the media type of the answer to a request of `media_type`.

    The client's qualities decide; among equals, the form that came in, then one with a line a record if lines came in.

    Raises:
        RequestError: 406 when the Accept header allows none.
    """
    ranges = _ranges_of(accept or "*/*")
    lines_first = (*JSON_LINES, CSV, JSON)
    offers = [media_type] if media_type in _ENCODERS else []
    offers += _ENCODERS if media_type == JSON else lines_first
    best = max(offers, key=lambda offer: _quality_of(offer, ranges))  # the first of several best
    if not _quality_of(best, ranges):
        raise RequestError(406, "not_acceptable", "The Accept header allows no answer.", f"Accept {', '.join(_ENCODERS)}.")
    return best


def _ranges_of(accept: str) -> dict[str, float]:
    """Return the quality of each media range of an Accept header; what is malformed is left out."""
    ranges: dict[str, float] = {}
    for item in accept.split(","):
        media_range, *parameters = (part.strip().lower() for part in item.split(";"))
        quality = next((p[2:].strip() for p in parameters if p.startswith("q=")), "1")
        if media_range.count("/") == 1 and _QUALITY.fullmatch(quality):
            ranges[media_range] = max(float(quality), ranges.get(media_range, 0.0))
    return ranges


def _quality_of(offer: str, ranges: dict[str, float]) -> float:
    """Return the quality by the most specific range that the offer falls in, 0 if it falls in none."""
    for media_range in (offer, offer.split("/")[0] + "/*", "*/*"):
        if media_range in ranges:
            return ranges[media_range]
    return 0.0


Answer = "Prediction | RecordError"


def encode(
    answers: "Sequence[Prediction | RecordError]", labels: Sequence[str], media_type: str, top_k: int | None = None
) -> str:
    """Return the body that answers a request.

    Args:
        answers: one for each record, in order.
        labels: class names in the order of a prediction's scores.
        media_type: as negotiate returns it.
        top_k: classes to name for each record, most likely first; None: the best one, not in a list.
    Raises:
        ValueError: when a score is not finite.
    """
    rows = [answer if isinstance(answer, RecordError) else _named(answer, labels, top_k) for answer in answers]
    return _ENCODERS[media_type](rows, top_k is None)


@dataclasses.dataclass(frozen=True, slots=True)
class _Named:
    """A prediction in words: (label, score) pairs, most likely first."""

    pairs: list[tuple[str, float]]
    truncated: bool


def _named(prediction: "Prediction", labels: Sequence[str], top_k: int | None) -> _Named:
    order = np.argsort(-prediction.scores, kind="stable")[: top_k or 1]
    pairs = [(labels[i], float(f"{prediction.scores[i]:.6g}")) for i in order]
    return _Named(pairs, prediction.truncated)


def _json_value(row: _Named | RecordError, only_best: bool) -> Any:
    if isinstance(row, RecordError):
        return dataclasses.asdict(row)
    mark = {"truncated": True} if row.truncated else {}
    entries = [{"label": label, "score": score, **mark} for label, score in row.pairs]
    return entries[0] if only_best else entries


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


_Rows = Sequence[_Named | RecordError]


def _encode_json(rows: _Rows, only_best: bool) -> str:
    return _dump([_json_value(row, only_best) for row in rows])


def _encode_json_lines(rows: _Rows, only_best: bool) -> str:
    return "\n".join(_dump(_json_value(row, only_best)) for row in rows)


def _encode_csv(rows: _Rows, _only_best: bool) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        if isinstance(row, RecordError):
            writer.writerow(["", "", row.error])
        else:
            writer.writerow([cell for pair in row.pairs for cell in pair])
    return out.getvalue().removesuffix("\n")


_ENCODERS: dict[str, Callable[[_Rows, bool], str]] = {
    JSON: _encode_json,
    **dict.fromkeys(JSON_LINES, _encode_json_lines),
    CSV: _encode_csv,
}
