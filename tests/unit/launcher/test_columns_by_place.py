"""CSV without a header in a batch transform: a column that does not look like texts is refused, however few rows."""

import pytest

from bert_classifier.errors import RequestError
from bert_classifier.job.findings import Severity
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.csv_form import CsvForm
from support.transform_texts import look

ROWS = {
    "a date behind the text": '{label},"text {i}, x",2026-01-{day}',
    "a time behind the text": '{label},"text {i}, x",2026-01-{day}T10:00:00Z',
    "a date alone behind the text": '"text {i}, x",2026-01-{day}',
    "a label behind the text": '"text {i}, x",{label}',
    "a label behind text and date": '2026-01-{day},"text {i}, x",{label}',
    "a date between semicolons": '{label};"text {i}; x";2026-01-{day}',
}


@pytest.mark.parametrize("number", [1, 2, 5, 30])
@pytest.mark.parametrize("key", ROWS)
def test_what_does_not_look_like_texts_is_refused(tmp_path, key, number):
    """Where the place alone tells the text; TEXT_COLUMN does instead."""
    rows = [
        ROWS[key].format(label=["praise", "blame"][i % 2], i=i, day=f"{i % 28 + 1:02}") for i in range(number)
    ]
    path = tmp_path / "a.csv"
    path.write_text("".join(f"{row}\n" for row in rows))
    _, findings = look(path, tmp_path / "scratch")
    (failure,) = [one for one in findings if one.severity is Severity.ERROR]
    column = ROWS[key].replace(";", ",").split(",").index('"text {i}') + 1
    assert f"TEXT_COLUMN={column}" in failure.remedy
    assert "HEADER=absent" not in failure.remedy
    assert "text_column" not in failure.remedy + failure.message
    told, findings = look(path, tmp_path / "again", header="false", text_column=str(column))
    assert [one for one in findings if one.severity is not Severity.OK] == []
    assert told.local
    (written,) = told.local.files.values()
    assert written.read_text().count(", x" if ";" not in ROWS[key] else "; x") == number


@pytest.mark.parametrize(
    "content",
    [
        'praise,"good, really"\n',
        'praise,"a title","a longer text, quoted"\n',
        "1,good morning\n1,bad evening\n2,no\n2,so\n",
        'praise,"12, 14"\nblame,"good"\n',
        "praise,好\npraise,不\nblame,坏\nblame,差\n",
    ],
)
def test_what_looks_like_texts_is_sent(tmp_path, content):
    """Few words and numbers among them included."""
    path = tmp_path / "a.csv"
    path.write_text(content)
    found, findings = look(path, tmp_path / "scratch")
    assert {one.severity for one in findings} == {Severity.OK}
    assert found.columns in ("label,text", "label,title,text")


@pytest.mark.parametrize(
    "content", ["label\npraise\nblame\n", ",Label\n0,praise\n1,blame\n", "sentiment;\ngood;\nbad;\n"]
)
def test_a_table_of_labels_alone_is_refused(tmp_path, content):
    """Whose server would not start; unless the texts are called that."""
    path = tmp_path / "a.csv"
    path.write_text(content)
    _, findings = look(path, tmp_path / "scratch")
    (failure,) = [one for one in findings if one.severity is Severity.ERROR]
    assert "so it has no texts" in failure.message
    assert "TEXT_COLUMN=" in failure.remedy
    name = content.split("\n")[0].strip(",;")
    _, findings = look(path, tmp_path / "again", text_column=name)
    assert {one.severity for one in findings} == {Severity.OK}


def test_the_index_of_pandas_tells_a_header(tmp_path):
    """Whatever it names: the server knows whether it is the text."""
    path = tmp_path / "a.csv"
    path.write_text(",Kommentar\n0,good\n1,bad\n2,so so\n")
    found, findings = look(path, tmp_path / "scratch")
    assert found.local
    assert (found.columns, found.local.files["a.csv"].read_text()) == (
        ",Kommentar",
        "0,good\n1,bad\n2,so so\n",
    )
    (doubt,) = [one for one in findings if one.severity is not Severity.OK]
    assert doubt.severity is Severity.WARNING
    assert "TEXT_COLUMN=Kommentar" in doubt.remedy


def test_remedies_lead_out(tmp_path):
    """None names a setting that another one refuses."""
    path = tmp_path / "a.csv"
    path.write_text("label,text\n7,one\n")
    _, findings = look(path, tmp_path / "scratch", content_type="text/csv")
    (failure,) = [one for one in findings if one.severity is Severity.ERROR]
    assert failure.remedy.startswith("Leave CONTENT_TYPE out")
    assert all("leave CONTENT_TYPE out" in one.remedy for one in findings if one.severity is Severity.WARNING)
    _, findings = look(path, tmp_path / "again")
    assert {one.severity for one in findings} == {Severity.OK}


def test_settings_are_named_as_they_are_given(tmp_path):
    """In causes, too."""
    path = tmp_path / "a.csv"
    path.write_text("label,text\n7,one\n")
    _, findings = look(path, tmp_path / "scratch", text_column="nope")
    (failure,) = [one for one in findings if one.severity is Severity.ERROR]
    assert "TEXT_COLUMN" in failure.message
    assert "text_column" not in failure.message + failure.remedy


def test_records_of_features_are_no_doubt(tmp_path):
    """The server reads them."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"features": ["one"]}\n{"features": ["two"]}\n')
    found, findings = look(path, tmp_path / "scratch")
    assert found.media_type == "application/jsonlines"
    assert {one.severity for one in findings} == {Severity.OK}


@pytest.mark.parametrize(
    ("first", "is_refused"),
    [("sep=;", True), ("text" + ",b" * 1500, False), ("label;text", True), ("so, so", False)],
)
@pytest.mark.parametrize("content_type", ["text/csv", "text/csv; header=absent"])
def test_the_launcher_and_the_server_agree_on_a_first_row(tmp_path, first, is_refused, content_type):
    """Of texts that are sent as they are."""
    path = tmp_path / "a.csv"
    path.write_text(f"{first}\nhello there\n")
    _, findings = look(path, tmp_path / "scratch", content_type=content_type)
    is_told = content_type != "text/csv"
    form = CsvForm.of("absent" if is_told else "", ["A", "B"], is_part=True)
    try:
        list(codec.decode("text/csv", path.read_bytes(), 100, form).records)
        answer = 200
    except RequestError as error:
        answer = error.status
    severities = {one.severity for one in findings}
    assert (answer, Severity.ERROR in severities) == (
        (400, True) if is_refused and not is_told else (200, False)
    )


def test_an_unknown_header_above_few_rows_can_be_told(tmp_path):
    """By what the refusal says: a number stands for the text's name."""
    path = tmp_path / "a.csv"
    path.write_text('Kommentar,Datum\n"gut, sehr",2026-01-01\n"schlecht, sehr",2026-01-02\n')
    _, findings = look(path, tmp_path / "scratch")
    (failure,) = [one for one in findings if one.severity is Severity.ERROR]
    assert "set TEXT_COLUMN=1, and HEADER=true where line 1 names the columns" in failure.remedy
    told, findings = look(path, tmp_path / "again", text_column="1", header="true")
    assert {one.severity for one in findings} == {Severity.OK}
    assert told.local
    (written,) = told.local.files.values()
    assert written.read_text() == '{"text": "gut, sehr"}\n{"text": "schlecht, sehr"}\n'


@pytest.mark.parametrize(
    ("name", "content", "doubts"),
    [
        ("a.csv", "text,label\none,7\n\n,3\n", ["has 1 row of 2 without a text", "has 1 blank line"]),
        (
            "a.jsonl",
            '{"text": "one"}\n{"text": " "}\n{"text": 3}\n',
            ["1 row of 3 that cannot", "1 row of 3 without"],
        ),
        ("a.txt", "one\n\n\ntwo\n", ["has 2 blank lines"]),
        ("a.csv", "text\none\nso, so\n", []),
    ],
)
def test_rows_that_are_answered_with_an_error_are_told(tmp_path, name, content, doubts):
    """Also of files that are sent as they are."""
    path = tmp_path / name
    path.write_text(content)
    found, findings = look(path, tmp_path / "scratch")
    assert not found.is_converted
    wrong = [one.message for one in findings if one.severity is not Severity.OK]
    assert len(wrong) == len(doubts)
    assert all(doubt in message for doubt, message in zip(doubts, wrong, strict=True))
    assert all("answered with an error" in message for message in wrong)
