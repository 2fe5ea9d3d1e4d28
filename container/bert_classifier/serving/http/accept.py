"""The answer that an Accept header asks for: its media type, and what it holds."""

import dataclasses
import functools
import re
from collections.abc import Sequence
from typing import NamedTuple

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_options_header

from bert_classifier.errors import RequestError, UserError
from bert_classifier.job.answer_form import CSV, JSON, JSON_LINES, NPY, WRITTEN
from bert_classifier.job.serve_config import ANSWER_FIELDS, ServeConfig
from bert_classifier.job.settings import shown
from bert_classifier.serving.http.accept_parameters import has_header, refuse_empty, wanted_by, wrong_accept
from bert_classifier.serving.http.parameters import Wanted

_NAMED = f"{JSON}, {JSON_LINES[0]}, {CSV} or {NPY}"
# Java's URLConnection sends a lone * and weights such as q=.2, which werkzeug drops.
_LONE_STAR = re.compile(r"(^|,)\s*\*\s*(?=[;,]|$)")
_BARE_WEIGHT = re.compile(r"(;\s*q\s*=\s*)(\.\d)", re.IGNORECASE)
# A comma outside quotes begins the next media type, so that all fields but the first would be lost.
_UNQUOTED_FIELDS = re.compile(rf";\s*output\s*=\s*\w+[\s,]+({'|'.join(ANSWER_FIELDS)})\b", re.IGNORECASE)

_DECIMAL_COMMA = re.compile(r";\s*threshold\s*=\s*\d+,\d", re.IGNORECASE)  # 0,9 would be a threshold of 0


@dataclasses.dataclass(frozen=True, slots=True)
class AnswerType:
    """What the answer is to be.

    Attributes:
        name: one of WRITTEN.
        wanted: what the header asks for; None if it leaves that open.
        has_header: whether CSV begins with a row of names.
        is_setting: whether SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT asks for it, and not the header.
    """

    name: str
    wanted: Wanted | None = None
    has_header: bool = False
    is_setting: bool = False


class _Range(NamedTuple):
    """A media range of an Accept header, with its parameters but the weight."""

    name: str
    parameters: dict[str, str]
    quality: float


@functools.lru_cache(256)  # a client sends the same header each time
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
    ranges, asked, is_setting = _ranges_of(accept or "*/*"), {}, False
    default = config.sagemaker_default_invocations_accept
    if default and len(ranges) == 1 and ranges[0].name == "*/*" and ranges[0].quality:
        asked, ranges = ranges[0].parameters, _ranges_of(default)
        is_setting = not asked
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
    return AnswerType(
        best,
        wanted_by(parameters, best),
        has_header(parameters, best, is_batch=config.sagemaker_batch),
        is_setting,
    )


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
    refuse_empty(header)
    if _UNQUOTED_FIELDS.search(header):
        example = f'Accept {CSV}; output="{",".join(ANSWER_FIELDS[:2])}".'
        raise wrong_accept("output lists several fields without quotes", example)
    if _DECIMAL_COMMA.search(header):
        raise wrong_accept("threshold has a decimal comma", f"Accept {JSON}; threshold=0.5.")
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
