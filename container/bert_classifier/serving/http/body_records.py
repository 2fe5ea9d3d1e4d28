"""The records of a request: a text, or why there is none; and the lines of a body that has one in each.

Lines end at \\n or \\r\\n only. An invalid line, such as one that is not UTF-8, does not affect the others.
"""

import dataclasses
import difflib
import itertools
import re
from collections.abc import Iterator
from typing import Any

from bert_classifier.data.records import text_problem
from bert_classifier.data.second_texts import without_separators
from bert_classifier.data.text_fields import TextFields
from bert_classifier.errors import RequestError
from bert_classifier.job.settings import shown

ESCAPED_BYTE = re.compile("[\udc80-\udcff]")  # what surrogateescape makes of a byte that is not UTF-8

# Parameters, here or in similar servers.
_SETTINGS = frozenset({"topk", "returnallscores", "functiontoapply", "threshold"})
_OF_PARAMETERS = _SETTINGS | {"output", "truncation", "padding", "maxlength", "batchsize"}
_PARAMETERS_ALIKE = 0.7  # similarity of a name that may mean "parameters", as "params" does


@dataclasses.dataclass(frozen=True, slots=True)
class RecordError:
    """Why one record of a request has no prediction."""

    error: str
    code: str = "bad_record"


Record = str | RecordError


NO_FIELDS = TextFields()


def too_many_records(cause: str) -> RequestError:
    """Return the error of a request that holds too much for one."""
    return RequestError(413, "too_many_records", cause, "Split it into several.")


def second_text_error(cause: str) -> RequestError:
    """Return the error of a request that has several texts in a record for a model of single texts."""
    return RequestError(
        400, "second_text", cause, 'The model reads one text: send {"text": "…"} for each record.'
    )


def checked(value: Any) -> Record:
    """Return a value as a record: a text, or why it is none."""
    problem = text_problem(value)
    return value if problem is None else RecordError(problem)


def refuse_setting(name: str, value: Any) -> None:
    """Raise 400 for a setting of a whole request that stands in a record: ignoring it would surprise the caller.

    So it would to ignore an object of settings whose name is "parameters" misspelt. The right name has its own message.
    """
    if name != "parameters" and isinstance(value, dict) and _may_be_parameters(name, value):
        raise RequestError(
            400,
            "bad_parameters",
            f"A record has the unknown field {shown(name)}.",
            "Did you mean parameters?",
        )
    if without_separators(name) in _SETTINGS:
        raise RequestError(
            400,
            "bad_parameters",
            f"A record has {shown(name)}, which is a setting of a whole request.",
            f'Put it into "parameters" beside the text: {{"inputs": "a text", "parameters": {{{_example_of(name)}}}}}.',
        )


def _may_be_parameters(name: str, value: dict[str, Any]) -> bool:
    has_settings = any(without_separators(key) in _OF_PARAMETERS for key in itertools.islice(value, 20))
    return has_settings and bool(
        difflib.get_close_matches(name[:20].lower(), ["parameters"], 1, _PARAMETERS_ALIKE)
    )


def _example_of(name: str) -> str:
    return '"threshold": 0.5' if without_separators(name) == "threshold" else '"top_k": 3'


def is_no_text(value: Any) -> bool:
    """Return whether a value is a number, empty or blank, so not a text or a container of texts."""
    return isinstance(value, int | float) or not value or (isinstance(value, str) and not value.strip())


class Lines:
    """The lines of a text with their ends, split at \\n only; reading continues at `position`, which may be set.

    `start` is the begin of the line read last.
    """

    def __init__(self, body: bytes) -> None:
        self._text = body.decode("utf-8-sig", "surrogateescape")
        self.position = 0
        self.start = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.position == len(self._text):
            raise StopIteration
        self.start = self.position
        self.position = self._text.find("\n", self.start) + 1 or len(self._text)
        return self._text[self.start : self.position]


def without_end(line: str) -> str:
    """Return a line without the line end."""
    return line[:-2] if line.endswith("\r\n") else line.removesuffix("\n")


def text_record(text: str) -> Record:
    """Return the record that a text in a line or a cell stands for."""
    return RecordError("the text is not UTF-8") if ESCAPED_BYTE.search(text) else checked(text)
