"""Files that are no table of texts, under a name that says so."""

import bz2
import io
import lzma
import pickle
import sqlite3
import tempfile
import zipfile
from pathlib import Path

from support.tool_files.made import LETTERS, refused, table, texts_first

_CSV = table("text,label", texts_first()).encode()
_WHEN = (2026, 1, 2, 3, 4, 6)


def _zip(names: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in names.items():
            archive.writestr(zipfile.ZipInfo(name, _WHEN), content)
    return file.getvalue()


def _sqlite() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "letters.db"
        connection = sqlite3.connect(path)
        connection.execute("create table letters (label text, text text)")
        connection.executemany("insert into letters values (?, ?)", LETTERS)
        connection.commit()
        connection.close()
        return path.read_bytes()


_SHEET = {
    "[Content_Types].xml": b"<Types/>",
    "_rels/.rels": b"<Relationships/>",
    "xl/workbook.xml": b"<workbook/>",
    "xl/worksheets/sheet1.xml": b"<worksheet/>",
}
_CELLS = "".join(f"<tr><td>{text}</td><td>{label}</td></tr>" for label, text in LETTERS)

FOREIGN = [
    refused("excel-workbook", "letters.csv", _zip(_SHEET), "Excel"),
    refused(
        "word-document",
        "letters.csv",
        _zip({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<document/>"}),
        "zip",
    ),
    refused("zip", "letters.csv", _zip({"letters.csv": _CSV}), "zip"),
    refused("bzip2", "letters.csv", bz2.compress(_CSV), "bzip2"),
    refused("xz", "letters.csv", lzma.compress(_CSV), "xz"),
    refused("pickle", "letters.csv", pickle.dumps(LETTERS, protocol=5), "pickle"),
    refused("sqlite-database", "letters.csv", _sqlite(), "SQLite"),
    refused(
        "pdf",
        "letters.csv",
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n",
        "PDF",
    ),
    refused(
        "html", "letters.csv", f"<!DOCTYPE html>\n<html><body><table>{_CELLS}</table></body></html>", "HTML"
    ),
    refused(
        "html-table",
        "letters.csv",
        f'<table border="1" class="dataframe">\n  <thead></thead>{_CELLS}</table>',
        "HTML",
    ),
    refused("arrow-file", "letters.csv", b"ARROW1\0\0\xff\xff\xff\xff\xa8\0\0\0" + bytes(200), "Arrow"),
    refused("old-excel-workbook", "letters.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504), "Excel"),
]
