"""Kinds of settings that only the launcher has; `job.settings` has the others."""

import dataclasses
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from bert_classifier.job.settings import Spec, UnfitValueError, number, shown

_LONGEST_URI = 1024


def text(default: str, accepts: str, help: str, pattern: str = r".+", longest: int = 1024) -> Any:
    """Return a dataclass field for printable text that matches `pattern` as a whole; "" means unset."""

    def parse(value: str) -> str:
        if not value.isprintable() or not re.fullmatch(pattern, value):
            raise ValueError
        if len(value) > longest:
            raise UnfitValueError(f"it has {len(value):,} characters, and {longest:,} are the most")
        return value

    return _field(default, parse, accepts, help)


def resource_name(default: str, most: int, help: str, accepts: str = "") -> Any:
    """Return a dataclass field for a name in SageMaker, of at most `most` characters."""
    pattern = rf"[a-zA-Z0-9](-*[a-zA-Z0-9]){{0,{most - 1}}}"
    return text(default, accepts or f"1 to {most} letters, digits and hyphens", help, pattern, longest=most)


def instance_type(default: str, help: str) -> Any:
    """Return a dataclass field for an instance type; a check of the job tells whether SageMaker has it."""
    return text(default, "a SageMaker instance type", help, r"ml\.\w[\w-]*\.\w+")


def s3_uri(default: str, help: str, accepts: str = "s3://bucket/prefix") -> Any:
    """Return a dataclass field for s3://bucket or s3://bucket/prefix."""
    uri = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/[^\s]*)?")

    def parse(value: str) -> str:
        found = uri.fullmatch(value)
        if not found or len(value) > _LONGEST_URI or not value.isprintable():
            raise ValueError
        if ".." in found[1]:
            raise UnfitValueError(f"no bucket's name has two dots in a row, as {found[1]} has")
        return value

    return _field(default, parse, accepts, help)


def kms_key(help: str) -> Any:
    """Return a dataclass field for a KMS key."""
    return text("", "the id, alias or ARN of a KMS key", help, longest=2048)


def hourly_price() -> Any:
    """Return a dataclass field for the price of an instance."""
    help = "Dollars per instance hour, for the cost estimate; default: from AWS' price list."
    return number(None, 0, 1000, help, above=True)


def share(default: float | None, help: str) -> Any:
    """Return a dataclass field for a share that may be exceeded, in [0, 1): above 1 is none."""
    whole: Spec = number(default, 0, 1, help).metadata["spec"]

    def parse(value: str) -> float:
        found = float(whole.parse(value))
        if found == 1:
            raise ValueError
        return found

    return _field(default, parse, "a number of at least 0 and below 1", help)


def names(accepts: str, help: str, pattern: str, most: int) -> Any:
    """Return a dataclass field for a tuple of names, separated by commas or blanks."""

    def parse(value: str) -> tuple[str, ...]:
        found = tuple(value.replace(",", " ").split())
        if not 0 < len(found) <= most or not all(re.fullmatch(pattern, name) for name in found):
            raise ValueError
        return found

    return _field((), parse, accepts, help)


def listed(accepts: str, help: str, *, most: int, longest: int) -> Any:
    """Return a dataclass field for a tuple of texts that may hold blanks, separated by commas."""

    def parse(value: str) -> tuple[str, ...]:
        found = tuple(part.strip() for part in value.split(","))
        if len(found) > most or not all(0 < len(part) <= longest and part.isprintable() for part in found):
            raise ValueError
        return found

    return _field((), parse, accepts, help)


def pairs(
    help: str,
    *,
    most: int | None,
    name: str = r".+",
    name_is: str = "one character or more",
    longest: int = 256,
) -> Any:
    """Return a dataclass field for a tuple of (name, value), written like assignments in a shell.

    Args:
        most: of the pairs; None where a check counts them.
        name: pattern of the names.
        name_is: the pattern in words, as the end of "the name is not …".
    """

    def parse(value: str) -> tuple[tuple[str, str], ...]:
        words = [word.partition("=") for word in _words(value)]
        for key, equals, val in words:
            if not equals:
                raise UnfitValueError(f"{shown(key)} has no =")
            if not re.fullmatch(name, key):
                raise UnfitValueError(f"the name {shown(key)} is not {name_is}")
            if len(val) > longest:
                raise UnfitValueError(
                    f"the value of {shown(key)} has {len(val):,} characters, and {longest:,} are the most"
                )
        _refuse_number([key for key, *_ in words], most)
        return tuple((key, val) for key, _, val in words)

    return _field((), parse, '"name=value name=value", each name once', help)


def _words(value: str) -> list[str]:
    """Return the words as a shell reads them."""
    try:
        return shlex.split(value)
    except ValueError as error:
        raise UnfitValueError("a quote is not closed, or a backslash stands at the end") from error


def _refuse_number(names: Sequence[str], most: int | None) -> None:
    twice = next((one for one in names if names.count(one) > 1), None)
    if twice is not None:
        raise UnfitValueError(f"{shown(twice)} is there more than once")
    if most is not None and len(names) > most:
        raise UnfitValueError(f"there are {len(names)}, and {most} are the most")


def _field(default: object, parse: Callable[[str], Any], accepts: str, help: str) -> Any:
    return dataclasses.field(default=default, metadata={"spec": Spec(parse, accepts, help)})
