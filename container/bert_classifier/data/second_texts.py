"""Names that clients use for one of several texts of a record.

Standard library only.
"""

import re

# Without separators; not names of data about a text (text_id).
_SECOND_TEXT = re.compile(
    r"((first|second|third|next|other|input|source|target|original)?"
    r"(text|sentence|input|sequence|premise|hypothesis|question|quer(y|ie)|answer|context|passage|paragraph|document|body"
    r"|abstract|content)s?(pairs?|[a-d]|[0-9]{1,2}|one|two|three)?)|pair"
)
_SEPARATOR = re.compile(r"[ _-]")


def without_separators(name: str) -> str:
    """Return a name in lower case, without blanks, "_" and "-"."""
    return _SEPARATOR.sub("", name).lower()


def is_second_text(name: str) -> bool:
    """Return whether a name is in use for one of several texts."""
    return _SECOND_TEXT.fullmatch(without_separators(name)) is not None
