"""Which form a data file has, by its first bytes rather than by its name, and its lines as text.

Standard library only.
"""

import codecs
import contextlib
import dataclasses
import functools
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from bert_classifier.errors import UserError, cannot_read
from bert_classifier.job.data_names import COMPRESSED

Kind = Literal["CSV", "JSON Lines", "JSON array", "Parquet", "fastText"]
_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json", ".manifest")
_HEAD = 65_536  # bytes
_GZIP = b"\x1f\x8b"
_TAR = slice(257, 262), b"ustar"
# Escapes of ISO-2022-JP that begin Japanese; the one back to ASCII, ESC ( B, is also a terminal's.
_JAPANESE = (b"\x1b$B", b"\x1b$@", b"\x1b(J")
# The longer mark first: UTF-32's begins like UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_FOREIGN = (
    (b"PK\x03\x04", "an Excel workbook or another ZIP archive", "Save the table as CSV UTF-8, or unpack the archive."),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Save the table as CSV UTF-8."),
    (b"BZh", "compressed by bzip2", "Unpack it, or compress it with gzip."),
    (b"\xfd7zXZ", "compressed by xz", "Unpack it, or compress it with gzip."),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "Unpack it, or compress it with gzip."),
    (b"7z\xbc\xaf", "a 7-Zip archive", "Unpack it."),
    (b"SQLite format 3", "an SQLite database", "Export the table as CSV."),
    (b"%PDF", "a PDF document", "Give a table of labels and texts, such as CSV."),
    (b"\x80\x03", "a Python pickle", "Write it with to_csv or to_parquet."),
    (b"\x80\x04", "a Python pickle", "Write it with to_csv or to_parquet."),
    (b"\x80\x05", "a Python pickle", "Write it with to_csv or to_parquet."),
    (b"ARROW1", "an Arrow or Feather file", "Write it as Parquet."),
    (b"ORC", "an ORC file", "Write it as Parquet."),
    (b"Obj\x01", "an Avro file", "Write it as Parquet or JSON Lines."),
    (b"\x89HDF", "an HDF5 file", "Write it as Parquet or CSV."),
    (b"\x93NUMPY", "a NumPy array", "Write it as Parquet or CSV."),
    (b"<!DOCTYPE", "an HTML or XML page, perhaps of a failed download", "Download the data itself."),
    (b"<html", "an HTML page, perhaps of a failed download", "Download the data itself."),
    (b"<?xml", "an XML document", "Write it as CSV or JSON Lines."),
    (b"<Error>", "an error in XML instead of the data", "Download the data again."),
    (b"<table", "a table in HTML", "Write it as CSV or JSON Lines."),
    (b"@relation", "an ARFF file (Weka)", "Write it as CSV."),
    (b"version https://git-lfs", "a pointer of Git LFS, not the data", "Fetch the data with: git lfs pull."),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Form:
    """How a file is written.

    Attributes:
        encoding: Python's name of it; empty for Parquet.
        encoding_name: as messages name it.
        notes: what the file's name does not say.
    """

    kind: Kind
    is_gzip: bool = False
    encoding: str = "utf-8"
    encoding_name: str = "UTF-8"
    notes: tuple[str, ...] = ()


def form_of(path: Path, name: str, encoding: str = "") -> Form:
    """Return the form of a file.

    Args:
        name: of the file in messages.
        encoding: the setting; a byte order mark in the file takes precedence.
    Raises:
        UserError: when the file is of a form that is not read, or empty.
        PlatformError: when disk or permissions prevent reading it.
    """
    with reading(path, name), path.open("rb") as raw:
        is_gzip = raw.read(2) == _GZIP
        raw.seek(0)
        head = (gzip.GzipFile(fileobj=raw) if is_gzip else raw).read(_HEAD)
    _refuse_foreign(head, name)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] in COMPRESSED
    suffix = (suffixes[-2:-1] if packed else suffixes[-1:] or [""])[0] if suffixes[packed:] else ""
    notes = (
        [f"it is {'' if is_gzip else 'not '}gzip, although its name says otherwise"]
        if is_gzip != packed
        else []
    )
    if head.startswith((b"PAR1", b"PARE")):
        return Form("Parquet", is_gzip, "", "", _form_note("Parquet", suffix, notes))
    codec, spoken = _encoding_of(head, encoding, name)
    try:
        text = codecs.getincrementaldecoder(codec)("replace").decode(head)
    except UnicodeError as error:  # UTF-16 without a mark, if that is what encoding names
        raise UserError(f"{name} is not {spoken}: {error}.", "Set encoding to the file's own.") from error
    kind = _kind_of(text, suffix, name)
    return Form(kind, is_gzip, codec, spoken, _form_note(kind, suffix, notes))


def _form_note(kind: Kind, suffix: str, notes: list[str]) -> tuple[str, ...]:
    usual = {
        "CSV": (".csv", ".tsv", ".txt", ".tab", ""),
        "JSON Lines": _JSON_SUFFIXES,
        "JSON array": (".json",),
        "Parquet": (".parquet",),
        "fastText": (".txt", ""),
    }
    if suffix in usual[kind]:
        return tuple(notes)
    article = "a " if kind == "JSON array" else ""
    return (*notes, f"it is {article}{kind}, although its name ends in {suffix}")


def _refuse_foreign(head: bytes, name: str) -> None:
    if head.startswith(_GZIP):
        raise UserError(f"{name} is gzip within gzip.", "Unpack it once.")
    position, magic = _TAR
    if head[position] == magic:
        raise UserError(f"{name} is a tar archive.", "Unpack it, and give the files in it.")
    begin = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    for magic, what, remedy in _FOREIGN:
        if head.startswith(magic) or (
            magic.startswith((b"<", b"@")) and begin[: len(magic)].lower() == magic.lower()
        ):
            raise UserError(f"{name} is {what}.", remedy)


def _encoding_of(head: bytes, told: str, name: str) -> tuple[str, str]:
    """Return Python's name of the encoding, and its name in messages."""
    for mark, codec, spoken in _MARKS:
        if head.startswith(mark):
            return codec, f"{spoken} with byte order mark"
    if told:
        return told, told
    if any(escape in head for escape in _JAPANESE):
        raise UserError(
            f"{name} is not UTF-8: its escape characters are those of ISO-2022-JP (Japanese).",
            "Set encoding=iso2022_jp, or save the file as UTF-8.",
        )
    order = _utf16_order(head[:4096])
    if order:
        raise UserError(
            f"{name} is not UTF-8: its zero bytes look like UTF-16 without a byte order mark.",
            f"Set encoding=utf-16-{order}, or save the file as UTF-8.",
        )
    return "utf-8", "UTF-8"


def _utf16_order(sample: bytes) -> str:
    """Return "le" or "be" where zero bytes stand at every other place, as in UTF-16, or else ""."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    most, least = max(even, odd), min(even, odd)
    if most <= len(sample) // 4 or least > most // 50:
        return ""  # zeros at both: they pad cells or the file
    return "le" if odd > even else "be"


def _kind_of(text: str, suffix: str, name: str) -> Kind:
    begin = text.lstrip("\ufeff \t\r\n")
    first = begin.split("\n", 1)[0].rstrip()
    if begin[:1] == "[" and (suffix in _JSON_SUFFIXES or begin[1:].lstrip()[:1] in ("{", "[")):
        return "JSON array"
    if begin.startswith("__label__"):
        return "fastText"
    if begin.startswith("{"):
        if suffix in _JSON_SUFFIXES and not first.endswith("}") and '"' not in first:
            raise UserError(
                f"{name} is one JSON object over several lines, not one object per text.",
                'Write one object per line, {"label": …, "text": …}, with pandas: '
                'to_json(orient="records", lines=True).',
            )
        if suffix in _JSON_SUFFIXES or begin.startswith('{"'):
            return "JSON Lines"
    if suffix in _JSON_SUFFIXES:
        return "JSON Lines"
    if suffix == ".parquet" and begin:
        raise UserError(f"{name} is not Parquet: it does not begin with PAR1.", "Write the file again.")
    return "CSV"


@contextlib.contextmanager
def reading(path: Path, name: str) -> Iterator[None]:
    """Turn what fails while a file is read into a sentence."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{name} is gzip, but damaged or cut off: {error}.", "Copy it again.") from error
    except OSError as error:
        raise cannot_read(path, error, "Check the file.") from error


def open_binary(path: Path, form: Form) -> BinaryIO:
    """Open a file for reading its unpacked bytes."""
    return gzip.open(path, "rb") if form.is_gzip else path.open("rb")  # type: ignore[return-value]


def read_form_lines(path: Path, name: str, form: Form) -> Iterator[str]:
    """Yield the lines with their ends, split at \\n, \\r\\n or \\r; a byte order mark is dropped.

    Raises:
        UserError: for a byte that is not of the encoding, with its line, or a damaged gzip.
        PlatformError: when disk or permissions prevent reading it.
    """
    with _text_of(path, name, form) as file:
        yield from file


def read_form_chunks(path: Path, name: str, form: Form, chars: int) -> Iterator[str]:
    """Yield the text in parts of so many characters, however long its lines are; raises as read_form_lines."""
    with _text_of(path, name, form) as file:
        yield from iter(functools.partial(file.read, chars), "")


@contextlib.contextmanager
def _text_of(path: Path, name: str, form: Form) -> Iterator[io.TextIOWrapper]:
    try:
        with (
            reading(path, name),
            open_binary(path, form) as raw,
            io.TextIOWrapper(raw, encoding=form.encoding, newline="") as file,
        ):
            yield file
    except UnicodeError as error:
        raise _encoding_error(path, name, form) from error


def _encoding_error(path: Path, name: str, form: Form) -> UserError:
    line = 1
    decoder = codecs.getincrementaldecoder(form.encoding)()
    with open_binary(path, form) as raw:
        for chunk in raw:
            try:
                line += decoder.decode(chunk).count("\n")
            except UnicodeError:
                break
    if form.encoding != "utf-8":
        return UserError(
            f"{name} is not {form.encoding_name} in line {line}.",
            "Set encoding to the file's own, or save it as UTF-8.",
        )
    return UserError(
        f"{name} is not UTF-8 in line {line}.",
        "Save it as UTF-8, or set encoding to the file's own: encoding=cp1252 (Western Windows), cp1251 (Cyrillic) "
        "or shift_jis (Japanese).",
    )
