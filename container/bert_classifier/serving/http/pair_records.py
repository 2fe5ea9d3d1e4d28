"""A record of two texts, for models that read pairs."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from bert_classifier.data.columns import TEXT_NAMES, bare
from bert_classifier.data.pair_columns import pairs_in
from bert_classifier.data.records import text_problem
from bert_classifier.data.second_texts import is_second_text
from bert_classifier.data.text_fields import TextFields
from bert_classifier.data.text_pair import TextPair
from bert_classifier.errors import RequestError
from bert_classifier.job.json_files import json_kind
from bert_classifier.job.settings import shown
from bert_classifier.serving.http.body_records import (
    ESCAPED_BYTE,
    Record,
    RecordError,
    is_no_text,
    refuse_setting,
)

SEND_PAIRS = 'send {"text": "…", "text_pair": "…"} for each record'
_TEXT_NAMES = frozenset(itertools.chain(*TEXT_NAMES))
_FEATURES, _INPUTS = "features", "inputs"
_NO_PAIR = 'the object has no pair of texts: name them "text" and "text_pair"'


def of_pair_value(value: Any, fields: TextFields) -> Record:
    """Return the pair that a JSON value stands for: an object with two texts, or a list of two strings.

    Args:
        fields: names of the model's training data, which an object may have for its texts.
    Raises:
        RequestError: 400 when it holds one text only, or more than two.
    """
    if isinstance(value, str):
        raise one_text_error("A record is one text.")
    if isinstance(value, list):
        return _of_list(value, "A record is a list")
    if isinstance(value, dict):
        return _of_object(value, fields)
    return RecordError(f"the record must be a pair of texts, not {json_kind(value)}")


def pair_of_cells(first: str, second: str) -> Record:
    """Return the pair that two cells of a row stand for, or what is wrong with it."""
    if ESCAPED_BYTE.search(first) or ESCAPED_BYTE.search(second):
        return RecordError("the text is not UTF-8")
    return _pair(first, second)


def has_any_text(record: dict[str, Any], fields: TextFields) -> bool:
    """Return whether an object is a record, though perhaps one of a single text."""
    return _FEATURES in record or bool(_texts_in(_bare_names(record), fields))


def one_text_error(cause: str) -> RequestError:
    """Return the error of a request that has single texts for a model of pairs."""
    return RequestError(400, "one_text", cause, f"The model reads pairs of texts: {SEND_PAIRS}.")


def refuse_single_texts(values: Sequence[Any]) -> None:
    """Refuse a JSON body that is a list of strings.

    A list holds one record in each place everywhere else, so that two strings would be two texts; whoever sends them to
    a model of pairs may well mean one pair.

    Raises:
        RequestError: 400.
    """
    if len(values) == 2 and all(isinstance(value, str) for value in values):
        raise RequestError(
            400,
            "one_text",
            "A list of two texts may be one pair, or two records of one text each.",
            'Send one pair as [["first text", "second text"]], or as {"text": "…", "text_pair": "…"}.',
        )


def _pair(first: Any, second: Any) -> Record:
    """Return the pair; one empty text stays a text of its pair, as at training."""
    blank = [isinstance(part, str) and not part.strip() for part in (first, second)]
    if all(blank):
        return RecordError("both texts of the pair are empty")
    for which, part, is_blank in zip(("first", "second"), (first, second), blank, strict=True):
        if not is_blank and (problem := text_problem(part)):
            return RecordError(problem.replace("the text", f"the {which} text", 1))
    return TextPair(first, second)


def _of_list(parts: list[Any], what: str) -> Record:
    if len(parts) == 2:
        return _pair(*parts)
    number = sum(isinstance(part, str) for part in parts)
    if number == 1 and len(parts) == 1:
        raise one_text_error(f"{what} of one text.")
    if number > 1:
        raise _other_texts_error(f"{what} of {len(parts)} texts.")
    return RecordError("the record is a list, but not of two texts")


def _of_object(record: dict[str, Any], fields: TextFields) -> Record:
    if "parameters" in record:
        return RecordError(
            '"parameters" apply to a whole request: put them beside "inputs" in application/json'
        )
    bare_names = _bare_names(record)
    names = _names_of(bare_names, fields)
    texts = _texts_in(bare_names, fields)
    for name, value in record.items():
        refuse_setting(name, value)
    if names is None:
        return _of_other_object(record, texts)
    others = [name for name in texts if name not in names and not is_no_text(record[name])]
    if others:
        beside = f"{shown(names[0])} and {shown(names[1])}"
        raise _other_texts_error(f"A record has {shown(others[0])} beside {beside}.")
    return _pair(record[names[0]], record[names[1]])


def _of_other_object(record: dict[str, Any], texts: Sequence[str]) -> Record:
    """Return the pair of an object whose fields are not called as the texts of one."""
    if _FEATURES in record:
        value = record[_FEATURES]
        return _of_list(value, '"features" are a list') if isinstance(value, list) else RecordError(_NO_PAIR)
    if [*texts] == [_INPUTS] and isinstance(record[_INPUTS], list | dict):
        value = record[_INPUTS]
        return (
            _of_list(value, '"inputs" are a list')
            if isinstance(value, list)
            else _of_object(value, TextFields())
        )
    filled = [name for name in texts if not is_no_text(record[name])]
    if len(filled) > 1:
        raise _other_texts_error(
            f"A record has {shown(filled[0])} and {shown(filled[1])}, which are not called as the two texts of a pair."
        )
    if filled:
        raise one_text_error(f"A record has one text, {shown(filled[0])}.")
    return RecordError(_NO_PAIR)


def _bare_names(record: dict[str, Any]) -> dict[str, str]:
    """Return the fields, each with its name without case and separators: once, since there may be very many."""
    return {name: bare(name) for name in record}


def _names_of(bare_names: Mapping[str, str], fields: TextFields) -> tuple[str, str] | None:
    """Return the fields of the two texts: as at training, or else by names in use for pairs; None without them.

    Raises:
        RequestError: 400 when several may be meant.
    """
    own = [_field(bare_names, name) for name in (fields.text, fields.text_pair)]
    if own[0] and own[1]:
        return own[0], own[1]
    names = list(bare_names)
    found = pairs_in([*bare_names.values()])
    if len(found) > 1 and bare_names[names[found[0][1]]] != "textpair":
        listed = " or ".join(
            f"{shown(names[first])} and {shown(names[second])}" for first, second in found[:2]
        )
        raise _other_texts_error(f"A record has several pairs of texts: {listed}.")
    return (names[found[0][0]], names[found[0][1]]) if found else None


def _field(bare_names: Mapping[str, str], name: str) -> str:
    """Return the field with a name, exactly or but for case and separators; "" without one."""
    if not name or name in bare_names:
        return name
    wanted = bare(name)
    return next((field for field, found in bare_names.items() if found == wanted), "")


def _texts_in(bare_names: Mapping[str, str], fields: TextFields) -> list[str]:
    """Return the fields that are called as texts are."""
    known = _TEXT_NAMES | {bare(name) for name in (fields.text, fields.text_pair) if name}
    return [name for name, found in bare_names.items() if found in known or is_second_text(name)]


def _other_texts_error(cause: str) -> RequestError:
    return RequestError(400, "second_text", cause, f"The model reads pairs of texts: {SEND_PAIRS}.")
