"""The record that a JSON value stands for: in a JSON body, or on a line of JSON Lines."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from bert_classifier.data.columns import LAST_TEXT_NAMES, TEXT_NAMES, TITLE_NAMES, bare, with_title
from bert_classifier.data.records import parse_json
from bert_classifier.data.second_texts import is_second_text
from bert_classifier.data.text_columns import CLIENTS_NAMES
from bert_classifier.data.text_fields import TextFields
from bert_classifier.errors import RequestError
from bert_classifier.job.json_files import json_kind
from bert_classifier.job.settings import shown
from bert_classifier.serving.http.body_records import (
    ESCAPED_BYTE,
    NO_FIELDS,
    Lines,
    Record,
    RecordError,
    checked,
    is_no_text,
    refuse_setting,
    second_text_error,
)
from bert_classifier.serving.http.json_parts import has_more_parts
from bert_classifier.serving.http.pair_records import has_any_text, of_pair_value
from bert_classifier.serving.http.parameters import Wanted, of_parameters
from bert_classifier.serving.model.facts import ANY_MODEL, ModelFacts

_PLAIN_NAMES = ("text", "inputs")
_FEATURES = "features"  # SageMaker's own form of a record
_KNOWN_NAMES = (*map(frozenset, TEXT_NAMES), CLIENTS_NAMES, *(frozenset({name}) for name in LAST_TEXT_NAMES))
_MOST_PARTS = 10_000  # of a line; beyond it, parsing would block all threads


def of_json_value(value: Any, fields: TextFields = NO_FIELDS) -> Record:
    """Return the record that a JSON value stands for.

    Args:
        fields: names of the model's training data, which an object may have for its text and title.
    Raises:
        RequestError: 400 when it holds a second text, since predicting only the first would be misleading, or when it
            holds a single one and the model reads pairs.
    """
    if fields.is_paired:
        return of_pair_value(value, fields)
    if isinstance(value, dict):
        value = _text_of(value, fields)
        if isinstance(value, RecordError):
            return value
    if isinstance(value, list) and sum(isinstance(part, str) for part in value) > 1:
        raise second_text_error("A record is a list of several texts.")
    return checked(value)


def has_text(record: dict[str, Any], fields: TextFields = NO_FIELDS) -> bool:
    """Return whether an object has a field that is known as a text.

    Raises:
        RequestError: 400 as of_json_value.
    """
    if fields.is_paired:
        return has_any_text(record, fields)
    name = _text_name(record, fields.text)
    return _FEATURES in record if name is None else not isinstance(record[name], list | dict)


class Line(NamedTuple):
    """A line of JSON Lines: its record, and what its own `parameters` ask for, if it has any."""

    record: Record
    wanted: Wanted | None = None


def of_json_lines(
    body: bytes, fields: TextFields = NO_FIELDS, model: ModelFacts = ANY_MODEL
) -> Iterator[Line]:
    """Yield one record per line."""
    return (_json_line(line, fields, model) for line in Lines(body))


def _json_line(line: str, fields: TextFields, model: ModelFacts) -> Line:
    if not line.strip():
        return Line(RecordError("the line is empty"))
    if ESCAPED_BYTE.search(line):
        return Line(RecordError("the line is not UTF-8"))
    if has_more_parts(line, _MOST_PARTS):
        return Line(RecordError("the line has too many lists, objects and fields"))
    try:
        value = parse_json(line)
        wanted = None
        if isinstance(value, dict) and "parameters" in value:
            wanted = of_parameters(value.pop("parameters"), model)
        return Line(of_json_value(value, fields), wanted)
    except ValueError as error:
        return Line(RecordError(f"the line is not valid JSON ({error})"))
    except RequestError as error:  # of this line alone: no batch transform fails for one row
        return Line(RecordError(str(error), error.code))


def _text_of(record: dict[str, Any], fields: TextFields) -> Any:
    """Return the text of an object, with its title as at training, or why it has none."""
    name = _text_name(record, fields.text)
    if name is None:
        if _FEATURES in record and _is_one(record[_FEATURES]):
            return record[_FEATURES][0]
        return RecordError(_why_no_text(record, fields.text))
    if "parameters" in record:
        return RecordError(
            '"parameters" apply to a whole request: put them beside "inputs" in application/json'
        )
    if fields.title:
        return _with_title(record, name, fields.title)
    text = record[name]
    return _title_alone(record, name) if text is None or text == "" else text


def _is_one(value: Any) -> bool:
    """Return whether SageMaker's "features" hold one value; several texts are refused like any others."""
    if not isinstance(value, list):
        return False
    if sum(isinstance(part, str) for part in value) > 1:
        raise second_text_error('A record has several texts in "features".')
    return len(value) == 1


def _title_alone(record: dict[str, Any], name: str) -> Any:
    """Return the title of a record whose text is empty: it replaces the text, as at training."""
    titles = (record[field] for field in record if field != name and bare(field) in TITLE_NAMES[0])
    return next((title for title in titles if isinstance(title, str) and title.strip()), record[name])


def _why_no_text(record: dict[str, Any], own: str) -> str:
    if all(name in record for name in _PLAIN_NAMES):
        return 'the object has both "text" and "inputs": send one of them'
    names = [f'"{name}"' for name in _PLAIN_NAMES] + [f'"{own}"'] * bool(own and own not in _PLAIN_NAMES)
    return f"the object has no text: name it {', '.join(names[:-1])} or {names[-1]}"


def _text_name(record: dict[str, Any], own: str) -> str | None:
    """Return the name of the field that holds the text: as at training, a plain name, or one in use elsewhere.

    Raises:
        RequestError: 400 when another field holds a text too.
    """
    plain = [name for name in _PLAIN_NAMES if name in record]
    if own and own in record and own not in _PLAIN_NAMES:
        name = own
    elif plain:
        name = plain[0]
    else:
        found = _other_names(record, own)
        if not found:
            return None
        if len(found) > 1:
            raise second_text_error(f"A record has {shown(found[1])} beside {shown(found[0])}.")
        name = found[0]
    _refuse_second_text(record, name)
    return name if len(plain) < 2 else None


def _other_names(record: dict[str, Any], own: str) -> list[str]:
    """Return the fields called as at training but for case and separators, or else by names in use for texts."""
    bare_names = [bare(name) for name in record]
    for group in (frozenset({bare(own)} if own else ()), *_KNOWN_NAMES):
        found = [name for name, known in zip(record, bare_names, strict=True) if known in group]
        if found:
            return [name for name in found if not is_no_text(record[name])] or found[:1]
    return []


def _with_title(record: dict[str, Any], name: str, title_name: str) -> Any:
    """Return the text with its title before it, as at training; anything else than strings as it is."""
    alike = [field for field in record if field != name and bare(field) == bare(title_name)]
    found = [title_name] if title_name in alike else alike
    if len(found) != 1:
        number = "has several fields called" if found else "has no"
        return RecordError(
            f'the object {number} "{title_name}", the title at training: send one, empty where a text has none, or'
            " a string instead of the object"
        )
    text, title = record[name], record[found[0]]
    if not isinstance(title, str | None):
        return RecordError(f'the title "{found[0]}" must be a string, not {json_kind(title)}')
    return with_title(title or "", text or "") if isinstance(text, str | None) else text


def _refuse_second_text(record: dict[str, Any], own: str) -> None:
    for name, value in record.items():
        if name == own or value is None:  # null means none
            continue
        if name in _PLAIN_NAMES and own in _PLAIN_NAMES:
            continue
        refuse_setting(name, value)
        if is_second_text(name) and not is_no_text(value):
            raise second_text_error(f"A record has {shown(name)} beside {shown(own)}.")
