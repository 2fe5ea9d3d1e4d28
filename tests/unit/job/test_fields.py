"""The strict parser of settings: which spellings are read, which are refused, and with what words."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.errors import UserError
from bert_classifier.job.settings import (
    boolean,
    choice,
    integer,
    nearest,
    number,
    parse_values,
    refuse,
    shown,
    specs,
    string,
    unquote,
)


@dataclasses.dataclass(frozen=True)
class Sample:
    """One setting of each kind."""

    steps: int = integer(5, 1, 1000, "Steps.")
    rate: float = number(0.5, 0, 1, "Rate.", above=True)
    decay: float = number(0.5, 0, 1, "Decay.")
    frozen: bool = boolean(False, "Frozen?")
    mode: str = choice("auto", ("auto", "fp32"), "Mode.")
    name: str = string("bert", "Name.")
    epochs: int | None = integer(None, 1, 9, "Epochs.", auto=True)
    not_a_setting: int = 3


def parsed(**raw):
    """Return the values of Sample, which must all be right."""
    values, mistakes = parse_values(Sample, raw, "setting")
    assert mistakes == []
    return values


def mistake(**raw):
    """Return the one sentence that a wrong value of Sample gets."""
    values, mistakes = parse_values(Sample, raw, "setting")
    assert values == {}
    assert len(mistakes) == 1
    return mistakes[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("1000", 1000), ("+7", 7), ("007", 7), (" 7 ", 7), ('"7"', 7), (7, 7), ("\n7\t", 7)],
)
def test_integer_spellings(text, value):
    """A whole number is read plain, signed, JSON-quoted or surrounded by blanks, limits included."""
    assert parsed(steps=text) == {"steps": value}


BAD_NUMBERS = (
    "",
    "x",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "Infinity",
    "1_0",
    "１",
    "٣",
    "1 0",
    "1,0",
    "0x1",
    "1e",
    "--1",
    "1\0",
)


@pytest.mark.parametrize(
    "text",
    [*BAD_NUMBERS, "0", "1001", "-1", "1.0", "1e2", "9" * 19, "9" * 5000, True, 1.5, "true", '"1', "''"],
)
def test_integer_refuses(text):
    """What is no plain whole number in range is refused with name, value and range."""
    assert mistake(steps=text) == f"setting steps={shown(text)} is not a whole number from 1 to 1000"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("0.25", 0.25),
        (".5", 0.5),
        ("1.", 1.0),
        ("5e-05", 5e-5),
        ("2E-2", 0.02),
        ('"0.1"', 0.1),
        (0.5, 0.5),
    ],
)
def test_number_spellings(text, value):
    """A number is read as Python's str() and JSON write it, exponents included."""
    assert parsed(rate=text) == {"rate": value}


@pytest.mark.parametrize(
    "text", [*BAD_NUMBERS, "1.01", "-0.1", "1e400", ".", "e5", True, float("nan"), float("inf")]
)
def test_number_refuses(text):
    """What is no finite plain number in range is refused, also where float() would take it."""
    assert mistake(decay=text) == f"setting decay={shown(text)} is not a number from 0 to 1"


def test_number_above_excludes_its_lower_limit():
    """A range that begins above its limit refuses the limit and what underflows to it; others take it."""
    assert parsed(decay="0") == {"decay": 0.0}
    for text in ("0", "0.0", "1e-400"):
        assert mistake(rate=text) == f"setting rate='{text}' is not a number above 0 and at most 1"


def test_long_wrong_number_is_refused_at_once():
    """A wrong number of a million digits costs no more than reading it once."""
    assert "rate='111" in mistake(rate="1" * 1_000_000 + "x")


@pytest.mark.parametrize("text", ["True", "true", "TRUE", "1", '"true"', True, 1])
def test_boolean_true(text):
    """Every usual spelling of true is read."""
    assert parsed(frozen=text) == {"frozen": True}


@pytest.mark.parametrize("text", ["False", "false", "0", '"False"', False, 0])
def test_boolean_false(text):
    """Every usual spelling of false is read; a filled string is not simply true."""
    assert parsed(frozen=text) == {"frozen": False}


@pytest.mark.parametrize("text", ["", "yes", "on", "t", "2", "1.0", "truе", "none", []])
def test_boolean_refuses(text):
    """Anything else is refused instead of being guessed at."""
    assert mistake(frozen=text) == f"setting frozen={shown(text)} is not true or false"


def test_choice_takes_its_options_only():
    """One of the options, in any case; the refusal lists them."""
    assert parsed(mode="fp32") == {"mode": "fp32"}
    assert parsed(mode='"fp32"') == {"mode": "fp32"}
    assert parsed(mode="FP32") == {"mode": "fp32"}
    assert mistake(mode="FP23") == "setting mode='FP23' is not one of auto, fp32"


@pytest.mark.parametrize("text", ["google/bert_uncased_L-2", "Größe", "a b", "x" * 256])
def test_string_takes_printable_text(text):
    """A text of up to 256 printable characters is taken as it is."""
    assert parsed(name=text) == {"name": text}


@pytest.mark.parametrize(
    "text", ["", "  ", '""', '" "', "x" * 257, "a\nb", "nul\0", "\x1b[0m", "\ud800", ["a"], {}]
)
def test_string_refuses(text):
    """Empty, long or unprintable text and structures are refused."""
    assert mistake(name=text).endswith("is not 1 to 256 printable characters")


@pytest.mark.parametrize("nothing", [None, "None", "null", '"None"', " null "])
def test_no_value_leaves_the_default(nothing):
    """None, in Python's or JSON's spelling, means "not given" for every kind of setting."""
    assert parsed(steps=nothing, rate=nothing, frozen=nothing, mode=nothing, name=nothing) == {}


@pytest.mark.parametrize("auto", ["auto", '"auto"', " auto "])
def test_auto_is_not_given_where_it_is_accepted(auto):
    """Where the program can choose, auto says so; elsewhere it is a value like any other."""
    assert parsed(epochs=auto) == {}
    assert parsed(epochs="3") == {"epochs": 3}
    assert mistake(epochs="AUTO") == "setting epochs='AUTO' is not a whole number from 1 to 9, or auto"
    assert mistake(steps="auto") == "setting steps='auto' is not a whole number from 1 to 1000"
    assert parsed(mode="auto") == {"mode": "auto"}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ('"a"', "a"),
        ('"a\\"b"', 'a"b'),
        ('"\\u00e4"', "ä"),
        ('"', '"'),
        ('"a" and "b"', '"a" and "b"'),
        ('"a\\"', '"a\\"'),
        (1.5, "1.5"),
        (True, "true"),
    ],
)
def test_unquote(raw, text):
    """JSON quotes are removed where they enclose one JSON string; anything else stays what it is."""
    assert unquote(raw) == text


@given(st.text().filter(lambda t: t.strip() == t and t not in {"None", "null"} and not t.startswith('"')))
def test_unquote_undoes_both_encodings(text):
    """What the SDK writes with str() and what it writes with json.dumps() arrive as the same text."""
    assert unquote(text) == text
    assert unquote(json.dumps(text)) == text


def test_only_fields_made_here_are_settings():
    """A plain dataclass field is no setting: nobody can set it from outside."""
    assert list(specs(Sample)) == ["steps", "rate", "decay", "frozen", "mode", "name", "epochs"]
    assert "unknown setting 'not_a_setting'" in mistake(not_a_setting="1")


def test_every_mistake_is_reported_and_right_values_survive():
    """One wrong value hides no other, and leaves the right ones parsed."""
    values, mistakes = parse_values(
        Sample, {"steps": "x", "mode": "fp32", "zzz": "1", "frozen": "?"}, "setting"
    )
    assert values == {"mode": "fp32"}
    assert [m.split("=")[0] for m in mistakes] == [
        "setting steps",
        "unknown setting 'zzz'",
        "setting frozen",
    ]


def test_spelling_names_a_setting_as_its_user_wrote_it():
    """A message calls the setting by the name its user knows."""
    _, mistakes = parse_values(Sample, {"steps": "x"}, "environment variable", spelling=str.upper)
    assert mistakes[0].startswith("environment variable STEPS='x' is not")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("learnng-rate", "learning_rate"),
        ("Learning_Rate", "learning_rate"),
        ("learningrate", "learning_rate"),
        ("epoch", "num_train_epochs"),
        ("  epochs ", "num_train_epochs"),
        ("x" * 10_000, None),
        ("zzz", None),
        ("", None),
        ("e", None),
    ],
)
def test_nearest_name(written, meant):
    """A misspelt or shortened name finds the one that was meant; an alien one finds nothing."""
    assert nearest(written, ["learning_rate", "num_train_epochs", "seed"]) == meant


def test_misspelt_older_name_is_hinted_at_by_its_new_name():
    """The hint for a misspelt alias is the setting it stands for."""
    _, mistakes = parse_values(Sample, {"smothing": "1"}, "setting", aliases={"smoothing": "decay"})
    assert mistakes == ["unknown setting 'smothing', did you mean decay?"]


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("abc", "'abc'"),
        ("a\nb\x1b\ud800", "'a�b��'"),
        ("x" * 60, "'" + "x" * 60 + "'"),
        ("x" * 61, "'" + "x" * 60 + "…'"),
        (None, "'null'"),
        ([1, "a"], "'[1, \"a\"]'"),
        ({1}, "'a value of type set'"),
    ],
)
def test_shown_is_short_and_printable(value, quoted):
    """A message quotes a wrong value in at most 60 printable characters, whatever the value is."""
    assert shown(value) == quoted


def test_giant_integer_is_refused_like_any_other_value():
    """A number too long for Python to spell does not break the message about it."""
    assert (
        mistake(steps=10**5000) == "setting steps='a value of type int' is not a whole number from 1 to 1000"
    )


def test_refuse_without_mistakes_does_nothing():
    """No mistake, no error."""
    refuse([], "Remedy.")


def test_refuse_makes_one_sentence_of_all_mistakes():
    """All mistakes come in one error that begins like a sentence and ends like one."""
    with pytest.raises(UserError) as caught:
        refuse(["setting a is wrong", "setting b is wrong"], "Correct them.")
    assert str(caught.value) == "Setting a is wrong; setting b is wrong. Correct them."
    with pytest.raises(UserError, match=r"did you mean b\?$"):
        refuse(["unknown setting 'a', did you mean b?"], "")
