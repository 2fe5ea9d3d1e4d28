"""Records of two texts: every form in which clients send pairs, and what is no pair, refused in one sentence."""

import io
import json

import numpy as np
import pytest

from bert_classifier.data.text_columns import FixedColumns
from bert_classifier.data.text_fields import TextFields
from bert_classifier.data.text_pair import TextPair
from bert_classifier.errors import RequestError, UserError
from bert_classifier.job.answer_form import CSV, JSON, JSON_LINES, NPY, PLAIN
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.body_records import RecordError
from bert_classifier.serving.http.csv_form import CsvForm
from bert_classifier.serving.http.parameters import Wanted, of_parameters
from bert_classifier.serving.model.facts import ModelFacts

LINES = JSON_LINES[0]
PAIRED = TextFields(is_paired=True)
OWN = TextFields("claim", label="verdict", is_paired=True, text_pair="Abstract text")
CLASSES = ("entailment", "contradiction")
AB, CD = TextPair("a", "b"), TextPair("c", "d")


def decoded(media_type, body, fields=PAIRED, **form):
    """Return the query of a body for a model of pairs."""
    csv_form = CsvForm.of(form.pop("header", ""), CLASSES, **{"is_part": False, **form}, fields=fields)
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else None
    return codec.decode(media_type, json.dumps(body).encode() if raw is None else raw, 100, csv_form)


def pairs_of(records):
    """Return the records, None for each that is wrong."""
    assert all(isinstance(record, TextPair | RecordError) for record in records)
    return [record if isinstance(record, TextPair) else None for record in records]


@pytest.mark.parametrize(
    ("body", "nesting"),
    [
        ({"text": "a", "text_pair": "b"}, "object"),
        ({"inputs": {"text": "a", "text_pair": "b"}}, "object"),
        ({"inputs": {"text": "a", "text_pair": "b"}, "parameters": {"top_k": 1}}, "object"),
        ({"inputs": [{"text": "a", "text_pair": "b"}]}, "list"),
        ([["a", "b"]], "list"),
        ({"inputs": [["a", "b"]]}, "list"),
        ({"instances": [["a", "b"]]}, "list"),
        ({"instances": [{"text": "a", "text_pair": "b"}]}, "list"),
        ({"instances": [{"features": ["a", "b"]}]}, "list"),
        ({"sentence1": "a", "sentence2": "b"}, "object"),
        ({"premise": "a", "hypothesis": "b", "label": 1, "id": "x"}, "object"),
        ({"question": "a", "answer": "b"}, "object"),
        ([{"Question": "a", "Context": "b"}], "list"),
        ([{"textA": "a", "text_b": "b"}], "list"),
        ([{"text": "a", "text_pair": "b", "context": None, "query": ""}], "list"),
    ],
)
def test_json_forms_of_one_pair(body, nesting):
    """Objects by names in use, lists of lists, within an envelope or without; the answer is nested alike."""
    query = decoded(JSON, body)
    assert (pairs_of(query.records), query.nesting) == ([AB], nesting)


def test_the_trainings_own_names_come_first():
    """Whatever else the object has; but for case and separators."""
    record = {"claim": "a", "abstract_text": "b", "verdict": "x", "created": "2026"}
    assert pairs_of(decoded(JSON, record, OWN).records) == [AB]
    assert pairs_of(decoded(JSON, {"text": "a", "text_pair": "b"}, OWN).records) == [AB]
    assert TextFields.of(
        {
            "is_paired": True,
            "data": {"columns": {"text": "claim", "text_pair": "Abstract text", "label": "verdict"}},
        }
    ) == TextFields("claim", label="verdict", is_paired=True, text_pair="Abstract text")


def test_json_lines_have_a_pair_per_line():
    """There a line is one record, so that a list of two texts is a pair."""
    lines = [
        {"text": "a", "text_pair": "b"}, ["c", "d"], {"features": ["a", "b"]}, {"inputs": ["c", "d"]},
        {"inputs": {"premise": "a", "hypothesis": "b"}},
    ]  # fmt: skip
    body = "\n".join(map(json.dumps, lines))
    assert pairs_of(decoded(LINES, body).records) == [AB, CD, AB, CD, AB]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("a", "A record is one text. The model reads pairs of texts: send"),
        (["a"], "A record is one text. The model"),
        (["a", "b", "c"], "A record is one text. The model"),
        ({"inputs": "a"}, "A record is one text. The model"),
        ({"text": "a"}, "A record has one text, 'text'. The model"),
        ({"text": "a", "text_pair": None}, "the second text must be a string, not null"),
        ([["a"]], "A record is a list of one text."),
        ([["a", "b", "c"]], "A record is a list of 3 texts."),
        ([{"features": ["a"]}], '"features" are a list of one text.'),
        ([{"text": "a", "context": "b"}], "'text' and 'context', which are not called as the two texts of a pair."),
        ([{"text": "a", "text_pair": "b", "context": "c"}], "A record has 'context' beside 'text' and 'text_pair'."),
        ([{"question": "a", "answer": "b", "context": "c"}], "A record has several pairs of texts: 'question' and"),
        ([{"text": "a", "text_pair": "b", "top_k": 2}], "'top_k', which is a setting of a whole request"),
        ({"inputs": "a", "text_pair": "b"}, "unknown field 'text_pair'. Send {\"inputs\": [{\"text\": "),
        ({"inputs": None}, "The body holds no texts. Send {\"inputs\": [{\"text\": "),
    ],
    ids=json.dumps,
)  # fmt: skip
def test_what_is_no_pair_is_refused(body, message):
    """Nothing is guessed: an answer to one text, or to other two, would answer another question."""
    if body == {"text": "a", "text_pair": None}:
        (record,) = decoded(JSON, body).records
        assert record == RecordError(message)
        return
    with pytest.raises(RequestError) as caught:
        decoded(JSON, json.dumps(body))
    assert message in str(caught.value)
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [["a", "b"], {"inputs": ["a", "b"]}, {"instances": ["a", "b"]}])
def test_a_list_of_two_texts_is_no_pair(body):
    """A list has a record in each place, in every form of body; who sends two texts may mean one pair."""
    with pytest.raises(RequestError) as caught:
        decoded(JSON, body)
    assert str(caught.value) == (
        "A list of two texts may be one pair, or two records of one text each. Send one pair as"
        ' [["first text", "second text"]], or as {"text": "…", "text_pair": "…"}.'
    )
    assert caught.value.code == "one_text"


def test_a_single_text_on_a_line_fails_alone():
    """In JSON Lines each line is answered by itself; so is a pair sent to a model of single texts."""
    body = "\n".join(map(json.dumps, ["a", ["a", "b"], {"text": "a"}, {"text": " ", "text_pair": ""}, 7]))
    first, pair, third, empty, number = decoded(LINES, body).records
    assert pair == AB
    assert (first.code, third.code) == ("one_text", "one_text")
    assert third.error == (
        "A record has one text, 'text'. The model reads pairs of texts: send"
        ' {"text": "…", "text_pair": "…"} for each record.'
    )
    assert empty == RecordError("both texts of the pair are empty")
    assert number.error == "the record must be a pair of texts, not a number"
    pair, single = decoded(LINES, '["a", "b"]\n"c"', TextFields()).records
    assert (pair.code, single) == ("second_text", "c")


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
            "Blanks stand behind the delimiter in each row, which so may be one text",
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


@pytest.mark.parametrize("body", [b"", b" ", b"{}", b'{"foo": 1}', b'{"inputs": "a", "instances": "b"}'])
def test_a_body_without_pairs_is_told_the_form_of_pairs(body):
    """The remedy is a body that the model takes."""
    with pytest.raises(RequestError) as caught:
        decoded(JSON, body)
    form = str(caught.value).partition("Send ")[2].removesuffix(".")
    assert pairs_of(decoded(JSON, form).records) == [TextPair("first text", "second text")]


@pytest.mark.parametrize("record", [["a", ""], ["", "a"], {"text": "a", "text_pair": " "}])
def test_an_empty_side_stays_a_text_of_its_pair(record):
    """As at training; only a pair without any text is an error."""
    query = decoded(JSON, [record])
    assert len(pairs_of(query.records)) == 1
    assert None not in pairs_of(query.records)
    for empty in (["", ""], ["", " "]):
        assert decoded(JSON, [empty]).records == [RecordError("both texts of the pair are empty")]


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


def npy(array):
    """Return an array as numpy writes it."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_arrays_have_two_columns():
    """Row by row, also where the array stores its columns one after the other, as pandas' tables do."""
    array = np.array([["a", "b"], ["c", "d"]])
    for each in (array, np.asfortranarray(array), array.astype("S")):
        assert pairs_of(decoded(NPY, npy(each)).records) == [AB, CD]
    for wrong in (np.array(["a", "b"]), np.array([["a", "b", "c"]]), np.array([["a"], ["b"]])):
        with pytest.raises(RequestError, match="no pairs of texts in two columns") as caught:
            decoded(NPY, npy(wrong))
        assert caught.value.code == "bad_npy"


def test_plain_text_has_no_pairs():
    """One sentence says what to send."""
    with pytest.raises(
        RequestError, match=r"A line of plain text is one text\. The model reads pairs of texts: send"
    ):
        decoded(PLAIN, "a\tb")


def test_truncation_is_that_of_training():
    """transformers' names for how pairs are cut: longest_first is its True."""
    longest = ModelFacts.of({"max_seq_length": 64, "is_paired": True, "pair_truncation": "longest_first"})
    second = ModelFacts.of({"max_seq_length": 64, "is_paired": True, "pair_truncation": "only_second"})
    for value, model in ((True, longest), ("longest_first", longest), ("only_second", second)):
        assert of_parameters({"truncation": value}, model) is None
    for value, model in (("only_second", longest), (True, second), ("only_first", longest)):
        with pytest.raises(RequestError, match="pairs longer than the model reads are always cut by"):
            of_parameters({"truncation": value}, model)
    assert of_parameters({"truncation": True, "top_k": 1}, longest) == Wanted(1)
