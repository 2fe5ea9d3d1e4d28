"""JSON Lines: what is a value, what is a mistake, and that no nesting brings the parser down."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.records import (
    MAX_JSON_DEPTH,
    JsonRow,
    RowError,
    parse_json,
    read_json_rows,
    text_problem,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('[]{}"\\a:,'),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('[]{}"\\a', max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def rows_of(text):
    """Return the rows of a text."""
    return list(read_json_rows(io.StringIO(text, newline="")))


def depth_of(value):
    """Return how deep lists and objects are nested in a value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max((depth_of(v) for v in inner), default=0)


def test_values_come_with_their_lines():
    """Each line is a value of its own; blank lines are passed over and still counted."""
    text = '{"text": "a"}\n\n  \n["b", 1]\r\n"c"\r4.5'
    assert rows_of(text) == [
        JsonRow(1, {"text": "a"}),
        JsonRow(4, ["b", 1]),
        JsonRow(5, "c"),
        JsonRow(6, 4.5),
    ]


def test_wrong_line_does_not_stop_the_others():
    """A line that is no JSON is reported in its place, and its neighbours are read."""
    first, wrong, last = rows_of('"a"\n{"text": \n"b"\n')
    assert (first, last) == (JsonRow(1, "a"), JsonRow(3, "b"))
    assert isinstance(wrong, RowError)
    assert wrong.line == 2
    assert wrong.cause.startswith("it is not valid JSON (")
    assert wrong.remedy == "Write one JSON value per line."


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("NaN", "NaN is not JSON"),
        ('{"label": Infinity}', "Infinity is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        ('{"text": "a", "text": "b"}', "names the same field twice"),
        ('[{"x": {"a": 1, "a": 1}}]', "names the same field twice"),
        ("{'text': 'a'}", "Expecting property name"),
        ('{"text": "a"} {"text": "b"}', "Extra data"),
        ('"a\tb"', "Invalid control character"),
        ('"a\0b"', "Invalid control character"),
        ("{", "Expecting property name"),
        ('"open', "Unterminated string"),
        ('"\\ud8"', "Invalid"),
        ("\ufeff1", "BOM"),
        ("9" * 5000, "digits"),
        ("hello", "Expecting value"),
    ],
)
def test_mistakes_are_reported_without_the_text(text, cause):
    """The message names the kind of mistake and never quotes the data."""
    (row,) = rows_of(text)
    assert isinstance(row, RowError)
    assert cause in row.cause
    assert "hello" not in row.cause


@pytest.mark.parametrize("depth", [MAX_JSON_DEPTH + 1, 500, 5000, 200_000])
@pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")], ids=["lists", "objects", "mixed"]
)
def test_deep_nesting_is_refused(depth, opening, closing):
    """However deep a value is nested, and whether it is ever closed or not, the answer is one sentence."""
    for text in (opening * depth + "1" + closing * depth, opening * depth):
        (row,) = rows_of(text)
        assert isinstance(row, RowError)
        assert "nested deeper than 32 levels" in row.cause


def test_deepest_nesting_allowed_is_read():
    """The limit itself is allowed, and many values side by side are not deep."""
    assert depth_of(parse_json("[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH)) == MAX_JSON_DEPTH
    inner = "[" * (MAX_JSON_DEPTH - 1) + "]" * (MAX_JSON_DEPTH - 1)
    assert depth_of(parse_json(f"[[], {inner}, {{}}]")) == MAX_JSON_DEPTH
    assert parse_json("[" + "[]," * 1000 + "{}]") == [[]] * 1000 + [{}]


@pytest.mark.parametrize(
    "text", ["[" * 500, "{[" * 500 + '"', '\\"[[' * 500, "\\\\" * 500 + "[" * 100, '["' * 500]
)
def test_brackets_inside_a_text_are_not_nesting(text):
    """A text full of brackets, quotes and backslashes is a text."""
    assert parse_json(json.dumps({"text": text})) == {"text": text}


def test_endless_quotes_are_refused_at_once():
    """A text that never ends costs one pass over it, not one pass for each of its quotes."""
    with pytest.raises(ValueError, match="Unterminated string"):
        parse_json('"' + '\\"[' * 1_000_000)


@given(VALUES, st.integers(0, 40))
def test_depth_is_counted_as_json_nests(value, wrapped):
    """A value is read exactly when its nesting stays within the limit, whatever its texts hold."""
    for _ in range(wrapped):
        value = [value]
    text = json.dumps(value)
    if depth_of(value) <= MAX_JSON_DEPTH:
        assert parse_json(text) == value
    else:
        with pytest.raises(ValueError, match="nested deeper"):
            parse_json(text)


@pytest.mark.parametrize("escape", ["\\ud800", "\\udfff", "a\\ude00\\ud83db"])
def test_lone_surrogate_is_a_value_but_no_text(escape):
    """Half a surrogate pair is legal JSON; as a text to classify it is refused by name."""
    value = parse_json(f'"{escape}"')
    assert text_problem(value) == "the text holds half of a surrogate pair"


def test_surrogate_pair_is_one_character():
    """Both halves together are the character they stand for."""
    assert parse_json('"\\ud83d\\ude80"') == "🚀"
    assert text_problem("🚀") is None


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("fine", None),
        (" x ", None),
        ("\0", None),
        ("", "the text is empty"),
        (" \t\r\n\u3000", "the text is empty"),
        (None, "the text must be a string, not null"),
        (3, "the text must be a string, not a number"),
        (True, "the text must be a string, not true or false"),
        (["a"], "the text must be a string, not a list"),
    ],
)
def test_text_problem(value, problem):
    """Only a string with something in it can be classified; the reason says what else it is."""
    assert text_problem(value) == problem


@given(st.text())
def test_text_without_a_problem_can_be_encoded(text):
    """Whatever passes can be written as UTF-8, which the tokenizer and every answer need."""
    if text_problem(text) is None:
        assert text.encode("utf-8").strip()
