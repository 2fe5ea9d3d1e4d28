"""Column names in CSV and JSON Lines, and how to tell what a first row is.

Standard library only.
"""

from collections.abc import Sequence

LABEL_COLUMNS = ("label", "class_index", "class", "category", "target")
TEXT_COLUMNS = ("text", "abstract", "content", "sentence")
TITLE_COLUMN = "title"
COLUMNS = ("label", "text", TITLE_COLUMN)  # as `canonical` names them
_OTHER_SEPARATORS = {"tabs": "\t", "';'": ";", "'|'": "|"}


def canonical(name: str) -> str:
    """Return "label" or "text" for their known names, or else the name in lower case."""
    name = name.strip().lower().replace(" ", "_").replace("-", "_")
    return "label" if name in LABEL_COLUMNS else "text" if name in TEXT_COLUMNS else name


def is_header(cells: Sequence[str]) -> bool:
    """Return whether a first row is a header: it has label and text, or a known column among identifiers."""
    names = [canonical(cell) for cell in cells]
    known = {*names} & {*COLUMNS}
    return {"label", "text"} <= known or (bool(known) and all(name.isidentifier() for name in names))


def other_form(cells: Sequence[str]) -> tuple[str, str] | None:
    """Return what a first row seems to be instead of comma-separated values, and the remedy; None if it may be CSV."""
    row = ",".join(cells).strip()
    if row in ("{", "[") or row.startswith(('{"', "[{", '["', "[[")):
        return (
            "it seems to be JSON, not CSV",
            'Write one object per line, {"label": …, "text": …}, into a file named .jsonl.',
        )
    if row.startswith("__label__"):
        return (
            "it seems to be fastText's form, not CSV",
            "Write label,text with a comma and without __label__, and a text with commas in quotes.",
        )
    separator = _other_separator(cells, row)
    if separator:
        return (
            f"the cells seem to be separated by {separator}, not by commas",
            "Save the file as CSV with commas, and texts with commas in quotes.",
        )
    return None


def _other_separator(cells: Sequence[str], row: str) -> str:
    if is_header(cells):
        return ""
    for name, character in _OTHER_SEPARATORS.items():
        if is_header(row.split(character)) or (len(cells) == 1 and character in row):
            return name
    return "tabs" if "\t" in cells[0] else ""
