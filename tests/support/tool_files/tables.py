"""Files of spreadsheets, data frames and databases."""

import csv
import functools
import gzip

from support.tool_files.made import (
    ASCII,
    LETTERS,
    NUMBER_OF,
    ONE_LINE,
    PLAIN,
    WESTERN,
    as_objects,
    compact,
    either,
    labels_first,
    numbered,
    objects,
    read,
    refused,
    renamed,
    table,
    texts_first,
    unquoted,
)

_pandas = functools.partial(compact, ascii_only=True)
_BOTH = texts_first()
_ASCII = texts_first(ASCII)
_SEMICOLONS = table("label,text", labels_first(WESTERN), delimiter=";", end="\r\n").encode("cp1252")
_COLUMNS = {
    "text": {str(i): text for i, (_, text) in enumerate(LETTERS)},
    "label": {str(i): label for i, (label, _) in enumerate(LETTERS)},
}
_MISSING = [[text, "" if i % 6 == 1 else label] for i, (label, text) in enumerate(LETTERS)]
_LABELLED = [(label, text) for i, (label, text) in enumerate(LETTERS) if i % 6 != 1]
_NOT_AVAILABLE = [["NA" if i % 6 == 1 else label, text] for i, (label, text) in enumerate(PLAIN)]
_NULLS = [[r"\N" if i % 6 == 1 else label, text] for i, (label, text) in enumerate(PLAIN)]
_QUOTES = [(label, f'"{text}" they said') for label, text in PLAIN]
# An opening quote that a later row closes: read as quoted cells, the rows between vanish in one text.
_OPEN = [(label, ('"' * (i % 4 == 1)) + text + ('"' * (i % 4 == 3))) for i, (label, text) in enumerate(PLAIN)]
_BACKSLASHES = "text,label\n" + "".join(
    '"{}",{}\n'.format(text.replace("\\", "\\\\").replace('"', '\\"'), label) for label, text in ONE_LINE
)


def _part(first: int) -> bytes:
    return table("text,label", texts_first(LETTERS[first : first + 12])).encode()


SPREADSHEETS = [
    read("excel-csv-utf8", "Book1.csv", "\ufeff" + table("Label,Text", labels_first(), end="\r\n")),
    read(
        "excel-csv-semicolons",
        "Mappe1.csv",
        table("Label,Text", labels_first(ASCII), delimiter=";", end="\r\n"),
        ASCII,
    ),
    refused("excel-csv-1252", "Mappe1.csv", _SEMICOLONS, "UTF-8", "encoding"),
    read("excel-csv-1252-given", "Mappe1.csv", _SEMICOLONS, WESTERN, encoding="cp1252"),
    read(
        "excel-sep-line",
        "Mappe1.csv",
        "sep=;\r\n" + table("Label,Text", labels_first(), delimiter=";", end="\r\n"),
    ),
    read(
        "excel-unicode-text",
        "Book1.txt",
        table("Label,Text", labels_first(), delimiter="\t", end="\r\n").encode("utf-16"),
    ),
    read(
        "excel-text-tabs",
        "Book1.txt",
        table("Label,Text", labels_first(ASCII), delimiter="\t", end="\r\n"),
        ASCII,
    ),
    read("excel-mac", "Book1.csv", table("Label,Text", labels_first(PLAIN), end="\r"), PLAIN),
    read("libreoffice", "letters.csv", table("label,text", labels_first(), quote=csv.QUOTE_ALL)),
    read(
        "libreoffice-bars",
        "letters.csv",
        table("label,text", labels_first(), delimiter="|", quote=csv.QUOTE_ALL),
    ),
    read(
        "google-sheets", "Letters - Sheet1.csv", table("text,label", _BOTH, end="\r\n").removesuffix("\r\n")
    ),
    read(
        "google-sheets-tsv",
        "Letters - Sheet1.tsv",
        unquoted("text,label", texts_first(ONE_LINE), end="\r\n"),
        ONE_LINE,
    ),
    either(
        "google-sheets-tsv-quotes",
        "Letters.tsv",
        unquoted("text,label", texts_first(_QUOTES)),
        "line 2",
        pairs=_QUOTES,
    ),
    either(
        "google-sheets-tsv-open-quotes",
        "Letters.tsv",
        unquoted("text,label", texts_first(_OPEN)),
        "quote",
        pairs=_OPEN,
    ),
    read(
        "spreadsheet-empty-columns",
        "letters.csv",
        table("label,text,,,", [[*row, "", "", ""] for row in labels_first()]),
    ),
]

DATA_FRAMES = [
    read("pandas-csv-index", "letters.csv", table(",text,label", numbered(_BOTH))),
    read("pandas-csv-saved-twice", "letters.csv", table("Unnamed: 0,text,label", numbered(_BOTH))),
    read("pandas-csv", "letters.csv", table("text,label", _BOTH)),
    read("pandas-csv-semicolons", "letters.csv", table("text,label", _BOTH, delimiter=";")),
    read("pandas-csv-tabs", "letters.csv", table("text,label", _BOTH, delimiter="\t")),
    read("pandas-csv-gzip", "letters.csv.gz", gzip.compress(table("text,label", _BOTH).encode(), mtime=0)),
    read(
        "pandas-csv-gzip-named-csv",
        "letters.csv",
        gzip.compress(table("text,label", _BOTH).encode(), mtime=0),
    ),
    refused("pandas-no-header-text-first", "letters.csv", table("", _BOTH), "label_column", "text_column"),
    read(
        "pandas-no-header-text-first-given",
        "letters.csv",
        table("", _BOTH),
        label_column="2",
        text_column="1",
        header="false",
    ),
    read("pandas-no-header-label-first", "letters.csv", table("", labels_first())),
    refused("pandas-no-header-index", "letters.csv", table("", numbered(_BOTH)), "label_column"),
    refused("pandas-missing-labels", "letters.csv", table("text,label", _MISSING), "missing_labels"),
    read(
        "pandas-missing-labels-dropped",
        "letters.csv",
        table("text,label", _MISSING),
        _LABELLED,
        missing_labels="drop",
    ),
    read(
        "pandas-float-labels",
        "letters.csv",
        table("text,label", [[text, NUMBER_OF[label] + ".0"] for label, text in LETTERS]),
        [(NUMBER_OF[label] + ".0", text) for label, text in LETTERS],
    ),
    read("pandas-json-records", "letters.json", _pandas(as_objects())),
    read("pandas-json-lines", "letters.jsonl", objects(as_objects(), ascii_only=True)),
    refused("pandas-json", "letters.json", _pandas(_COLUMNS), "records"),
    refused(
        "pandas-json-split",
        "letters.json",
        _pandas({"columns": ["text", "label"], "index": [0], "data": _BOTH}),
        "records",
    ),
    refused(
        "pandas-json-index",
        "letters.json",
        _pandas({str(i): o for i, o in enumerate(as_objects())}),
        "records",
    ),
    refused("pandas-json-values", "letters.json", _pandas(_BOTH), "object"),
    read("polars-csv", "letters.csv", table("text,label", _BOTH)),
    read("polars-json", "letters.json", compact(as_objects())),
    read("polars-ndjson", "letters.ndjson", objects(as_objects())),
    read("r-write-csv", "letters.csv", table(",text,label", numbered(_BOTH, 1), quote=csv.QUOTE_ALL)),
    read(
        "r-write-csv2",
        "letters.csv",
        table(",text,label", numbered(_BOTH, 1), delimiter=";", quote=csv.QUOTE_ALL),
    ),
    refused(
        "r-write-table-tabs", "letters.tsv", unquoted("text,label", numbered(texts_first(PLAIN), 1)), "3", "2"
    ),
    refused(
        "r-write-table",
        "letters.csv",
        unquoted(
            '"text","label"',
            [[f'"{i}"', f'"{t}"', f'"{n}"'] for i, (n, t) in enumerate(PLAIN)],
            delimiter=" ",
        ),
    ),
    refused("r-missing-labels", "letters.csv", table("label,text", _NOT_AVAILABLE), "NA", "missing_labels"),
]

DATABASES = [
    read("duckdb-csv", "letters.csv", table("text,label", _BOTH)),
    read("duckdb-json", "letters.json", objects(as_objects())),
    read("duckdb-json-array", "letters.json", "[\n\t" + ",\n\t".join(map(compact, as_objects())) + "\n]\n"),
    read("postgresql-csv", "letters.csv", table("id,label,text", numbered(labels_first(), 1))),
    read("postgresql-copy", "letters.tsv", unquoted("", labels_first(PLAIN)), PLAIN),
    refused("postgresql-copy-nulls", "letters.tsv", unquoted("", _NULLS), "missing_labels"),
    read("mysql-batch", "letters.tsv", unquoted("id,text,label", numbered(texts_first(PLAIN))), PLAIN),
    refused(
        "mysql-batch-nulls",
        "letters.tsv",
        unquoted("text,label", [[t, "NULL" if i % 6 == 1 else n] for i, (n, t) in enumerate(PLAIN)]),
        "NULL",
        "missing_labels",
    ),
    read("sqlite-csv", "letters.csv", table("text,label", _BOTH, quote=csv.QUOTE_NONNUMERIC)),
    read("sqlite-list", "letters.csv", unquoted("label,text", labels_first(PLAIN), delimiter="|"), PLAIN),
    read("sqlite-json", "letters.json", "[" + ",\n".join(map(compact, as_objects())) + "]\n"),
    either("spark-csv", "part-00000-5f3a-c000.csv", _BACKSLASHES, "line", pairs=ONE_LINE),
    read(
        "spark-csv-parts",
        "",
        {
            "part-00000-5f3a-c000.csv": _part(0),
            "part-00001-5f3a-c000.csv": _part(12),
            "_SUCCESS": b"",
            ".part-00000-5f3a-c000.csv.crc": b"crc\0\0\2\0",
        },
    ),
    read("spark-json", "part-00000-5f3a-c000.json", objects(as_objects())),
    refused(
        "spark-json-nulls",
        "part-00000.json",
        objects([o if i % 6 else {"text": o["text"]} for i, o in enumerate(as_objects())]),
        "label",
    ),
    read(
        "bigquery-json",
        "letters-000000000000.json.gz",
        gzip.compress(objects(as_objects(renamed(LETTERS, NUMBER_OF))).encode(), mtime=0),
        renamed(LETTERS, NUMBER_OF),
    ),
    read(
        "snowflake-csv",
        "data_0_0_0.csv.gz",
        gzip.compress(table("ID,LABEL,TEXT", numbered(labels_first())).encode(), mtime=0),
    ),
    read("athena-results", "0f3a7c2e.csv", table("label,text", labels_first(), quote=csv.QUOTE_ALL)),
    read("redshift-unload", "letters.csv", table("", labels_first(PLAIN), delimiter="|"), PLAIN),
]
