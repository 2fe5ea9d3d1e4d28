"""Read Parquet files row by row, in memory that does not grow with the file.

Standard library only, until a Parquet file is opened: then DuckDB is imported.
"""

import contextlib
import glob
import gzip
import json
import os
import re
import shutil
import tempfile
import weakref
import zlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from bert_classifier.data.duckdb_reader import open_reader
from bert_classifier.errors import PlatformError, UserError, cannot_read, remedy_for

MAGIC = b"PAR1"
_ENCRYPTED_MAGIC = b"PARE"
_GZIP_MAGIC = b"\x1f\x8b"
_SMALLEST = 12  # bytes: the magic at both ends and the footer's length
_JSON_TYPES = re.compile(r'VARCHAR|BOOLEAN|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|"?NULL"?')


class ParquetFile:
    """A Parquet file whose footer has been read.

    Attributes:
        columns: names of the columns as in the file, which may name one twice.
        num_rows: number of rows.
        class_names: for columns that Hugging Face's `datasets` wrote as ClassLabel, or as lists of them, the class
            names by number; there, the number -1 is a missing label.
    """

    columns: list[str]
    num_rows: int
    class_names: dict[str, list[str]]

    def __init__(self, name: str, source: Path, unpacked: IO[bytes] | None = None) -> None:
        """Read the footer.

        Args:
            name: of the file, in messages.
            source: the file to read.
            unpacked: the same, if it is a temporary file that shall live as long as this object.
        Raises:
            UserError: when it cannot be read, or DuckDB is not installed.
        """
        self._name = name
        if unpacked:
            weakref.finalize(self, unpacked.close)
        self._source = [glob.escape(str(source.absolute()))]  # DuckDB takes patterns
        with open_reader(name) as reader:
            described = reader.ask(f"DESCRIBE {_select('*')}", self._source)
            schema = reader.ask("SELECT name, num_children FROM parquet_schema(?)", self._source)
            counts = reader.ask(_select("count(*)"), self._source)
            metadata = reader.ask(
                "SELECT value FROM parquet_kv_metadata(?) WHERE key = 'huggingface'::BLOB", self._source
            )
        self.columns = _top_level(schema)
        self.num_rows = counts[0][0]
        self.class_names = _class_names(metadata[0][0]) if metadata else {}
        self._names = [name for name, *_ in described]  # as DuckDB calls them: each once
        self._is_json = [bool(_JSON_TYPES.fullmatch(kind)) for _, kind, *_ in described]

    def rows(self, positions: Sequence[int] | None = None) -> Iterator[tuple[Any, ...]]:
        """Yield the rows in order, as str, int, float, bool, None, list and dict.

        Dates and times become ISO 8601, whole decimals int and other decimals float; a binary value becomes the text
        that it is in UTF-8, with lone surrogates where it is none.

        Args:
            positions: columns to read, from 0, in the order of the tuples; None for all. The others are not decoded.
        Raises:
            UserError: where the file is damaged.
        """
        chosen = list(range(len(self.columns)) if positions is None else positions)
        named = ", ".join('"' + self._names[index].replace('"', '""') + '"' for index in chosen)
        others = [place for place, index in enumerate(chosen) if not self._is_json[index]]
        with open_reader(self._name) as reader:
            for batch in reader.stream(_select(named), self._source):
                yield from (_with_json_values(row, others) for row in batch) if others else batch


def _select(columns: str) -> str:
    return f"SELECT {columns} FROM read_parquet(?, hive_partitioning = false)"  # noqa: S608 - quoted names


def open_parquet(path: Path, name: str = "") -> ParquetFile:
    """Open a Parquet file, which may be compressed with gzip as a whole.

    Args:
        name: of the file, in messages; its path by default.
    Raises:
        UserError: when it is not Parquet, is cut off, encrypted or damaged, or when DuckDB is not installed.
        PlatformError: when disk or permissions prevent reading it, or unpacking it into a temporary file.
    """
    name = name or str(path)
    try:
        with path.open("rb") as file:
            packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            if not packed:
                _check_ends(name, file)
    except OSError as error:
        raise cannot_read(name, error, "Check the file.") from error
    if not packed:
        return ParquetFile(name, path)
    unpacked = _unpack(path, name)
    try:
        _check_ends(name, unpacked)
        return ParquetFile(name, Path(unpacked.name), unpacked)
    except BaseException:
        unpacked.close()
        raise


def _unpack(path: Path, name: str) -> IO[bytes]:
    """Return a temporary file, gone when closed, with what a gzip file holds: Parquet is read from its end."""
    try:
        with contextlib.ExitStack() as stack:
            unpacked = stack.enter_context(tempfile.NamedTemporaryFile(suffix=".parquet"))
            shutil.copyfileobj(stack.enter_context(gzip.open(path)), unpacked, 1 << 20)
            unpacked.flush()
            stack.pop_all()
            return unpacked
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{name} is gzip, but damaged or cut off.", "Compress or copy it again.") from error
    except OSError as error:
        raise PlatformError(f"Cannot unpack {name}: {error.strerror}.", remedy_for(error)) from error


def _check_ends(name: str, file: IO[bytes]) -> None:
    """Refuse what is no whole Parquet file, judging by its first and last four bytes."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(len(MAGIC))
    file.seek(max(0, size - len(MAGIC)))
    tail = file.read()
    if _ENCRYPTED_MAGIC in (head, tail):
        raise UserError(f"{name} is encrypted Parquet.", "Write it without encryption.")
    if head != MAGIC:
        raise UserError(f"{name} is not Parquet: it does not begin with PAR1.", "Name it as what it is.")
    if tail != MAGIC or size < _SMALLEST:
        raise UserError(f"{name} is Parquet, but its end is missing.", "Copy or download it again.")


def _top_level(schema: Sequence[tuple[Any, ...]]) -> list[str]:
    """Return the names of the columns from a schema: (name, children) of all nodes, depth first from the root."""
    names = []
    below: list[int] = []  # of the nodes that we are inside, how many children are still to come
    for name, children in schema:
        if len(below) == 1:
            names.append(name)
        if below:
            below[-1] -= 1
        below.append(children or 0)
        while below and not below[-1]:
            below.pop()
    return names


def _class_names(metadata: bytes) -> dict[str, list[str]]:
    """Return the names of each ClassLabel column from the metadata of Hugging Face's `datasets`."""
    try:
        features = json.loads(metadata)["info"]["features"].items()
        labels = {name: _label_feature(feature) for name, feature in features}
        return {name: [str(one) for one in feature["names"]] for name, feature in labels.items() if feature}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}  # a hint only: the labels are then numbers


def _label_feature(feature: object) -> dict[str, Any] | None:
    """Return the description of a column's classes, also where it holds lists of them; None for any other column."""
    if isinstance(feature, list) and len(feature) == 1:  # as older versions write a list
        feature = feature[0]
    elif isinstance(feature, dict) and feature.get("_type") in ("Sequence", "List", "LargeList"):
        feature = feature.get("feature")
    return feature if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" else None


def _with_json_values(row: tuple[Any, ...], places: Sequence[int]) -> tuple[Any, ...]:
    values = list(row)
    for place in places:
        values[place] = _json_value(values[place])
    return tuple(values)


def _json_value(value: Any) -> Any:
    """Return a value in the types of JSON."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {str(name): _json_value(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(one) for one in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
