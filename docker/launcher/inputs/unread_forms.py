"""Files that a batch transform cannot read whatever their names say: compressed, Parquet, workbooks, UTF-16."""

from collections.abc import Iterator
from pathlib import Path

from bert_classifier.data.forms import form_of
from bert_classifier.errors import UserError
from launcher.findings import Finding, fail
from launcher.inputs.texts_of_table import remedy_for_table

_HEAD = 65_536  # bytes
_GZIP = b"\x1f\x8b"


def form_findings(name: str, path: Path) -> Iterator[Finding]:
    """Find a file that holds no UTF-8: compressed, Parquet, a workbook and the like."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not (head.startswith(_GZIP) or b"\0" in head):
        return
    try:
        form = form_of(path, name)
    except UserError as error:
        yield fail("input", error.cause.removesuffix("."), error.remedy)
        return
    what = (
        "Parquet" if form.kind == "Parquet" else "compressed by gzip" if form.is_gzip else form.encoding_name
    )
    if what != "UTF-8":
        remedy = "Unpack it." if form.is_gzip else "Save it as UTF-8."
        yield fail(
            "input", f"{name} is {what}, which the server does not read", remedy_for_table(path) or remedy
        )
