"""Whatever the csv module writes below a header that is known: the server answers the texts that training reads."""

import csv
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.records import RowError
from bert_classifier.data.table import Row, open_table
from bert_classifier.data.text_fields import TextFields
from bert_classifier.errors import UserError
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.csv_form import CsvForm

CLASSES = ("praise", "complaint", "not sure", "Frage")
Rows = Sequence[Mapping[str, str]]

_ODD = st.sampled_from(list(",;|\t\"'\n\\#=_[]{}:<>0 a.é£\u0301\u2028\u00a0🙂\ufeff"))
_ANY = st.one_of(_ODD, st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))
_WORDS = st.text(_ANY, max_size=30)
_HEADERS = st.sampled_from(
    [
        ("label", "text"),
        ("text", "label"),
        ("", "Text", "Label", "created"),
        ("class index", "title", "abstract"),
        ("id", "utterance", "intent"),
        ("Review_Text", "stars"),
        ("category", "headline"),
        ("target", "source", "x"),
        ("label", "title"),
    ]
)
_LABELS = ("label", "classindex", "intent", "stars", "category", "target")
_DELIMITERS = st.sampled_from([",", ";", "\t", "|"])
_QUOTING = st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
_ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def tables(draw: st.DrawFn) -> tuple[Sequence[str], list[list[str]]]:
    """Return a header and rows whose labels recur; some texts are blank."""
    header = draw(_HEADERS)
    rows = []
    for number in range(draw(st.integers(4, 20))):
        cells = {name: draw(_WORDS) + draw(st.sampled_from([f"x{number}", ""])) for name in header}
        labels = {
            name: draw(st.sampled_from(CLASSES))
            for name in header
            if name.lower().replace(" ", "") in _LABELS
        }
        rows.append([*{**cells, **labels}.values()])
    return header, rows


def written(
    header: Sequence[str], rows: Sequence[Sequence[str]], delimiter: str, quoting: int, end: str
) -> bytes:
    """Return a table as the csv module writes it, line breaks within cells quoted."""
    file = io.StringIO()
    quoting = csv.QUOTE_ALL if end == "\r" else quoting  # the csv module leaves \n bare between such lines
    writer = csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=end)  # type: ignore[arg-type]
    writer.writerows([header, *rows])
    return file.getvalue().encode()


def trained(content: bytes, **settings: str) -> list[str] | None:
    """Return the texts that training reads, None where it refuses the file or a row."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        path.write_bytes(content)
        try:
            rows = list(open_table(path, ReaderSettings(**settings)).rows())
        except UserError:
            return None
    return (
        None
        if any(isinstance(row, RowError) for row in rows)
        else [r.text for r in rows if isinstance(r, Row)]
    )


def served(content: bytes, header: str = "", fields: TextFields | None = None) -> list[str]:
    """Return the texts that the server classifies; blank ones get an error, and training leaves them out."""
    form = CsvForm.of(header, CLASSES, is_part=False, fields=fields or TextFields())
    records = codec.decode("text/csv", content, 1000, form).records
    assert all(isinstance(record, str) or record.error == "the text is empty" for record in records)
    return [record for record in records if isinstance(record, str)]


@given(
    tables(),
    _DELIMITERS,
    _QUOTING,
    _ENDS,
    st.sampled_from(["", "sep", "\ufeff"]),
    st.sampled_from(["", "present"]),
)
def test_a_table_that_trains_is_classified(table, delimiter, quoting, end, begin, header):
    """Row by row, title in place of an empty text included, whether its header is announced or not."""
    begin = f"sep={delimiter}{end}" if begin == "sep" else begin
    content = begin.encode() + written(table[0], table[1], delimiter, quoting, end)
    expected = trained(content)
    assume(expected is not None)
    assert served(content, header) == expected


@given(tables(), _DELIMITERS, _QUOTING)
def test_the_columns_of_the_training_come_first(table, delimiter, quoting):
    """Whatever else has a name in use; a title that the training was told is put before the text."""
    _names, rows = table
    content = written(
        ["kind", "text", "subject", "prose"],
        [["praise", *row[:1], *row[:2]] for row in rows],
        delimiter,
        quoting,
        "\n",
    )
    told = {"label_column": "kind", "text_column": "prose", "title_column": "subject"}
    expected = trained(content, **told)
    assume(expected is not None)
    info = {
        "hyperparameters": told,
        "data": {"columns": {"label": "kind", "text": "prose", "title": "subject"}},
    }
    assert served(content, fields=TextFields.of(info)) == expected


@pytest.mark.parametrize("begin", ["", "\ufeff", "sep=;\r\n"])
def test_the_property_can_fail(begin):
    """The texts that are compared are those of the rows, and all of them."""
    rows = [["praise", "a; b"], ["complaint", 'c "d"\ne']] * 2
    content = begin.encode() + written(["label", "text"], rows, ";", csv.QUOTE_MINIMAL, "\r\n")
    assert served(content) == trained(content) == ["a; b", 'c "d"\ne'] * 2
