"""The forecast of disk and memory: near what a job takes, a refusal where that is not there, none where it is."""

import csv
import gzip
import shutil
import tempfile
from collections import namedtuple
from pathlib import Path

import duckdb
import pytest

from bert_classifier.data import forecast
from bert_classifier.data.forecast import Forecast, check_room, require_room
from bert_classifier.data.text_store import TextWriter
from bert_classifier.errors import PlatformError, UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from support.clear_text import assert_clear

GB = 10**9
POLARITY = Forecast(rows=3.6e6, disk=3.5 * GB)
Usage = namedtuple("Usage", "total used free")


def environment(root: Path, **channels: list[tuple[str, str]] | bytes) -> Environment:
    """Return a job with these channels: rows of label and text, or the bytes of a file."""
    for name, rows in channels.items():
        folder = root / "input" / "data" / name
        folder.mkdir(parents=True)
        if isinstance(rows, bytes):
            (folder / "data.csv").write_bytes(rows)
            continue
        with (folder / "data.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("label", "text"), *rows])
    return Environment.read(root, {})


def rows_of(count: int) -> list[tuple[str, str]]:
    """Return rows of about 110 characters, among them line ends and letters of two bytes."""
    return [(f"class {n % 3}", f"{n} größer\n" + "some words of a text " * (n % 10)) for n in range(count)]


@pytest.fixture
def has(monkeypatch):
    """Say what the machine has."""

    def say(free: float, memory: float) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, free))
        monkeypatch.setattr(forecast, "memory_limit", lambda: memory)

    return say


@pytest.fixture
def seen(monkeypatch):
    """Collect what is forecast."""
    found = []
    monkeypatch.setattr(forecast, "check_room", lambda forecast, *_: found.append(forecast))
    return found


@pytest.mark.parametrize("form", ["CSV", "gzip", "Parquet"])
def test_the_forecast_is_near_the_truth_and_not_above(tmp_path, has, seen, monkeypatch, form):
    """From the first tenth of a file, of rows or packed or Parquet; line ends within texts are no rows."""
    monkeypatch.setattr(forecast, "_LOOKED_AT", 100_000 if form == "gzip" else 800_000)
    monkeypatch.setattr(forecast, "_MOST_ROWS", 10_000 if form == "Parquet" else 50_000)
    rows = rows_of(60_000)
    job = environment(tmp_path, train=rows)
    path = tmp_path / "input" / "data" / "train" / "data.csv"
    if form == "gzip":
        path.with_name("data.csv.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
        path.unlink()
    elif form == "Parquet":
        duckdb.sql(f"COPY (FROM read_csv('{path}')) TO '{path.with_suffix('.parquet')}'")
        path.unlink()
    has(1, 1)
    require_room(TrainConfig(max_seq_length=64), job)
    (found,) = seen
    size = sum(len(text.encode()) for _, text in rows)
    assert 0.8 * len(rows) <= found.rows <= 1.02 * len(rows)
    assert 0.8 * size <= found.disk <= 2 * size


def test_what_may_be_dropped_is_not_forecast(tmp_path, has, seen, monkeypatch):
    """The labelled rows come first, and many without a label after them, of which none is written."""
    monkeypatch.setattr(forecast, "_LOOKED_AT", 100_000)
    unlabelled = [("", text) for _, text in rows_of(20_000)]
    job = environment(tmp_path, train=[*rows_of(3000), *unlabelled])
    has(1, 1)
    require_room(TrainConfig(missing_labels="drop"), job)
    (found,) = seen
    assert 500 <= found.rows <= 3000
    assert found.disk <= 1_000_000


def test_short_rows_at_the_beginning_do_not_make_many(tmp_path, has, seen, monkeypatch):
    """As in a file that is sorted by length: there are no more rows than lines."""
    monkeypatch.setattr(forecast, "_LOOKED_AT", 100_000)
    job = environment(tmp_path, train=[("a", f"hey {n}") for n in range(30_000)] + [("b", "x" * 9000)] * 3000)
    has(1, 1)
    require_room(TrainConfig(), job)
    (found,) = seen
    assert 25_000 <= found.rows <= 50_000
    assert found.disk >= 20_000_000


def test_small_files_are_counted_as_they_are(tmp_path, has, seen):
    """Every channel counts; tokens are at most those of max_seq_length."""
    has(1, 1)
    require_room(
        TrainConfig(max_seq_length=8), environment(tmp_path, train=[("a", "x" * 800)] * 7, test=[("b", "y")])
    )
    assert seen == [Forecast(8, 7 * (800 + 4 * 8) + 1 + 4 * 2)]


def test_where_there_is_room_in_any_case_no_file_is_opened(tmp_path, has, seen):
    """The usual case costs nothing."""
    has(GB, GB)
    require_room(TrainConfig(), environment(tmp_path, train=rows_of(10)))
    assert seen == []


def test_what_cannot_be_read_is_left_to_reading(tmp_path, has, seen):
    """It says which row is wrong; here nothing is forecast."""
    has(1, 1)
    require_room(TrainConfig(), environment(tmp_path, train=b'label,text\na,"never closed'))
    assert seen == [Forecast(0, 0)]
    with pytest.raises(UserError):
        require_room(TrainConfig(), environment(tmp_path / "other", test=rows_of(1)))


def test_data_that_do_not_fit_are_refused_before_reading(tmp_path, has):
    """With the folder, what it has, what is needed, and what gives more room."""
    job = environment(tmp_path, train=rows_of(5000))
    has(free=300_000, memory=100 * GB)
    with pytest.raises(
        PlatformError, match=r"has 0\.3 MB free, the texts and tokens of about 5,000 rows need"
    ) as disk:
        require_room(TrainConfig(), job)
    assert_clear(disk.value)
    assert "volume_size" in disk.value.remedy
    assert "TMPDIR" in disk.value.remedy
    has(free=100 * GB, memory=100_000_000)
    with pytest.raises(
        PlatformError, match=r"may use 100\.0 MB of memory, about 5,000 rows need 320\.5 MB"
    ) as memory:
        require_room(TrainConfig(), job)
    assert_clear(memory.value)
    assert "instance with more memory" in memory.value.remedy


@pytest.mark.parametrize(
    ("free", "memory"), [(3.5 * GB, 16 * GB), (2.5 * GB, 1 * GB), (10 * GB, 0.5 * GB), (1e12, float("inf"))]
)
def test_what_may_fit_passes(tmp_path, monkeypatch, free, memory):
    """3.6 million rows in 16 GB, and whatever is within the margin of a forecast from the first rows."""
    monkeypatch.setattr(forecast, "_mounts_in_memory", list)
    check_room(POLARITY, tmp_path, free, memory)


def test_temporary_files_in_memory_count_as_memory(monkeypatch):
    """On a tmpfs they leave less of it; the message says so, and another folder is a remedy."""
    folder = Path("/dev/shm")
    check_room(POLARITY, folder, 1e12, 16 * GB)
    with pytest.raises(PlatformError, match=r"with the temporary files in /dev/shm") as caught:
        check_room(POLARITY, folder, 1e12, 2 * GB)
    assert_clear(caught.value)
    assert "TMPDIR" in caught.value.remedy
    monkeypatch.setattr(forecast, "_mounts_in_memory", list)
    check_room(POLARITY, folder, 1e12, 2 * GB)


def test_without_a_folder_for_temporary_files_that_is_said_later(tmp_path, monkeypatch, has, seen):
    """The job's own folder cannot be made then."""

    def fail() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    has(1, 1)
    monkeypatch.setattr(tempfile, "gettempdir", fail)
    require_room(TrainConfig(), environment(tmp_path, train=rows_of(1)))
    assert seen == []
    with pytest.raises(PlatformError, match="to a folder for temporary files: No usable") as caught:
        TextWriter()
    assert_clear(caught.value)
