"""Files for the tests of what reads them."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the answer to a query as a Parquet file of any name, and returns its path."""

    def written(query: str, name: str = "data.parquet", options: str = "") -> Path:
        plain = tmp_path / "plain.parquet"
        duckdb.sql(f"COPY ({query}) TO '{plain}' (FORMAT parquet{options})")
        return plain.rename(tmp_path / name)

    return written
