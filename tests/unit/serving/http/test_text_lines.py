"""Lines of plain text: each is a text, or one behind a label of fastText."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.records import RowError
from bert_classifier.data.table import Row, open_table
from bert_classifier.serving.http import codec


def read(body: str) -> list[str]:
    """Return the records of a body; errors in brackets."""
    records = codec.decode("text/plain", body.encode(), 1000).records
    return [record if isinstance(record, str) else f"[{record.error}]" for record in records]


def test_labels_of_fasttext_are_left_out():
    """Where most lines have one; a line without is answered by what is wrong, and does not affect the others."""
    missing = "[the line does not begin with __label__, as most of the others do]"
    body = "__label__praise  nice, really \r\n\n __label__a __label__b two\nplain\n__label__a\n__label__x: __label__ y"
    empty = "[the text is empty]"
    assert read(body) == ["nice, really", empty, "two", missing, empty, "y"]
    assert codec.decode("text/plain", body.encode(), 9).understood == "lines of fastText, labels left out"


def test_texts_about_labels_are_texts():
    """As are all lines where no more than half of them have a label."""
    for body in ["a __label__x b\n", "__label__a one\ntwo\n", "one\n__label__a two\nthree\n"]:
        assert read(body) == body.splitlines()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "praise", "1", "é"]),
            st.sampled_from([" ", "  ", "\t"]),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"), max_size=20),
        ),
        min_size=4,
        max_size=12,
    )
)
def test_a_file_of_fasttext_is_classified(lines):
    """The texts are those that training reads."""
    body = "".join(f"__label__{label}{blank}x{text}\n" for label, blank, text in lines)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.txt"
        path.write_bytes(body.encode())
        rows = list(open_table(path).rows())
    expected = [row.text if isinstance(row, Row) else row for row in rows]
    assert not any(isinstance(row, RowError) for row in rows)
    assert read(body) == expected
