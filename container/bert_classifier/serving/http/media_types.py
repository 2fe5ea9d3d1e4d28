"""Media types: those that are read and written, and what a Content-Type header says."""

import codecs
import dataclasses
import encodings
import functools
from encodings.aliases import aliases

from werkzeug.http import parse_options_header

from bert_classifier.errors import RequestError
from bert_classifier.job.answer_form import ABSENT, CSV, JSON, JSON_LINES, NPY, PLAIN, PRESENT, READ
from bert_classifier.job.settings import shown

_SEND = f"Send the header Content-Type: {JSON}, or {JSON_LINES[0]}, {CSV}, {PLAIN} or {NPY}, whichever the body is."

_UTF_8 = frozenset({"utf_8", "utf_8_sig", "ascii"})
# Python has more codecs, some of which take quadratic time; and it remembers each name that it is asked to look up.
_OTHER_CHARSETS = frozenset(
    {
        *("latin_1", *(f"iso8859_{part}" for part in (*range(2, 12), *range(13, 17)))),
        *(
            "cp437",
            "cp850",
            "cp852",
            "cp866",
            "cp932",
            "cp949",
            "cp950",
            *(f"cp125{page}" for page in range(9)),
        ),
        *(
            "utf_16",
            "utf_16_le",
            "utf_16_be",
            "utf_32",
            "utf_32_le",
            "utf_32_be",
            "koi8_r",
            "koi8_u",
            "mac_roman",
        ),
        *("gbk", "gb18030", "gb2312", "big5", "shift_jis", "euc_jp", "euc_kr"),
    }
)


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


@functools.lru_cache(256)  # a client sends the same header each time
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
    name = encodings.normalize_encoding(given.strip().lower())
    name = aliases.get(name, name)
    if not name or name in _UTF_8:
        return ""
    if name in _OTHER_CHARSETS:
        return codecs.lookup(name).name
    raise RequestError(
        415,
        "unsupported_charset",
        f"The charset {shown(given)} of the Content-Type is not supported.",
        "Send UTF-8.",
    )


def _unsupported(cause: str, remedy: str = _SEND) -> RequestError:
    return RequestError(415, "unsupported_media_type", cause, remedy)
