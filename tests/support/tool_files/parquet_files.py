"""Parquet files, as written by the tools that give them their names; each is of LETTERS."""

from pathlib import Path

from support.tool_files.made import read

_FOLDER = Path(__file__).parent / "parquet"


def _written_by(tool: str) -> bytes:
    return (_FOLDER / f"{tool}.parquet").read_bytes()


PARQUET_FILES = [
    read("pandas-parquet", "letters.parquet", _written_by("pandas")),  # a category, an index of its own
    read("polars-parquet", "letters.parquet", _written_by("polars")),
    read("duckdb-parquet", "letters.parquet", _written_by("duckdb")),  # a further column, gzip within
    read(
        "hugging-face-parquet", "train-00000-of-00001.parquet", _written_by("hugging-face")
    ),  # numbers and names
    read("parquet-named-csv", "letters.csv", _written_by("pandas")),
]
