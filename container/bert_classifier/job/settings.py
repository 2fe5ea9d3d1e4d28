"""Declarative settings: dataclass fields with type, range and help, and one strict parser.

SageMaker passes every value as a string, plain (`0.1`, `True`) or JSON-quoted (`"0.1"`, `true`), depending on how the
job was started; both are accepted.
"""

import codecs
import dataclasses
import difflib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from bert_classifier.errors import UserError

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
AUTO, ALL = "auto", "all"
_LONGEST_ECHO = 60  # characters of a wrong value in a message


class UnfitValueError(ValueError):
    """A value that a setting does not accept; its text says why, as the end of a sentence."""


@dataclasses.dataclass(frozen=True)
class Spec:
    """What a setting accepts: `parse` turns a plain string into a value or raises ValueError.

    Where accepted, "auto" is the same as leaving the setting out: the program chooses.
    """

    parse: Callable[[str], Any]
    accepts: str
    help: str
    has_auto: bool = False


def integer(default: int | None, low: int, high: int, help: str, *, auto: bool = False) -> Any:
    """Return a dataclass field for an integer in [low, high]; None and, if `auto`, the string "auto" mean unset."""

    def parse(text: str) -> int:
        value = int(text) if _INTEGER.fullmatch(text) and len(text) < 20 else None
        if value is None or not low <= value <= high:
            raise ValueError
        return value

    return _field(default, _spec(parse, f"a whole number from {low} to {high}", help, auto=auto))


def number(
    default: float | None, low: float, high: float, help: str, *, above: bool = False, auto: bool = False
) -> Any:
    """Return a dataclass field for a number in [low, high], or (low, high] if `above`; None and `auto`: see integer."""

    def parse(text: str) -> float:
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not low <= value <= high or (above and value == low):
            raise ValueError
        return value

    start = f"above {low:g} and at most" if above else f"from {low:g} to"
    return _field(default, _spec(parse, f"a number {start} {high:g}", help, auto=auto))


def boolean(default: bool, help: str) -> Any:
    """Return a dataclass field for true or false, in Python's, JSON's or 0/1 spelling."""
    spellings = {"true": True, "1": True, "false": False, "0": False}

    def parse(text: str) -> bool:
        if text.lower() not in spellings:
            raise ValueError
        return spellings[text.lower()]

    return _field(default, Spec(parse, "true or false", help))


def choice(default: str, options: Sequence[str], help: str) -> Any:
    """Return a dataclass field for one of `options`, in any case."""

    spellings = {option.lower(): option for option in options}

    def parse(text: str) -> str:
        if text.lower() not in spellings:
            raise ValueError
        return spellings[text.lower()]

    return _field(default, Spec(parse, "one of " + ", ".join(options), help))


def choices(options: Sequence[str], help: str) -> Any:
    """Return a dataclass field for several of `options` in any order and case, separated by commas; none by default."""

    def parse(text: str) -> tuple[str, ...]:
        given = tuple(part.strip().lower() for part in text.split(","))
        if not set(given) <= {*options} or len(set(given)) < len(given):
            raise ValueError
        return given

    return _field((), Spec(parse, f"one or more of {', '.join(options)}, separated by commas", help))


def count_or_all(help: str) -> Any:
    """Return a dataclass field for a number from 1 or ALL; None by default."""

    def parse(text: str) -> int | str:
        if text.lower() == ALL:
            return ALL
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
        if not value:
            raise ValueError
        return value

    return _field(None, Spec(parse, f"a whole number from 1, or {ALL}", help))


def string(default: str, help: str, longest: int = 256) -> Any:
    """Return a dataclass field for a text of 1 to `longest` printable characters."""

    def parse(text: str) -> str:
        if not text.strip() or len(text) > longest or not text.isprintable():
            raise ValueError
        return text

    return _field(default, Spec(parse, f"1 to {longest} printable characters", help))


def separator(default: str, help: str) -> Any:
    """Return a dataclass field for a character between cells; "tab" stands for itself."""
    words = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}

    def parse(text: str) -> str:
        value = words.get(text.lower(), text)
        if len(value) != 1 or value.isalnum() or value in "\"'\r\n\\":
            raise ValueError
        return value

    return _field(default, Spec(parse, "tab, comma, semicolon, pipe, space or a sign such as ~", help))


def text_encoding(default: str, help: str) -> Any:
    """Return a dataclass field for a text encoding that Python knows, by its usual name."""

    def parse(text: str) -> str:
        try:
            is_text = codecs.lookup(text)._is_text_encoding
            if is_text:  # and one that can skip what it cannot decode
                codecs.getincrementaldecoder(text)("replace").decode(b"", final=True)
        except (LookupError, ValueError) as error:
            raise ValueError from error
        if not is_text:
            raise ValueError
        return codecs.lookup(text).name

    return _field(default, Spec(parse, "an encoding, such as utf-8, cp1252 or utf-16", help))


def _spec(parse: Callable[[str], Any], accepts: str, help: str, *, auto: bool) -> Spec:
    return Spec(parse, f"{accepts}, or {AUTO}" if auto else accepts, help, auto)


def _field(default: Any, spec: Spec) -> Any:
    return dataclasses.field(default=default, metadata={"spec": spec})


def specs(cls: type) -> dict[str, Spec]:
    """Return the specification of each setting of a dataclass, by name."""
    return {f.name: f.metadata["spec"] for f in dataclasses.fields(cls) if "spec" in f.metadata}


def unquote(value: object) -> str | None:
    """Return a raw value as a plain string without JSON quotes; None if it means "not given".

    Raises:
        ValueError: for a list or an object.
    """
    if value is None or isinstance(value, bool | int | float):
        value = json.dumps(value)
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - one exception type for every invalid value
    text = value.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = _json_string(text)
    return None if text in {"None", "null"} else text


def _json_string(text: str) -> str:
    try:
        decoded = json.loads(text)
    except ValueError:
        return text
    return decoded if isinstance(decoded, str) else text


def parse_values(
    cls: type,
    raw: Mapping[str, object],
    what: str,
    spelling: Callable[[str], str] = str,
    aliases: Mapping[str, str] = MappingProxyType({}),
    plain: Callable[[object], str | None] = unquote,
) -> tuple[dict[str, Any], list[str]]:
    """Parse the raw values of `cls`' settings.

    Args:
        what: what messages call a setting, such as "hyperparameter".
        spelling: turns a setting's name into the one the user wrote.
        aliases: older names of settings, so that misspelt ones get a hint too.
        plain: turns a raw value into a plain string, or None for "not given", or raises ValueError.
    Returns:
        the values by name, and one sentence per mistake.
    """
    known = specs(cls)
    values: dict[str, Any] = {}
    mistakes = []
    for name, value in raw.items():
        if name not in known:
            mistakes.append(f"unknown {what} {shown(name)}{_hint(name, known, aliases)}")
            continue
        try:
            text = plain(value)
            if text is not None and not (text == AUTO and known[name].has_auto):
                values[name] = known[name].parse(text)
        except ValueError as error:
            why = f": {error}" if isinstance(error, UnfitValueError) else ""
            mistakes.append(f"{what} {spelling(name)}={shown(value)} is not {known[name].accepts}{why}")
    return values, mistakes


def _hint(name: str, known: Iterable[str], aliases: Mapping[str, str]) -> str:
    match = nearest(name, [*known, *aliases])
    return f", did you mean {aliases.get(match, match)}?" if match else ""


def nearest(name: str, known: Sequence[str]) -> str | None:
    """Return the known name most similar to `name`, or else the shortest one that contains it."""
    wanted = name.strip().lower().replace("-", "_")[:100]
    alike = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
    holding = [candidate for candidate in known if len(wanted) > 2 and wanted in candidate]
    return next(iter(alike), None) or min(holding, key=len, default=None)


def shown(value: object) -> str:
    """Return a wrong value, shortened and printable, for a message."""
    text = value if isinstance(value, str) else _as_json(value)
    if len(text) > _LONGEST_ECHO:
        text = text[:_LONGEST_ECHO] + "…"
    return "'" + "".join(c if c.isprintable() else "�" for c in text) + "'"


def _as_json(value: object) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):  # not JSON, an integer of 5,000 digits, very deep nesting
        return f"a value of type {type(value).__name__}"


def refuse(mistakes: Sequence[str], remedy: str) -> None:
    """Raise one UserError for all mistakes, if any."""
    if mistakes:
        listed = "; ".join(mistakes)
        is_setting = "_" in listed.split(maxsplit=1)[0]  # a name that must stay as it is
        start = listed[0] if is_setting else listed[0].upper()
        raise UserError(start + listed[1:] + ("" if listed[-1] in "?." else "."), remedy)
