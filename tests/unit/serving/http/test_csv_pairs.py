"""Text pairs in CSV: two columns by names in use, by the training's own or by numbers, and what is no pair."""

import pytest

from bert_classifier.data.text_columns import FixedColumns
from bert_classifier.data.text_fields import TextFields
from bert_classifier.data.text_pair import TextPair
from bert_classifier.errors import RequestError, UserError
from bert_classifier.job.answer_form import CSV
from bert_classifier.serving.http.body_records import RecordError
from support.pair_bodies import AB, CD, OWN, PAIRED, decoded, pairs_of


@pytest.mark.parametrize(
    ("body", "understood"),
    [
        ("text,text_pair\na,b\nc,d", "header, text in column 1 of 2, its pair in column 2"),
        ("hypothesis,premise\nb,a\nd,c", "header, text in column 2 of 2, its pair in column 1"),
        (
            "id;sentence1;sentence2;label\n1;a;b;x\n2;c;d;y",
            "header, text in column 2 of 4, its pair in column 3",
        ),
        ('"question","answer"\n"a","b"\n"c","d"', "header, text in column 1 of 2, its pair in column 2"),
        ("a,b\nc,d", "no header, text in column 1 of 2, its pair in column 2"),
        ("a\tb\nc\td", "no header, text in column 1 of 2, its pair in column 2"),
        ('"a","b"\r\n"c","d"\r\n', "no header, text in column 1 of 2, its pair in column 2"),
        (
            "entailment,a,b\nCONTRADICTION,c,d",
            "no header, label in column 1, text in column 2 of 3, its pair in column 3",
        ),
    ],
)
def test_csv_has_two_columns(body, understood):
    """Named by a header, or two alone, or behind a class of the model."""
    query = decoded(CSV, body)
    assert pairs_of(query.records) == [AB, CD]
    assert query.understood == understood


def test_csv_with_the_trainings_names():
    """As its file had them, announced or not."""
    body = "verdict,claim,Abstract text\nentailment,a,b\ncontradiction,c,d"
    for header in ("", "present"):
        assert pairs_of(decoded(CSV, body, OWN, header=header).records) == [AB, CD]


def test_csv_with_the_trainings_numbers():
    """Of a file without names, which the training was told."""
    numbers = (("text_column", "4"), ("text_pair_column", "1"), ("label_column", "2"))
    told = TextFields(numbers=numbers, is_paired=True)
    query = decoded(CSV, "b,entailment,7,a\nd,contradiction,8,c", told)
    assert pairs_of(query.records) == [AB, CD]
    assert query.understood == "no header, label in column 2, text in column 4 of 4, its pair in column 1"


def test_commas_in_quoted_cells():
    """As every writer of CSV quotes them; a row of another width is an error in its place."""
    body = '"Well, yes.","No, ""never""."\na,b\na,b,c\n\n,d\n'
    records = decoded(CSV, body).records
    assert records[0] == TextPair("Well, yes.", 'No, "never".')
    assert records[1] == AB
    assert records[2] == RecordError("the row has 3 cells instead of 2: quote a text that has commas")
    assert records[3:] == [RecordError("the text is empty"), TextPair("", "d")]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("one text\nanother one", "Most rows do not have two cells, and the model reads pairs of texts."),
        ("", ""),
        ("a,b,c\nd,e,f", "Most rows do not have two cells"),
        (
            "Yes, of course\nNo, thanks",
            "In most rows a blank stands behind the only delimiter, so that each may be one text",
        ),
        ("entailment,a\ncontradiction,b", "Most rows begin with a class beside a comma, like training data"),
        (
            "text\na\nb",
            "not the two texts of a pair, which the model reads. Call them 'text' and 'text_pair'.",
        ),
        ("label,text\nentailment,a", "not the two texts of a pair"),
        (
            "question,answer,context\na,b,c\nd,e,f",
            "several pairs of texts: 'question' and 'answer' or 'question'",
        ),
    ],
)
def test_csv_that_may_hold_something_else(body, message):
    """Refused as a whole, since each row would be misread."""
    if not body:
        assert decoded(CSV, body).records == []
        return
    with pytest.raises(RequestError) as caught:
        decoded(CSV, body)
    assert message in str(caught.value)
    assert caught.value.code == "bad_csv"


@pytest.mark.parametrize(
    "names", ["q1,q2", "left,right", "sent_a,sent_b", "ticket,prose", "first-text\tother"]
)
def test_names_that_are_not_in_use_are_no_pair(names):
    """Single words above longer texts are a header in doubt, unless the client says that there is none."""
    tab = "\t" if "\t" in names else ","
    body = f"{names}\nThe printer is on fire{tab}It burns\nyes{tab}It does not"
    with pytest.raises(
        RequestError, match=r"its names are not in use .* Name the columns text and text_pair"
    ):
        decoded(CSV, body)
    assert decoded(CSV, body, header="absent").records[0] == TextPair(*names.split(tab))
    assert len(decoded(CSV, "yes,no\nmaybe,never\nA text,and another").records) == 3
    assert len(decoded(CSV, "It burns,It does\nA longer text,and another").records) == 2


@pytest.mark.parametrize(
    ("body", "column"),
    [
        ("17,The printer burns\n18,It does not", 1),
        ("A-17,The printer burns\nA-18,It does not", 1),
        ("The printer burns,2026-11-29\nIt does not,2026-11-30", 2),
        ("The printer burns,2026-11-29 13:30:00\nIt does not,2026-11-30T13:30:00Z", 2),
    ],
)
@pytest.mark.parametrize("header", ["", "absent"])
def test_numbers_and_dates_are_no_second_texts(body, column, header):
    """Ids and dates beside one text make no pair; one text of all that is a number or the like does not matter."""
    with pytest.raises(
        RequestError, match=f"^Column {column} of 2 holds only numbers, dates or codes"
    ) as caught:
        decoded(CSV, body, header=header)
    assert caught.value.code == "bad_csv"
    assert len(decoded(CSV, f"{body}\nWho says so?,The boss").records) == 3
    with pytest.raises(RequestError, match="set SERVING_CSV_COLUMNS"):
        decoded(CSV, "\n".join([body] * 3), is_part=True)
    assert len(decoded(CSV, body, is_part=True).records) == 2


PROSE = "Yes, of course\nNo, thanks\n"


def test_rows_that_may_be_one_text_are_pairs_among_pairs_only():
    """Training reads each row with one comma as two cells; so does the server, unless most rows look like prose."""
    assert len(decoded(CSV, f"{PROSE}a,b\nc,d").records) == 4
    for body in (f"{PROSE}a,b", f"{PROSE}one,two,three\n"):
        for header in ("", "absent"):
            with pytest.raises(
                RequestError, match=r"In most rows a blank .* Send a header row that names the columns"
            ):
                decoded(CSV, body, header=header)
    assert pairs_of(decoded(CSV, f"text,text_pair\n{PROSE}").records)[0] == TextPair("Yes", " of course")
    assert pairs_of(decoded(CSV, '"Yes"," of course"').records) == [TextPair("Yes", " of course")]


def test_parts_that_may_be_one_text_are_refused_as_a_whole_body_is():
    """A part of one row is an error in its place; the columns of a setting leave no doubt."""
    with pytest.raises(RequestError, match="For batch transform, set SERVING_CSV_COLUMNS"):
        decoded(CSV, PROSE, is_part=True)
    (row,) = decoded(CSV, "Yes, of course", is_part=True).records
    assert isinstance(row, RecordError)
    assert "SERVING_CSV_COLUMNS" in row.error
    columns = FixedColumns.of("text,text_pair", PAIRED)
    assert pairs_of(decoded(CSV, PROSE, is_part=True, columns=columns).records)[1] == TextPair(
        "No", " thanks"
    )


def test_parts_of_a_file_in_batch_transform():
    """Two cells between commas; a header is refused, or given by SERVING_CSV_COLUMNS."""
    assert pairs_of(decoded(CSV, "a,b\nc,d\n", is_part=True).records) == [AB, CD]
    with pytest.raises(RequestError, match="looks like a header"):
        decoded(CSV, "premise,hypothesis\na,b\nc,d", is_part=True)
    (row,) = decoded(CSV, "only one text", is_part=True).records
    assert row == RecordError("the row has 1 cell instead of 2")
    columns = FixedColumns.of("label,premise,hypothesis", PAIRED)
    for body in ("label,premise,hypothesis\nx,a,b\ny,c,d", "x,a,b\ny,c,d"):
        assert pairs_of(decoded(CSV, body, is_part=True, columns=columns).records) == [AB, CD]
    with pytest.raises(
        UserError, match="SERVING_CSV_COLUMNS names 2 columns, but not the two texts of a pair"
    ):
        FixedColumns.of("label,text", PAIRED)
