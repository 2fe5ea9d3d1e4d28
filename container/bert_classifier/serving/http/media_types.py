"""Media types: parse Content-Type, and negotiate the response's type from Accept."""

import codecs
import dataclasses
import re
from collections.abc import Mapping

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_options_header

from bert_classifier.errors import RequestError
from bert_classifier.job.config import ANSWER_FIELDS
from bert_classifier.job.settings import shown

JSON = "application/json"
JSON_LINES = (
    "application/jsonlines", "application/jsonl", "application/x-jsonlines", "application/x-jsonl",
    "application/json-lines", "application/x-json-lines", "application/ndjson", "application/x-ndjson",
)  # fmt: skip
CSV = "text/csv"
PLAIN = "text/plain"
NPY = "application/x-npy"
READ = (JSON, *JSON_LINES, CSV, PLAIN, NPY)
WRITTEN = (JSON, *JSON_LINES, CSV, NPY)
_NAMED = f"{JSON}, {JSON_LINES[0]}, {CSV}"  # those that a message lists
_SEND = f"Send the header Content-Type: {JSON}, or {JSON_LINES[0]}, {CSV}, {PLAIN} or {NPY}, whichever the body is."

PRESENT, ABSENT = "present", "absent"  # values of RFC 4180's parameter `header`
_UTF_8 = frozenset({"utf-8", "ascii"})
_OTHER_CHARSETS = re.compile(  # Python knows more, some of which take quadratic time
    r"iso8859-\d+|cp12\d\d|cp(437|850|852|866|932|949|950)|koi8-[ru]|utf-(16|32)(-[lb]e)?|gbk|gb18030|gb2312|big5"
    r"|shift_jis|euc_(jp|kr)|mac-roman"
)
# Java's URLConnection sends a lone * and weights such as q=.2, which werkzeug drops.
_LONE_STAR = re.compile(r"(^|,)\s*\*\s*(?=[;,]|$)")
# A comma outside quotes begins the next media type, so that all fields but the first would be lost.
_UNQUOTED_FIELDS = re.compile(rf";\s*output\s*=\s*\w+[\s,]+({'|'.join(ANSWER_FIELDS)})\b", re.IGNORECASE)
_BARE_WEIGHT = re.compile(r"(;\s*q\s*=\s*)(\.\d)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True)
class RequestType:
    """What a Content-Type header says.

    Attributes:
        name: one of READ.
        charset: of the body, as Python calls it, if it is not UTF-8; else "".
        header: PRESENT or ABSENT: whether CSV has a header row; "" if it does not say.
    """

    name: str
    charset: str = ""
    header: str = ""

    def decoded(self, body: bytes) -> bytes:
        """Return the body in UTF-8.

        Raises:
            RequestError: 400 when the body is not in the charset.
        """
        if not self.charset:
            return body
        try:
            return body.decode(self.charset).encode()
        except UnicodeError as error:
            raise RequestError(
                400, "bad_encoding", f"The body is not in the charset {self.charset}.", "Send UTF-8."
            ) from error


@dataclasses.dataclass(frozen=True, slots=True)
class AnswerType:
    """What the answer is to be: a media type of WRITTEN, and the parameters of the range that accepted it."""

    name: str
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def has_header(self) -> bool:
        """Whether CSV begins with a row of names."""
        return self.parameters.get("header") == PRESENT


def of_content_type(header: str | None) -> RequestType:
    """Return what a Content-Type header says.

    Raises:
        RequestError: 415 for a type that is not in READ, an unknown charset, or no header.
    """
    media_type, parameters = parse_options_header(header)
    media_type = media_type.lower()
    if not media_type:
        raise _unsupported("The request has no Content-Type header.")
    if media_type not in READ:
        raise _unsupported(f"The Content-Type {shown(media_type)} is not supported.")
    charset = _charset_of(parameters.get("charset", ""))
    value = parameters.get("header", "").strip().lower()
    if value not in ("", PRESENT, ABSENT):
        raise _unsupported(
            "The header parameter of the Content-Type is neither present nor absent.",
            "Send text/csv; header=absent, text/csv; header=present, or text/csv.",
        )
    return RequestType(media_type, charset, value)


def _charset_of(given: str) -> str:
    if not given.strip():
        return ""
    try:
        name = codecs.lookup(given.strip()).name
    except (LookupError, ValueError):
        name = ""
    if name in _UTF_8 or _OTHER_CHARSETS.fullmatch(name):
        return "" if name in _UTF_8 else name
    raise RequestError(
        415,
        "unsupported_charset",
        f"The charset {shown(given)} of the Content-Type is not supported.",
        "Send UTF-8.",
    )


def _unsupported(cause: str, remedy: str = _SEND) -> RequestError:
    return RequestError(415, "unsupported_media_type", cause, remedy)


def of_answer(accept: str | None, request_type: str, default: str = "") -> AnswerType:
    """Return the type of the response.

    The client's q-values decide. Among equals, prefer the request's type, then one with a record per line if the
    request had that. But a client that accepts both JSON and CSV by name gets JSON: pandas, for example, would take
    the first line of CSV without a header for a header. NumPy's form is written only where it is named, or came in.

    Args:
        accept: the Accept header, if there is one.
        request_type: the media type of the request.
        default: an Accept header for requests that have none, or one that accepts anything.
    Raises:
        RequestError: 406 when the header allows none of WRITTEN, or has a wrong parameter.
    """
    header = _normalised(accept or "*/*")
    if default and header.split(";")[0].strip() == "*/*" and "," not in header:
        header = _normalised(default)
    if _UNQUOTED_FIELDS.search(header):
        raise _not_acceptable(
            "In the Accept header, output lists several fields without quotes.",
            'Accept text/csv; output="predicted_label,probabilities".',
        )
    items = [(parse_options_header(item), quality) for item, quality in parse_accept_header(header)]
    accepted = [(media_range.lower(), quality) for (media_range, _parameters), quality in items]
    ranges = MIMEAccept(accepted)
    best = max(_offers(request_type, {name for name, _quality in accepted}), key=ranges.quality)  # the first
    quality = ranges.quality(best)
    if not quality:
        raise _not_acceptable(
            "The Accept header allows none of the formats that the answer can have.", f"Accept {_NAMED}."
        )
    return AnswerType(best, _parameters_of(best, [options for options, _quality in items]))


def _not_acceptable(cause: str, remedy: str) -> RequestError:
    return RequestError(406, "not_acceptable", cause, remedy)


def _normalised(accept: str) -> str:
    return _BARE_WEIGHT.sub(r"\g<1>0\2", _LONE_STAR.sub(r"\1*/*", accept))


def _offers(request_type: str, named: set[str]) -> list[str]:
    """Return the types that the answer can have, the preferred ones first."""
    offers = [request_type] if request_type in WRITTEN else []
    offers += (JSON, *JSON_LINES, CSV) if request_type in (JSON, NPY) else (*JSON_LINES, CSV, JSON)
    if {JSON, CSV} <= named:
        offers.insert(0, JSON)
    return [*offers, NPY] if NPY in named else offers


def _parameters_of(name: str, accepted: list[tuple[str, dict[str, str]]]) -> dict[str, str]:
    """Return the parameters of the most specific range that accepts a type.

    Raises:
        RequestError: 406 for a `header` that is wrong, or asked of another form than CSV.
    """
    ranges = (name, f"{name.split('/')[0]}/*", "*/*")
    found = [
        options for wanted in ranges for media_range, options in accepted if media_range.lower() == wanted
    ]
    parameters = {key.lower(): value for key, value in (found[0] if found else {}).items()}
    header = parameters["header"] = parameters.get("header", "").strip().lower()
    if header not in ("", PRESENT, ABSENT) or (header and name != CSV):
        raise _not_acceptable(
            "In the Accept header, the parameter header is for text/csv, and either present or absent.",
            "Accept text/csv; header=present, or leave the parameter out.",
        )
    return parameters
