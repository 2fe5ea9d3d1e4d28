"""Records of two texts: every form in which clients send pairs, and what is no pair, refused in one sentence."""

import io
import json

import numpy as np
import pytest

from bert_classifier.data.text_fields import TextFields
from bert_classifier.data.text_pair import TextPair
from bert_classifier.errors import RequestError
from bert_classifier.job.answer_form import JSON, NPY, PLAIN
from bert_classifier.serving.http.body_records import RecordError
from bert_classifier.serving.http.parameters import Wanted, of_parameters
from bert_classifier.serving.model.facts import ModelFacts
from support.pair_bodies import AB, CD, LINES, OWN, decoded, pairs_of


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
