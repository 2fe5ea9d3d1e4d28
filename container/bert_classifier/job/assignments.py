"""Settings written as `name=value name=value`, as in HP="seed=1 text_column='the text'"."""

import shlex
from collections import Counter

from bert_classifier.errors import UserError

_FORM = (
    'Write HP="name=value name=value" without blanks around =, and quote a value that has blanks or quotes:'
    """ HP='text_column="Review text"'."""
)


def parse_assignments(text: str) -> dict[str, str]:
    """Return the values by name.

    Raises:
        UserError: when a quote is not closed, a word is no assignment, or a name is given twice.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"HP={text} cannot be read: {error}.", _FORM) from error
    for word in words:
        if "=" not in word:
            raise UserError(f"HP: {word} is not name=value.", _FORM)
    pairs = [word.split("=", 1) for word in words]
    counts = Counter(name for name, _ in pairs)
    twice = next((name for name in counts if counts[name] > 1), None)
    if twice is not None:
        raise UserError(f"HP gives {twice} twice.", "Leave one of them out.")
    return dict(pairs)
