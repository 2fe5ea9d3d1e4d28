"""Parquet files: what is read from those that libraries write."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bert_classifier.data.parquet import open_parquet

Write = Callable[..., Path]


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    """Return all rows of a Parquet file."""
    return list(open_parquet(path).rows())


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("'naïve 🙂'", "naïve 🙂"),
        ("''", ""),
        ("NULL", None),
        ("true", True),
        ("42::TINYINT", 42),
        ("18446744073709551615::UBIGINT", 2**64 - 1),
        ("0.5::FLOAT", 0.5),
        ("3.00::DECIMAL(10,2)", 3),
        ("1.50::DECIMAL(10,2)", 1.5),
        ("DATE '2020-01-02'", "2020-01-02"),
        ("TIME '03:04:05'", "03:04:05"),
        ("TIMESTAMP '2020-01-02 03:04:05'", "2020-01-02T03:04:05"),
        ("TIMESTAMPTZ '2020-01-02 03:04:05+02'", "2020-01-02T01:04:05+00:00"),
        ("'b'::ENUM('a', 'b')", "b"),
        ("uuid '00000000-0000-0000-0000-000000000001'", "00000000-0000-0000-0000-000000000001"),
        ("['a', NULL]", ["a", None]),
        ("{'day': DATE '2020-01-02', 'n': 1}", {"day": "2020-01-02", "n": 1}),
        ("MAP {1: 2.50::DECIMAL(4,2)}", {"1": 2.5}),
        ("'text'::BLOB", "text"),
        (r"'\xE9'::BLOB", "\udce9"),
    ],
)
def test_values_are_those_of_json(write: Write, sql: str, value: object) -> None:
    """Every type of Parquet becomes a value that JSON has, of the same type in Python."""
    ((read,),) = rows_of(write(f"SELECT {sql} AS value"))
    assert (read, type(read)) == (value, type(value))
    json.dumps(read)


@pytest.mark.parametrize("codec", ["uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4_raw"])
def test_codecs(write: Write, codec: str) -> None:
    """Pages may be compressed in every way that is in use."""
    path = write("SELECT 'a text' || i AS text FROM range(3000) AS t(i)", options=f", CODEC {codec}")
    assert rows_of(path) == [(f"a text{number}",) for number in range(3000)]


def test_a_dictionary_column_gives_its_strings(write: Write) -> None:
    """What pandas calls categorical is read as strings."""
    path = write("SELECT ['low', 'high'][i % 2 + 1] AS label FROM range(5000) AS t(i)")
    assert "DICTIONARY" in str(
        duckdb.execute("SELECT encodings FROM parquet_metadata(?)", [str(path)]).fetchall()
    )
    assert rows_of(path) == [("low",), ("high",)] * 2500


def test_rows_come_in_order_over_row_groups(write: Write) -> None:
    """Batches and row groups change nothing about the order, and the count is known before."""
    path = write("SELECT i AS id FROM range(30000) AS t(i)", options=", ROW_GROUP_SIZE 2500")
    file = open_parquet(path)
    assert file.num_rows == 30000
    assert [number for (number,) in file.rows()] == list(range(30000))
    assert next(file.rows()) == (0,)  # and again from the beginning


def test_columns_keep_their_names(write: Write) -> None:
    """Names may hold anything, and nested fields are no columns."""
    path = write("""SELECT 1 AS "a 'q""uote", {'x': {'y': 1}, 'z': [1]} AS nested, 2 AS "Größe" """)
    file = open_parquet(path)
    assert file.columns == ["a 'q\"uote", "nested", "Größe"]
    assert list(file.rows()) == [(1, {"x": {"y": 1}, "z": [1]}, 2)]


def test_columns_that_differ_in_case_only(write: Write) -> None:
    """A name that DuckDB takes for the same as another comes as the file has it."""
    path = write("SELECT 'first' AS text, 'later' AS tixt")
    path.write_bytes(path.read_bytes().replace(b"tixt", b"TEXT"))
    file = open_parquet(path)
    assert file.columns == ["text", "TEXT"]
    assert list(file.rows([1, 0])) == [("later", "first")]


def test_only_the_wanted_columns_are_decoded(write: Write) -> None:
    """Positions choose columns and their order."""
    path = write("SELECT 'a' AS text, DATE '2020-01-02' AS day, 7 AS label")
    assert list(open_parquet(path).rows([2, 1])) == [(7, "2020-01-02")]


@pytest.mark.parametrize(
    "name", ["train[1].parquet", "a*b?.parquet", "it's.parquet", "label=x.parquet", "data.csv", "data"]
)
def test_the_name_is_no_pattern(write: Write, tmp_path: Path, name: str) -> None:
    """A file is read alone, whatever its name holds."""
    for neighbour in ("train1.parquet", "acbd.parquet"):
        write("SELECT 'other' AS text", neighbour)
    folder = tmp_path / "label=pos"
    folder.mkdir()
    path = write("SELECT 'own' AS text", name).rename(folder / name)
    assert open_parquet(path).columns == ["text"]
    assert rows_of(path) == [("own",)]


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (
            '{"info": {"features": {"text": {"dtype": "string", "_type": "Value"}, "tokens": [{"_type": "Value"}], '
            '"label": {"names": ["negative", "positive"], "_type": "ClassLabel"}}}}',
            {"label": ["negative", "positive"]},
        ),
        ('{"info": {"features": {"label": {"num_classes": 2, "_type": "ClassLabel"}}}}', {}),
        ('{"info": 1}', {}),
        ("no JSON", {}),
    ],
)
def test_class_names_of_hugging_face(write: Write, metadata: str, expected: dict[str, list[str]]) -> None:
    """The metadata of `datasets` names the classes; without it labels are plain numbers."""
    options = f", KV_METADATA {{huggingface: '{metadata}', pandas: '{{}}'}}"
    file = open_parquet(write("SELECT 'a' AS text, 1 AS label, ['a'] AS tokens", options=options))
    assert file.class_names == expected
    assert list(file.rows()) == [("a", 1, ["a"])]


def test_a_file_without_rows(write: Write) -> None:
    """It has columns, and nothing else."""
    file = open_parquet(write("SELECT 'a' AS text WHERE false"))
    assert (file.columns, file.num_rows, list(file.rows())) == (["text"], 0, [])
