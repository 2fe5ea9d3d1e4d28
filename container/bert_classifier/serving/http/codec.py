"""Decode request bodies to records, and encode predictions to response bodies.

A record that cannot be classified (a blank line, a number) becomes a RecordError in its place and does not affect the
others.
"""

import csv
import dataclasses
import io
import itertools
import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from bert_classifier.data.as_trained import TextFields
from bert_classifier.data.columns import bare
from bert_classifier.data.records import parse_json
from bert_classifier.errors import RequestError
from bert_classifier.job.settings import nearest, shown
from bert_classifier.serving.http.body_records import (
    Record,
    RecordError,
    of_json_lines,
    of_json_value,
)
from bert_classifier.serving.http.csv_form import CsvForm
from bert_classifier.serving.http.csv_tables import read_csv
from bert_classifier.serving.http.media_types import CSV, JSON, PLAIN
from bert_classifier.serving.http.text_lines import read_plain_text

if TYPE_CHECKING:
    from bert_classifier.serving.model.predictor import Prediction  # it loads torch


_ANY_CSV = CsvForm()
_ENVELOPE = ("inputs", "instances", "parameters")
_PARAMETERS = ("top_k",)
_SEND_INPUTS = 'Send {"inputs": ["first text", "second text"]}.'
_SEND_TOP_K = 'Send {"top_k": 3} or none.'
_PARTS_PER_RECORD = 16  # a text, or an object with some ignored fields
_STRING_OR_PART = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{,]', re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """A decoded request.

    Attributes:
        records: in order.
        top_k: number of classes per answer; None: only the best.
        understood: how a body of CSV or plain text was read, without any of its cells.
    """

    records: list[Record]
    top_k: int | None = None
    understood: str = ""


def decode(media_type: str, body: bytes, max_records: int, csv_form: CsvForm = _ANY_CSV) -> Query:
    """Return the records of a body.

    JSON: `{"inputs": "…" | […]}` or `{"instances": […]}`, either with `"parameters": {"top_k": n}`, a list,
    or a string. JSON Lines, CSV and plain text: one record per line; an empty body has none. A record is a
    string, in JSON and JSON Lines also an object with `text`, `inputs` or the training's own text column; without
    any of them, a name in use for texts counts. Its other fields are ignored, as training ignores other columns, but
    a second text is refused. An object with the training's column alone may stand for a whole JSON body.

    Args:
        media_type: one of media_types.READ.
        csv_form: context for a CSV body, and the names of the training's columns.
    Raises:
        RequestError: 400 when the body as a whole cannot be read, 413 when it holds more than `max_records`.
    """
    records: Iterable[Record]
    top_k, understood = None, ""
    if media_type == JSON:
        records, top_k = _decode_json(body, max_records, csv_form.fields)
    elif media_type == CSV:
        rows = read_csv(body, csv_form, max_records)
        records, understood = rows.records, rows.understood
    elif media_type == PLAIN:
        rows = read_plain_text(body, max_records)
        records, understood = rows.records, rows.understood
    else:
        records = of_json_lines(body, csv_form.fields)
    kept = list(itertools.islice(records, max_records + 1))
    if len(kept) > max_records:
        raise _too_many_records(f"The request holds more than {max_records} records.")
    return Query(kept, top_k, understood)


def _decode_json(body: bytes, max_records: int, fields: TextFields) -> tuple[Iterable[Record], int | None]:
    try:
        text = body.decode("utf-8-sig")
        if _has_more_parts(text, _PARTS_PER_RECORD * (max_records + 1)):
            raise _too_many_records("The body has too many parts.")
        value = parse_json(text)
    except UnicodeDecodeError as error:
        raise RequestError(
            400, "bad_encoding", f"The body is not UTF-8 at byte {error.start}.", "Send UTF-8."
        ) from error
    except ValueError as error:
        raise RequestError(
            400, "bad_json", f"The body is not valid JSON ({error}).", "Correct it, or send text/plain."
        ) from error
    top_k = None
    if isinstance(value, dict):
        is_record = bool(fields.text) and bare(fields.text) in map(bare, value)
        if is_record and not value.keys() & {*_ENVELOPE}:
            value = [value]
        else:
            value, top_k = _open_envelope(value)
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise RequestError(400, "bad_request", "The body holds no texts.", _SEND_INPUTS)
    return map(of_json_value, value, itertools.repeat(fields)), top_k


def _too_many_records(cause: str) -> RequestError:
    return RequestError(413, "too_many_records", cause, "Split it into several.")


def _has_more_parts(text: str, limit: int) -> bool:
    """Return whether a JSON text holds more lists, objects and commas than `limit` outside strings.

    Checked before parsing, since a few megabytes of them become a gigabyte and block all threads for seconds.
    """
    if sum(map(text.count, "{[,")) <= limit:
        return False
    parts = (match for match in _STRING_OR_PART.finditer(text) if match[0][0] != '"')
    return next(itertools.islice(parts, limit, None), None) is not None


def _open_envelope(envelope: dict[str, Any]) -> tuple[Any, int | None]:
    _refuse_unknown(envelope, _ENVELOPE, "bad_request", _SEND_INPUTS)
    names = [name for name in ("inputs", "instances") if name in envelope]
    if len(names) != 1:
        cause = "The object has both inputs and instances." if names else "The object has no inputs."
        raise RequestError(400, "bad_request", cause, _SEND_INPUTS)
    value = envelope[names[0]]
    if names == ["instances"] and not isinstance(value, list):
        remedy = _SEND_INPUTS.replace("inputs", "instances")
        raise RequestError(400, "bad_request", '"instances" is not a list.', remedy)
    return value, _top_k_of(envelope.get("parameters"))


def _refuse_unknown(given: dict[str, Any], known: Sequence[str], code: str, remedy: str) -> None:
    """Raise for the first unknown field: ignoring it would surprise the sender."""
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        close = nearest(unknown, known)
        cause = f"The request has an unknown field {shown(unknown)}."
        raise RequestError(400, code, cause, f"Did you mean {close}?" if close else remedy)


def _top_k_of(parameters: Any) -> int | None:
    if parameters is None:
        return None
    if not isinstance(parameters, dict):
        raise RequestError(400, "bad_parameters", '"parameters" is not an object.', _SEND_TOP_K)
    _refuse_unknown(parameters, _PARAMETERS, "bad_parameters", _SEND_TOP_K)
    if not parameters:
        return None
    top_k = parameters["top_k"]
    if type(top_k) is not int or top_k < 1:
        raise RequestError(400, "bad_parameters", '"top_k" is not a whole number of at least 1.', _SEND_TOP_K)
    return top_k


@dataclasses.dataclass(frozen=True, slots=True)
class ResponseFormat:
    """How to encode predictions.

    Attributes:
        labels: class names in the order of a prediction's scores.
        top_k: number of classes per record, most likely first; None: only the best one, not in a list.
        abstain_below: score of the best class below which a record is unsure.
    """

    labels: Sequence[str]
    top_k: int | None = None
    abstain_below: float = 0.0


def is_unsure(prediction: "Prediction", abstain_below: float) -> bool:
    """Return whether the best score is below the abstention threshold."""
    return prediction.scores[prediction.order[0]] < abstain_below


def encode(
    answers: "Sequence[Prediction | RecordError]", response_format: ResponseFormat, media_type: str
) -> str:
    """Return the response body.

    JSON: a list of `{"label", "score"}`, with `"truncated": true` for a text that was cut; with top_k a list
    of such lists; `{"error", "code"}` for a wrong record. JSON Lines: one of these per line. CSV:
    `label,score` per line, with top_k as many pairs; `,,message` for a wrong record. The label of an unsure record
    is null, in CSV empty; with top_k all classes keep their names, and `"unsure": true` marks them. Lines are in
    order, one per record, and the last has no line end: SageMaker's batch transform relies on it (AssembleWith=Line).

    Args:
        answers: one for each record, in order.
        media_type: one of media_types.WRITTEN.
    Raises:
        ValueError: when a score is not finite.
    """
    named = [a if isinstance(a, RecordError) else _named(a, response_format) for a in answers]
    if media_type == CSV:
        return _csv_of(named)
    values = [_json_value(answer, only_best=response_format.top_k is None) for answer in named]
    return _dump(values) if media_type == JSON else "\n".join(map(_dump, values))


@dataclasses.dataclass(frozen=True, slots=True)
class _Named:
    """A prediction with labels: (label, score) pairs, most likely first, and the flags of the answer."""

    pairs: list[tuple[str | None, float]]
    marks: dict[str, bool]


def _named(prediction: "Prediction", response_format: ResponseFormat) -> _Named:
    if not all(map(math.isfinite, prediction.scores)):
        raise ValueError("a score is not finite")
    order = prediction.order[: response_format.top_k or 1]
    unsure = is_unsure(prediction, response_format.abstain_below)
    is_silent = unsure and response_format.top_k is None
    pairs = [
        (None if is_silent else response_format.labels[i], float(f"{prediction.scores[i]:.6g}"))
        for i in order
    ]
    marks = {"truncated": prediction.truncated, "unsure": unsure and not is_silent}
    return _Named(pairs, {name: True for name, is_set in marks.items() if is_set})


def _json_value(answer: _Named | RecordError, *, only_best: bool) -> Any:
    if isinstance(answer, RecordError):
        return dataclasses.asdict(answer)
    entries = [{"label": label, "score": score, **answer.marks} for label, score in answer.pairs]
    return entries[0] if only_best else entries


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _csv_of(answers: Sequence[_Named | RecordError]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for answer in answers:
        if isinstance(answer, RecordError):
            writer.writerow(["", "", answer.error])
        else:
            writer.writerow(itertools.chain(*answer.pairs))
    return out.getvalue().removesuffix("\n")
