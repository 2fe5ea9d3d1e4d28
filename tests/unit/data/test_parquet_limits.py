"""Parquet files: what is refused, in which words, what reading costs and how it is stopped."""

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bert_classifier.data.parquet import open_parquet
from bert_classifier.errors import PlatformError, UserError
from support.patience import PATIENCE_S
from support.peak_memory import peak_growth
from support.source_tree import CONTAINER

Write = Callable[..., Path]


def refusal_of(path: Path) -> str:
    """Return the message that reading a file ends with, which names it as it is called."""
    with pytest.raises(UserError) as caught:
        list(open_parquet(path, path.name).rows())
    return str(caught.value)


def test_gzip_around_it(write: Write, tmp_path: Path) -> None:
    """A compressed file is unpacked into a temporary file, which goes with the object."""
    packed = tmp_path / "data.parquet.gz"
    packed.write_bytes(gzip.compress(write("SELECT 'a' AS text").read_bytes()))
    file = open_parquet(packed)
    assert list(file.rows()) == [("a",)]
    packed.write_bytes(packed.read_bytes()[:-20])
    assert refusal_of(packed) == "data.parquet.gz is gzip, but damaged or cut off. Compress or copy it again."


def test_without_room_to_unpack(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be written, the error is the platform's and names the file."""
    packed = tmp_path / "data.gz"
    packed.write_bytes(gzip.compress(write("SELECT 'a' AS text").read_bytes()))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(PlatformError, match=r"Cannot unpack .*data\.gz: No such file or directory"):
        open_parquet(packed)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"text,label\na,b\n",
            "it.parquet is not Parquet: it does not begin with PAR1. Name it as what it is.",
        ),
        (b"", "it.parquet is not Parquet: it does not begin with PAR1. Name it as what it is."),
        (b"PAR1", "it.parquet is Parquet, but its end is missing. Copy or download it again."),
        (b"PAR1 half of it", "it.parquet is Parquet, but its end is missing. Copy or download it again."),
        (b"PAR1\x15\x04\x15\x10PARE", "it.parquet is encrypted Parquet. Write it without encryption."),
        (b"PARE\x15\x04\x15\x10PARE", "it.parquet is encrypted Parquet. Write it without encryption."),
    ],
)
def test_what_is_no_whole_parquet_file(tmp_path: Path, content: bytes, message: str) -> None:
    """The first and last bytes tell what a file is, before a library is asked."""
    path = tmp_path / "it.parquet"
    path.write_bytes(content)
    assert refusal_of(path) == message


def test_a_damaged_footer(write: Write) -> None:
    """A footer that says nothing sensible is refused with one sentence."""
    path = write("SELECT 'a' AS text")
    content = path.read_bytes()
    path.write_bytes(content[:-60] + b"\xff" * 52 + content[-8:])
    assert refusal_of(path).startswith("data.parquet cannot be read as Parquet (")


def test_damaged_pages(write: Write) -> None:
    """The message quotes no text."""
    path = write(
        "SELECT 'secret' || md5(i::VARCHAR) AS text FROM range(30000) AS t(i)", options=", CODEC zstd"
    )
    content = bytearray(path.read_bytes())
    content[50:5000] = bytes(4950)
    path.write_bytes(content)
    assert refusal_of(path) == (
        "data.parquet cannot be read as Parquet (Failed to read file …: ZSTD Decompression failure). "
        "Write or copy it again, or save it as CSV or JSON Lines."
    )


def test_text_that_is_not_utf_8(write: Write) -> None:
    """It is refused without being quoted."""
    path = write("SELECT 'caf?? secret' AS text", options=", CODEC uncompressed")
    path.write_bytes(path.read_bytes().replace(b"caf??", b"caf\xe9?"))
    assert refusal_of(path) == (
        "data.parquet holds a string that is not UTF-8. Write its text columns as UTF-8."
    )


def test_a_folder_or_no_file(tmp_path: Path) -> None:
    """What cannot be opened is said in the system's words."""
    assert "Is a directory" in refusal_of(tmp_path)
    assert "No such file" in refusal_of(tmp_path / "none.parquet")


PROGRAM = """
import os, signal, sys
from pathlib import Path
from bert_classifier.data.parquet import open_parquet
from bert_classifier.errors import UserError
"""


def run(code: str, *arguments: object, without: str = "") -> str:
    """Return what code prints in a process of its own, with nowhere to write, without one module."""
    hidden = f"import sys; sys.modules[{without!r}] = None\n" if without else ""
    command = [sys.executable, "-c", hidden + PROGRAM + code, *map(str, arguments)]
    environment = {"PYTHONPATH": str(CONTAINER), "HOME": "/nonexistent", "TMPDIR": "/nonexistent"}
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, env=environment, cwd="/"
    )
    assert result.returncode == 0, (result.returncode, result.stderr)
    return result.stdout


def test_without_the_library(write: Write) -> None:
    """The message names the package, and the ways out."""
    code = "try: open_parquet(Path(sys.argv[1]))\nexcept UserError as error: print(error)"
    path = write("SELECT 'a' AS text")
    assert run(code, path, without="duckdb").strip() == (
        f"{path} is Parquet, and the package that reads it, duckdb, is not installed. "
        "Run make setup (or pip install duckdb), or save the file as CSV or JSON Lines."
    )


def test_it_needs_no_home_and_loads_the_library_only_when_asked(write: Write) -> None:
    """Nothing is written or imported beforehand; numpy stays away, and no thread stays behind."""
    code = """
assert "duckdb" not in sys.modules
print(list(open_parquet(Path(sys.argv[1])).rows()))
print(sorted({"numpy", "pandas", "pyarrow"} & set(sys.modules)))
print(len(os.listdir("/proc/self/task")))
"""
    printed = run(code, write("SELECT 'a' AS text, ['x'] AS tags"))
    assert printed.split("\n") == ["[('a', ['x'])]", "[]", "1", ""]


def test_a_large_file_is_not_held_in_memory(write: Write) -> None:
    """What reading needs at its peak is a row group, not the file."""
    query = "SELECT md5(i::VARCHAR) || repeat(' text', 40) AS text FROM range(400000) AS t(i)"
    path = write(query, options=", CODEC uncompressed, ROW_GROUP_SIZE 20480")
    assert path.stat().st_size > 90_000_000
    rows = open_parquet(path).rows()
    next(rows)
    assert peak_growth(lambda: sum(1 for _ in rows)) < 45_000_000


def test_a_signals_exception_comes_through(write: Write) -> None:
    """A handler that raises ends reading at once, wherever it is, and leaves no thread."""
    code = """
class Stopped(BaseException): pass
def stop(*_): raise Stopped
signal.signal(signal.SIGALRM, stop)
for delay in range(1, 16):
    try:
        signal.setitimer(signal.ITIMER_REAL, delay / 100)
        while True: sum(1 for _ in open_parquet(Path(sys.argv[1])).rows())
    except Stopped: print("stopped")
assert signal.getsignal(signal.SIGALRM) is stop
print(len(os.listdir("/proc/self/task")))
"""
    path = write("SELECT md5(i::VARCHAR) AS text FROM range(10000) AS t(i)")
    printed = run(code, path)
    assert printed.split() == ["stopped"] * 15 + ["1"]


def test_signals_wait_while_duckdb_works() -> None:
    """A query is not broken off by a handler: it runs when DuckDB has answered."""
    code = """
from bert_classifier.data.duckdb_reader import open_reader
signal.signal(signal.SIGALRM, lambda *_: print("handled"))
signal.setitimer(signal.ITIMER_REAL, 0.3)
with open_reader("it") as reader:
    print(reader.ask("SELECT count(*) FROM range(30000) AS a(i), range(10000) AS b(j) WHERE i * j % 7 = 1", []))
"""
    printed = run(code)
    assert printed.split("\n")[0] == "handled"
    assert printed.count("\n") == 2
