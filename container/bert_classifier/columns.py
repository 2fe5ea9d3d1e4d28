"""What the columns of CSV and JSON Lines are called: one list for files that train and for what is classified.

Standard library only.
"""

from collections.abc import Sequence

LABEL_COLUMNS = ("label", "class_index", "class", "category", "target")
TEXT_COLUMNS = ("text", "abstract", "content", "sentence")
TITLE_COLUMN = "title"
COLUMNS = ("label", "text", TITLE_COLUMN)  # as `canonical` names them


def canonical(name: str) -> str:
    """Return what a column is called here: "label", "text", or its own name in lower case."""
    name = name.strip().lower().replace(" ", "_").replace("-", "_")
    return "label" if name in LABEL_COLUMNS else "text" if name in TEXT_COLUMNS else name


def is_header(cells: Sequence[str]) -> bool:
    """Say whether a first row names columns: both needed ones, or one among words that could be names."""
    names = [canonical(cell) for cell in cells]
    known = {*names} & {*COLUMNS}
    return {"label", "text"} <= known or (bool(known) and all(name.isidentifier() for name in names))
