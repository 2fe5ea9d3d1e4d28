"""What the data of a job will take, told from their first megabytes and the sizes of the files.

Standard library only, so that a job that cannot fit is stopped before torch is loaded and a whole file is read.
"""

import dataclasses
import logging
import math
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from bert_classifier.data.job_files import data_files, read_class_list, reads_tables
from bert_classifier.data.parquet import open_parquet
from bert_classifier.data.reader_settings import DataFiles
from bert_classifier.data.records import RowError
from bert_classifier.data.table import Row, open_table
from bert_classifier.errors import ContainerError, PlatformError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.job.file_positions import file_positions
from bert_classifier.job.memory_limit import memory_limit

logger = logging.getLogger(__name__)

_LOOKED_AT = 4_000_000  # bytes of a file, packed if it is
_MOST_ROWS = 50_000  # looked at
_ROWS_AT_ONCE = 1000
_MOST_PACKED = 12  # texts unpacked to so many times their size; gzip packs them to a third or a quarter
_CHARS_PER_TOKEN = 8  # no language has so many; English has 4 to 5
_BYTES_PER_TOKEN = 4
_BYTES_PER_ROW = 100  # of memory at least; 176 at the peak (tests/benchmarks/memory_per_row.py)
_BYTES_IN_ANY_CASE = 320_000_000  # of memory: the program and its libraries; 304 MB at the peak with 60 rows
_SURELY = 0.7  # of what is forecast: the first rows may not be like the others
_PLACES, _PIECE = 256, 8192  # of a file, and bytes at each, where lines are counted


@dataclasses.dataclass(frozen=True)
class Forecast:
    """What data will take, about.

    Attributes:
        rows: with a label and a text.
        disk: bytes of temporary files: texts and token ids.
    """

    rows: float = 0.0
    disk: float = 0.0

    @property
    def memory(self) -> float:
        """Bytes of memory beside the temporary files."""
        return _BYTES_IN_ANY_CASE + _BYTES_PER_ROW * self.rows

    def __add__(self, other: "Forecast") -> "Forecast":
        return Forecast(self.rows + other.rows, self.disk + other.disk)


def require_room(config: TrainConfig, environment: Environment) -> None:
    """Refuse to read data for which disk or memory lacks nearly a third of what is forecast; what is doubtful passes.

    Raises:
        PlatformError: with what is needed and what there is.
    """
    try:
        folder = Path(tempfile.gettempdir())
    except OSError:
        return  # there is none, as making the job's folder will say
    free, memory = shutil.disk_usage(folder).free, memory_limit()
    files = data_files(config, environment, read_class_list(config, environment) or ())
    sizes = sum(path.stat().st_size for paths in files.values() for path in paths)
    if _MOST_PACKED * sizes + _BYTES_IN_ANY_CASE < min(free, memory) or not reads_tables():
        return
    forecast = sum((_of(paths, config.largest_seq_length) for paths in files.values()), Forecast())
    logger.info(
        "about %s rows need about %s MB of temporary files and %s MB of memory",
        *(f"{number:,.0f}" for number in (forecast.rows, forecast.disk / 1e6, forecast.memory / 1e6)),
    )
    check_room(forecast, folder, free, memory)


def check_room(forecast: Forecast, folder: Path, free: float, memory: float) -> None:
    """Refuse what is sure not to fit.

    Args:
        folder: for temporary files.
        free: bytes free there.
        memory: bytes of memory that the job may use.
    Raises:
        PlatformError: with what is needed and what there is.
    """
    rows = f"about {forecast.rows:,.0f} rows"
    if free < _SURELY * forecast.disk:
        raise PlatformError(
            f"{folder} has {free / 1e6:,.1f} MB free, the texts and tokens of {rows} need"
            f" {forecast.disk / 1e6:,.1f} MB.",
            "Give the job a larger volume (volume_size), or set TMPDIR to a folder on a larger disk.",
        )
    needed = forecast.memory + (forecast.disk if _is_in_memory(folder) else 0)
    if memory < _SURELY * needed:
        also = f", with the temporary files in {folder}" if needed > forecast.memory else ""
        raise PlatformError(
            f"The job may use {memory / 1e6:,.1f} MB of memory, {rows} need {needed / 1e6:,.1f} MB{also}.",
            f"Use an instance with more memory{', or set TMPDIR to a folder on a disk' if also else ''}.",
        )


def _of(files: DataFiles, max_tokens: int) -> Forecast:
    return sum((_of_file(path, files, max_tokens) for path in files), Forecast())


def _of_file(path: Path, files: DataFiles, max_tokens: int) -> Forecast:
    """Forecast a file from its first rows; nothing for one that cannot be read, which reading will say.

    Where rows without a label are dropped, only those that were read count: what follows may be dropped.
    """
    seen, position = Forecast(), 0
    try:
        table = open_table(path, files.settings, files.classes, name=files.name_of(path))
        for chunk in _chunks(table.rows()):
            seen += _of_rows(chunk, max_tokens)
            position = file_positions([path])[path]
            if position >= _LOOKED_AT or seen.rows >= _MOST_ROWS:
                break
        else:
            return seen
    except ContainerError:
        return Forecast()
    if files.settings.missing_labels == "drop":
        return seen
    if table.form.kind == "Parquet":
        ratio = open_parquet(path).num_rows / (table.num_rows + table.left_out.total())
    else:  # What was read ahead makes the position too large, and the forecast too small.
        ratio = path.stat().st_size / position if position else 1.0
    has_lines = table.form.kind != "Parquet" and not table.form.is_gzip
    most = seen.rows + _lines_after(path, position) if has_lines else math.inf
    return Forecast(min(most, seen.rows * ratio), seen.disk * ratio)


def _lines_after(path: Path, position: int) -> float:
    """Return about how many lines follow, and so rows at most, from many places: the first rows may be short."""
    rest = path.stat().st_size - position
    places = [position + int(rest * (place + 0.5) / _PLACES) for place in range(_PLACES)]
    with path.open("rb") as file:
        pieces = [_piece_at(file, place) for place in places]
    return sum(piece.count(b"\n") for piece in pieces) * rest / max(1, sum(map(len, pieces)))


def _piece_at(file: BinaryIO, position: int) -> bytes:
    file.seek(position)
    return file.read(_PIECE)


def _chunks(rows: Iterator[Row | RowError]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    for row in rows:
        if isinstance(row, Row):
            chunk.append(row)
        if len(chunk) == _ROWS_AT_ONCE:
            yield chunk
            chunk = []
    yield chunk


def _of_rows(rows: Sequence[Row], max_tokens: int) -> Forecast:
    size = sum(len(row.text.encode("utf-8", "surrogatepass")) for row in rows)
    tokens = sum(min(max_tokens, 2 + len(row.text) // _CHARS_PER_TOKEN) for row in rows)
    return Forecast(len(rows), size + _BYTES_PER_TOKEN * tokens)


def _is_in_memory(folder: Path) -> bool:
    """Return whether a folder is of a file system that lies in memory."""
    return any(_same_device(Path(mount), folder) for mount in _mounts_in_memory())


def _mounts_in_memory(mounts: Path = Path("/proc/self/mounts")) -> Iterable[str]:
    try:
        lines = [line.split() for line in mounts.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return ()
    return [fields[1] for fields in lines if fields[2] in ("tmpfs", "ramfs")]


def _same_device(one: Path, other: Path) -> bool:
    try:
        return one.stat().st_dev == other.stat().st_dev
    except OSError:
        return False
