"""Whether the first row of CSV is no text, where texts alone are expected: the server and the launcher's checks agree.

Standard library only.
"""

from collections.abc import Collection, Sequence

from bert_classifier.data.csv_looks import is_likely_header
from bert_classifier.data.dialect import told_in

MOST_COLUMNS = 1000  # of a header
_LONGEST_HEADER = 100_000  # characters


def may_be_header(cells: Sequence[str], own: Collection[str]) -> bool:
    """Return whether a first row that is not announced looks like a header; endless ones do not.

    Args:
        own: as for is_likely_header.
    """
    if len(cells) > MOST_COLUMNS or sum(map(len, cells)) > _LONGEST_HEADER:
        return False
    return is_likely_header(cells, own)


def is_no_text(cells: Sequence[str], own: Collection[str]) -> bool:
    """Return whether the first row of a part of a file is a header, or Excel's `sep=;`."""
    return may_be_header(cells, own) or bool(told_in(",".join(cells)))
