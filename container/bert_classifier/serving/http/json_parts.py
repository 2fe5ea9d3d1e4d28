"""How many parts a JSON text has, counted before it is parsed."""

import itertools
import re

_STRING_OR_PART = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{,]', re.DOTALL)


def has_more_parts(text: str, limit: int) -> bool:
    """Return whether a JSON text holds more lists, objects and commas than `limit` outside strings.

    Checked before parsing, since a few megabytes of them become a gigabyte and block all threads for seconds.
    """
    if sum(map(text.count, "{[,")) <= limit:
        return False
    parts = (match for match in _STRING_OR_PART.finditer(text) if match[0][0] != '"')
    return next(itertools.islice(parts, limit, None), None) is not None
