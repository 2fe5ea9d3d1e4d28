"""What a local file of texts is: the reader of training data looks at it, and the server's own forms are known too."""

from pathlib import Path

from bert_classifier.data.columns import ColumnsError
from bert_classifier.data.forms import Form, form_of
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.records import parse_json
from bert_classifier.data.second_texts import is_second_text
from bert_classifier.data.table import Table
from bert_classifier.errors import UserError
from bert_classifier.job.data_names import ALL_FORMS, is_table, suffix_of
from launcher.inputs.csv_file import look_at_csv
from launcher.inputs.text_file import JSON, JSON_LINES, PLAIN, TextFile, has_columns, is_plain
from launcher.inputs.text_tables import open_texts

_HEAD = 65_536  # bytes
_REQUEST = ("inputs", "instances")
_GZIP = b"\x1f\x8b"


def look_at(path: Path, name: str, reading: ReaderSettings) -> TextFile:
    """Look at a file.

    Raises:
        UserError: when it cannot be understood, with the settings that mend it.
        PlatformError: when disk or permissions prevent reading it.
    """
    if not path.stat().st_size:
        raise UserError(f"{name} is empty.", "Leave the file out, or give it texts.")
    suffix = suffix_of(path.name)
    try:
        form = form_of(path, name, reading.encoding)
    except UserError:
        if suffix != ".json" or is_packed(path) or not _is_request(path):
            raise
        return _document(path, name)
    if not suffix:
        raise UserError(
            f"The media type of {path} is unknown.",
            f"Name it as what it is ({ALL_FORMS}), or give CONTENT_TYPE.",
        )
    if form.kind == "CSV" and suffix.startswith(".txt") and not is_table(path):
        return _as_lines(path, name, form, PLAIN)
    if form.kind == "CSV":
        found = look_at_csv(path, name, form, reading)
        is_text = found.is_alone and suffix.startswith(".txt")
        return _as_lines(path, name, form, PLAIN) if is_text else found
    return _look_at_fields(path, name, form, reading, suffix)


def is_packed(path: Path) -> bool:
    """Return whether a file is no plain text: compressed, Parquet, a workbook, or in UTF-16."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return head.startswith(_GZIP) or b"\0" in head


def _look_at_fields(path: Path, name: str, form: Form, reading: ReaderSettings, suffix: str) -> TextFile:
    """Look at records that name their fields; the server reads them itself where it can: it knows the model's names."""
    is_told = has_columns(reading) or suffix.startswith(".manifest")
    is_lines, is_array = (form.kind == kind and not is_told for kind in ("JSON Lines", "JSON array"))
    try:
        table = open_texts(path, reading, name)
    except UserError as error:
        if is_lines and suffix != ".json":
            return _as_lines(path, name, form, JSON_LINES)
        is_unclear = is_array and isinstance(error, ColumnsError)
        if suffix != ".json" or not is_plain(form) or not (is_unclear or _is_request(path)):
            raise
        return _document(path, name, error if is_unclear else None)
    is_read = not _has_second_text(table)
    if is_lines and is_read:
        return _as_lines(path, name, form, JSON_LINES)
    return TextFile(
        name, path, form, table, "", request_type=JSON if is_array and is_read and is_plain(form) else ""
    )


def _has_second_text(table: Table) -> bool:
    """Return whether records have a field that the server may take for one more text, which it refuses."""
    read = (table.roles.text, table.roles.pair)
    return any(is_second_text(name) for at, name in enumerate(table.names) if at not in read)


def _as_lines(path: Path, name: str, form: Form, media_type: str) -> TextFile:
    sent = media_type if is_plain(form) else ""
    return TextFile(name, path, form, None, sent, request_type=sent)


def _is_request(path: Path) -> bool:
    """Return whether a JSON document is a whole request to the server, or a list of texts."""
    try:
        value = parse_json(path.read_text(encoding="utf-8-sig"))
    except ValueError:
        return False
    if isinstance(value, dict):
        return any(name in value for name in _REQUEST)
    return isinstance(value, str) or (isinstance(value, list) and isinstance(next(iter(value), None), str))


def _document(path: Path, name: str, unclear: UserError | None = None) -> TextFile:
    """Return a JSON document as the server takes it, which training does not read."""
    return TextFile(name, path, None, None, JSON, request_type=JSON, unclear=unclear)
