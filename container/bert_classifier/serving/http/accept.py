"""The answer that an Accept header asks for: its media type, and what it holds."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_options_header

from bert_classifier.errors import RequestError, UserError
from bert_classifier.job.config import ANSWER_FIELDS, ServeConfig
from bert_classifier.job.settings import nearest, shown
from bert_classifier.serving.http.media_types import ABSENT, CSV, JSON, JSON_LINES, NPY, PRESENT, WRITTEN
from bert_classifier.serving.http.parameters import Wanted, wanted_of

_PARAMETERS = ("top_k", "output", "return_all_scores", "header")
_NAMED = f"{JSON}, {JSON_LINES[0]}, {CSV} or {NPY}"
# Java's URLConnection sends a lone * and weights such as q=.2, which werkzeug drops.
_LONE_STAR = re.compile(r"(^|,)\s*\*\s*(?=[;,]|$)")
_BARE_WEIGHT = re.compile(r"(;\s*q\s*=\s*)(\.\d)", re.IGNORECASE)
# A comma outside quotes begins the next media type, so that all fields but the first would be lost.
_UNQUOTED_FIELDS = re.compile(rf";\s*output\s*=\s*\w+[\s,]+({'|'.join(ANSWER_FIELDS)})\b", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True)
class AnswerType:
    """What the answer is to be.

    Attributes:
        name: one of WRITTEN.
        wanted: what the header asks for; None if it leaves that open.
        has_header: whether CSV begins with a row of names.
    """

    name: str
    wanted: Wanted | None = None
    has_header: bool = False


class _Range(NamedTuple):
    """A media range of an Accept header, with its parameters but the weight."""

    name: str
    parameters: dict[str, str]
    quality: float


def of_accept(accept: str | None, request_type: str, config: ServeConfig) -> AnswerType:
    """Return what an Accept header asks for.

    The client's q-values decide. Among equals, prefer the request's type, then one with a record per line if the
    request had that. But a client that accepts both JSON and CSV by name gets JSON: pandas, for example, would take
    the first line of CSV without a header for a header. NumPy's form is written only where it is named, or came in.
    Where the header is missing or accepts anything, SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT stands in for it; parameters
    of the header still go before the default's.

    Args:
        request_type: the media type of the request.
    Raises:
        RequestError: 406 when the header allows none of WRITTEN, or has a parameter that is wrong or has no effect.
    """
    ranges, asked = _ranges_of(accept or "*/*"), {}
    default = config.sagemaker_default_invocations_accept
    if default and len(ranges) == 1 and ranges[0].name == "*/*" and ranges[0].quality:
        asked, ranges = ranges[0].parameters, _ranges_of(default)
    accepted = MIMEAccept([(each.name, each.quality) for each in ranges])
    offers = _offers(request_type, {each.name for each in ranges})
    best = max(offers, key=accepted.quality)  # the first of several
    if not accepted.quality(best):
        raise RequestError(
            406,
            "not_acceptable",
            "The Accept header allows none of the formats that the answer can have.",
            f"Accept {_NAMED}.",
        )
    parameters = asked or _parameters_of(best, ranges)
    return AnswerType(best, _wanted_of(parameters, best), _has_header(parameters, best, config))


def check_default_accept(config: ServeConfig) -> None:
    """Check SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT as if it were a request's Accept header.

    Raises:
        UserError: when it allows no answer.
    """
    try:
        of_accept(None, JSON, config)
    except RequestError as error:
        given = shown(config.sagemaker_default_invocations_accept)
        raise UserError(
            f"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT={given} cannot be answered: as an Accept header, it is refused."
            f" {error.cause}",
            error.remedy.replace("Accept ", "Set it to ", 1),
        ) from error


def _ranges_of(accept: str) -> list[_Range]:
    header = _BARE_WEIGHT.sub(r"\g<1>0\2", _LONE_STAR.sub(r"\1*/*", accept))
    if _UNQUOTED_FIELDS.search(header):
        example = f'Accept {CSV}; output="{",".join(ANSWER_FIELDS[:2])}".'
        raise _wrong("output lists several fields without quotes", example)
    found = [(*parse_options_header(item), quality) for item, quality in parse_accept_header(header)]
    return [
        _Range(
            name.lower(),
            {key.lower(): value for key, value in options.items() if key.lower() != "q"},
            quality,
        )
        for name, options, quality in found
    ]


def _offers(request_type: str, named: set[str]) -> list[str]:
    """Return the types that the answer can have, the preferred ones first."""
    offers = [request_type] if request_type in WRITTEN else []
    offers += (JSON, *JSON_LINES, CSV) if request_type in (JSON, NPY) else (*JSON_LINES, CSV, JSON)
    if {JSON, CSV} <= named:
        offers.insert(0, JSON)
    return [*offers, NPY] if NPY in named else offers


def _parameters_of(name: str, accepted: Sequence[_Range]) -> dict[str, str]:
    """Return the parameters of the most specific range that accepts a type."""
    for wanted in (name, f"{name.split('/')[0]}/*", "*/*"):
        found = next((each for each in accepted if each.name == wanted), None)
        if found is not None:
            return found.parameters
    return {}


def _wanted_of(parameters: Mapping[str, str], media_type: str) -> Wanted | None:
    """Return what parameters ask for; those of other servers are ignored, as HTTP has it."""
    for name in parameters.keys() - {*_PARAMETERS, "charset"}:
        if close := nearest(name, _PARAMETERS):
            raise _wrong(f"the parameter {shown(name)} is unknown", f"Did you mean {close}?")
    given = {name: _value_of(name, parameters[name]) for name in _PARAMETERS[:3] if name in parameters}
    try:
        wanted = wanted_of(given)
    except RequestError as error:
        remedy = "Accept, for example, application/json; top_k=3, or top_k=all."
        raise _wrong(error.cause.removesuffix("."), remedy) from error
    if wanted is not None and wanted.is_selection and media_type == NPY:
        raise _wrong(
            f"{NPY} has parameters that choose, but an array holds all probabilities", "Leave them out."
        )
    return wanted


def _value_of(name: str, text: str) -> Any:
    """Return a parameter's value as it would stand in JSON."""
    text = text.strip()
    if name == "top_k":
        return int(text) if text.isdecimal() and len(text) < 7 else None if text == "null" else text.lower()
    return {"true": True, "false": False}.get(text.lower(), text) if name == "return_all_scores" else text


def _has_header(parameters: Mapping[str, str], media_type: str, config: ServeConfig) -> bool:
    """Return whether a row of names is wanted.

    Raises:
        RequestError: 406 for a value that is wrong, for another form than CSV, or in batch transform.
    """
    header = parameters.get("header", "").strip().lower()
    if header not in ("", PRESENT, ABSENT) or (header and media_type != CSV):
        raise _wrong(
            f"the parameter header is for {CSV}, and either present or absent",
            f"Accept {CSV}; header=present, or leave the parameter out.",
        )
    if header == PRESENT and config.sagemaker_batch:
        raise _wrong(
            "header=present would put a row of names before the answers of every mini-batch of a batch transform",
            f"Accept {CSV}, and add the names to the joined file.",
        )
    return header == PRESENT


def _wrong(cause: str, remedy: str) -> RequestError:
    return RequestError(406, "not_acceptable", f"In the Accept header, {cause}.", remedy)
