"""Rows that a table holds by mistake: names as data, lines swallowed by a quote, joined files, texts cut in two."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bert_classifier.data.job_files import check_files
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.table import Row, Table, open_table
from bert_classifier.dbpedia import DbpediaLabelMapper
from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Channel, Environment
from support.clear_text import assert_clear
from support.labelled_lines import PAIRS, labelled_lines

PLAIN = labelled_lines("{label},{text}")
SHORT = labelled_lines("{label},{text}", [(label, f"word{i}") for i, (label, _) in enumerate(PAIRS)])
QUESTION = "What did you like about our product?"


def table_of(folder: Path, content: str) -> Table:
    """Return a CSV file with this content, opened."""
    path = folder / "data.csv"
    path.write_text(content, encoding="utf-8")
    return open_table(path)


def refusal(folder: Path, content: str) -> UserError:
    """Return the error for a file that is refused, on opening or at one of its rows."""
    try:
        table = table_of(folder, content)
        wrong: Iterator[UserError] = (row for row in table.rows() if not isinstance(row, Row))
        error = next(wrong, None)
    except UserError as refused:
        return refused
    assert error is not None, "it was read"
    return error


REFUSED = {
    "a label's name over a question": (f"label,{QUESTION}\n{PLAIN}", "line 1 looks like a header"),
    "a question over labels, a text's name": (
        f"Which of these is it,comment\n{PLAIN}",
        "no column is known as the label|line 1 looks like",
    ),
    "questions over both columns": (
        f"Which of all these is it,{QUESTION}\n{PLAIN}",
        "line 1 looks like a header",
    ),
    "labels of fastText before commas": (
        labelled_lines("__label__{label},{text}"),
        "a comma follows its label",
    ),
    "names over single words": (f"language,phrase\n{SHORT}", "line 1 looks like a header"),
    "a known name whose other name recurs": (
        f"label,kind\n{SHORT}praise,kind\n",
        "no column is known as the text",
    ),
    "pandas' numbers of columns": (f"0,1\n{PLAIN}", "line 1 looks like a header"),
    "a title over the header": (f"All letters of 2026,\nlabel,text\n{PLAIN}", "line 2 looks like the header"),
    "comments over the header": (
        f"# exported,\n# version 2,\nlabel,text\n{PLAIN}",
        "line 3 looks like the header",
    ),
    "another header in other case": (f"label,text\n{PLAIN}Label,TEXT\n{PLAIN}", "it repeats the header"),
    "another header in other order": (f"label,text\n{PLAIN}text,label\n", "it repeats the header"),
    "another header with a mark": (f"label,text\n{PLAIN}\ufefflabel,text\n{PLAIN}", "it repeats the header"),
    "a quote that swallows rows": (
        f'label,text\n{PLAIN}praise,"so\n{PLAIN}praise,it ends"\n',
        "holds lines that look like rows",
    ),
    "texts cut at their comma": (labelled_lines("{label},Well then, {text}"), "without being quoted"),
    "a split before label and text": (
        labelled_lines("train,{label},{text}"),
        "do not look like label, title and text",
    ),
    "a confidence behind the text": (
        labelled_lines("{label},{text},0.97", PAIRS[:30]) + labelled_lines("{label},{text},0.5", PAIRS[30:]),
        "do not look like label, title and text",
    ),
    "a text column that is mostly empty": (
        "label,text,review\n" + labelled_lines("{label},,{text}") + "praise,yes,no\n",
        "'text' is mostly empty, and 'review' is not",
    ),
    "labels as nested lists": (
        "label,text\n" + labelled_lines('"[[0, 1]]",{text}'),
        "a list of spans or objects",
    ),
    "labels as objects": ("label,text\n" + labelled_lines('"{{""a"": 1}}",{text}'), "a list or an object"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_mistake_is_refused(tmp_path, name):
    """What is no row is not trained on, and the message says what to mend."""
    content, expected = REFUSED[name]
    error = refusal(tmp_path, content)
    assert any(part in str(error) for part in expected.split("|")), str(error)
    if error.remedy:
        assert_clear(error)


READ = {
    "a label that is a name in use": "label,text\npraise,Question?\n" + PLAIN,
    "names in use among the data": labelled_lines("{label},{text}") + "question,sentence\nquestion,review\n",
    "lines within a text": "label,text\n"
    + labelled_lines('{label},"{text}, first\nsecond, {text}\nthird, end"'),
    "blank rows over the header": ",\n,\nlabel,text\n" + PLAIN,
    "a title that stands in few rows": labelled_lines("{label},A title,{text}"),
}


@pytest.mark.parametrize("name", READ)
def test_odd_rows_are_read(tmp_path, name):
    """What merely looks odd is data."""
    table = table_of(tmp_path, READ[name])
    rows = list(table.rows())
    assert all(isinstance(row, Row) for row in rows)
    assert {row.label for row in rows if isinstance(row, Row)} >= {label for label, _ in PAIRS}
    assert not {row.label for row in rows if isinstance(row, Row)} & {"label", ""}


def test_backslashes_stay(tmp_path):
    """Where quotes are written with a backslash, other backslashes are text."""
    table = table_of(tmp_path, "label,text\n" + PLAIN + 'praise,"he said \\"C:\\temp\\new\\" \\\\\\" \\n."\n')
    *_, last = table.rows()
    assert isinstance(last, Row)
    assert last.text == 'he said "C:\\temp\\new" \\" \\n.'


def test_blanks_before_quotes_are_no_text(tmp_path):
    """`label, "text"` is read as its writer meant it."""
    table = table_of(tmp_path, "label, text\n" + labelled_lines('{label}, "{text}, so"'))
    assert [row.text for row in table.rows() if isinstance(row, Row)] == [f"{text}, so" for _, text in PAIRS]
    assert "blanks stand between delimiters and quotes" in table.notes


def test_doubts_are_told(tmp_path):
    """A column beside the chosen one that could have its role is named, with the setting that takes it."""
    content = "category,sentiment,text,comment\n" + labelled_lines("mail,{label},{text},{text}")
    content += labelled_lines("phone,{label},{text},{text}")
    assert table_of(tmp_path, content).doubts == [
        "column 'sentiment' could be the label too; label_column=sentiment takes it",
        "column 'comment' could be the text too; text_column=comment takes it",
    ]
    assert table_of(tmp_path, "label,text,rating\n" + labelled_lines("{label},{text},x y z w v")).doubts == []


def test_twice_the_same_name_is_mended_by_a_number(tmp_path):
    """The setting that the message gives is one that is accepted."""
    content = "label,label,text\n" + labelled_lines("{label},1,{text}")
    error = refusal(tmp_path, content)
    assert "label_column=1 text_column=text" in error.remedy


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"title_column": "text"}, "title_column takes 'text', and no other column is known as the text"),
        ({"title_column": "label"}, "title_column takes 'label', and no other column is known as the label"),
        ({"label_column": "Kind of"}, 'label_column="Kind of it"'),
        ({"label_column": "kind", "header": "false"}, "without names as header=false"),
    ],
)
def test_setting_that_misleads_is_named(tmp_path, settings, expected):
    """A setting that takes a column away, or names one that is not there, is in the message."""
    path = tmp_path / "data.csv"
    path.write_text(
        "label,text\n" + PLAIN if "title_column" in settings else "Kind of it,text\n" + PLAIN, "utf-8"
    )
    with pytest.raises(UserError) as caught:
        open_table(path, ReaderSettings(**settings))
    assert expected in str(caught.value)


def test_no_message_quotes_a_text(tmp_path):
    """A text that stands where a name or a label should is given by its number or its words."""
    path = tmp_path / "data.csv"
    path.write_text("HUM,my password is hunter2\n" + PLAIN, encoding="utf-8")
    for settings in ({"label_column": "kind"}, {"header": "true"}):
        with pytest.raises(UserError) as caught:
            open_table(path, ReaderSettings(**settings))
        assert "hunter2" not in str(caught.value)
    mapper = DbpediaLabelMapper(["a", "b"])
    with pytest.raises(ValueError, match="label of 7 words is neither a class name"):
        mapper.map("where did you put the old keys")


def test_label_that_varies_can_be_confirmed(tmp_path):
    """Where nothing else looks like the label, the setting given is the column itself."""
    content = "label,text\n" + "".join(f"class {i},text number {i}\n" for i in range(200))
    assert "label_column=label text_column=text" in refusal(tmp_path, content).remedy


def test_second_file_is_to_be_like_the_first(tmp_path):
    """Where one file is understood and another is not, no setting mends both: the message says so."""
    channels = {}
    for name, header in (("train", "label,text"), ("validation", "kind,prose")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.csv").write_text(f"{header}\n{PLAIN}", encoding="utf-8")
        channels[name] = Channel(name, tmp_path / name)
    environment = Environment(root=tmp_path, hyperparameters={}, channels=channels)
    with pytest.raises(
        UserError, match=r"Give it the columns of train\.csv \(label 'label', text 'text'\)"
    ) as caught:
        check_files(TrainConfig(), environment)
    assert_clear(caught.value)


def test_quoted_cells_may_hold_tabs_and_line_breaks(tmp_path):
    """As pandas writes them between tabs; quotes that opened by chance hold rows with labels of other rows."""
    rows = "".join(f'"line one\tx{at}\nline two"\tpraise\n"a tab\there"\tcomplaint\n' for at in range(10))
    table = table_of(tmp_path, f"text\tlabel\n{rows}")
    found = [row for row in table.rows() if isinstance(row, Row)]
    assert [row.text for row in found[:2]] == ["line one\tx0\nline two", "a tab\there"]
    assert (len(found), {row.label for row in found}) == (20, {"praise", "complaint"})
    by_chance = 'praise\tgood\ncomplaint\tbad\npraise\t"so it begins\ncomplaint\tmore\npraise\tends"\n'
    assert [
        row.text for row in table_of(tmp_path, f"label\ttext\n{by_chance}").rows() if isinstance(row, Row)
    ] == [
        "good",
        "bad",
        '"so it begins',
        "more",
        'ends"',
    ]
