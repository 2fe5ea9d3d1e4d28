"""Spellings of labels: which are alike, which hold several classes, and which real classes are neither."""

import time
from pathlib import Path

import pytest

from bert_classifier.data.label_spelling import NearestClass, alike, items_of, joined, without_fraction

# Classes as they are in use, of kinds that look alike or joined at first sight.
REAL = {
    "intents": [
        "card_arrival",
        "card_arrival?",
        "Refund_not_showing_up",
        "top_up_by_card_charge",
        "top_up_by_cash_or_cheque",
        "iot_hue_lighton",
        "iot_hue_lightoff",
        "lost_or_stolen_card",
    ],
    "languages": [
        "C",
        "C++",
        "C#",
        "F#",
        "F",
        "Objective-C",
        "Objective-C++",
        "R",
        "VB.NET",
        ".NET",
        "PL/SQL",
        "C/AL",
    ],
    "grades": ["A", "A-", "A+", "B", "B-", "B+", "AB", "0", "0-1", "0 1 2", "01"],
    "polarity": ["-1", "0", "1", "+1", "-2", "2"],
    "scores": ["1-0", "0-1", "10", "01", "1/2-1/2"],
    "decimals of halves": ["0", "1,0", "1,5", "2,0", "1", "5", "2"],
    "words": ["red", "wine", "red wine", "New York", "York"],
    "decimals": ["1", "1,5", "2", "2,5", "3", "5"],
    "news": ["World", "Sports", "Business", "Sci/Tech", "Society & Culture", "Computers & Internet", "Tech"],
    "groups": [
        "comp.sys.ibm.pc.hardware",
        "comp.sys.mac.hardware",
        "talk.politics.misc",
        "talk.religion.misc",
    ],
    "questions": ["ABBR:exp", "ABBR:abb", "NUM:dist", "NUM:date", "DESC:desc", "ENTY:desc"],
    "codes": ["A00.0", "A00.1", "A01", "1.0", "1.5", "H04L", "en-GB", "en-US", "B-PER", "I-PER"],
    "places": ["Paris, Texas", "Texas", "Washington, D.C.", "Trinidad and Tobago"],
    "colours": ["black", "white", "black and white"],
    "letters": ["ä", "a", "café", "cafe", "日本", "日本語", "x²", "x"],
    "paths": ["Sports > Football", "Sports > Tennis", "Arts|Film", "Arts|Music"],
}


@pytest.mark.parametrize("name", REAL)
def test_real_classes_are_neither_alike_nor_joined(name):
    """No false alarm for classes that people have."""
    assert alike(REAL[name]) == []
    assert joined(REAL[name]) == []


def test_classes_of_the_sample_are_neither():
    """The classes of the default data raise no alarm."""
    root = Path(__file__).parents[3] / "local_test" / "test_dir" / "input" / "data"
    names = (root / "class" / "classes.txt").read_text().splitlines()
    assert len(names) > 10
    assert alike(names) == joined(names) == []


@pytest.mark.parametrize(
    "labels",
    [
        ["praise", "Praise", "PRAISE", "praise ", "ｐｒａｉｓｅ", "praise\u200b"],
        ["card arrival", "card_arrival", "card-arrival", "Card  Arrival", "cardArrival", "card\u00a0arrival"],
        ["E-Mail", "email", "e mail", "EMAIL"],
        ["Straße", "STRASSE", "strasse"],
        ["1", "1.0", "1.00"],
        ["US", "us"],
        ["tier-1", "Tier 1", "tier_1"],
        ["gr\u00f6\u00dfe", "gro\u0308\u00dfe"],
    ],
)
def test_spellings_of_one_class_are_alike(labels):
    """Case, blanks, separators between words, invisible characters and Unicode forms make no class."""
    assert alike(["other", *labels, "another"]) == [labels]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["praise|question", "complaint", "praise"], ["praise|question"]),
        (["a; b", "a", "c"], ["a; b"]),
        (["Action|Comedy", "Comedy|Drama", "Drama"], ["Action|Comedy", "Comedy|Drama"]),
        (["Action|Comedy", "Comedy|Drama"], ["Action|Comedy", "Comedy|Drama"]),
        (["joy, fear", "joy", "fear", "joy, grief"], ["joy, fear"]),
        (["27", "2", "14", "2,14", "2,14,27"], ["2,14", "2,14,27"]),
        (["0", "1", "2", "4", "0,1", "1,4", "1,2"], ["0,1", "1,4", "1,2"]),
        (["cs.AI", "cs.LG", "cs.AI cs.LG", "cs.LG cs.AI"], ["cs.AI cs.LG", "cs.LG cs.AI"]),
        (["flight+airfare", "flight", "airfare"], ["flight+airfare"]),
        (["atis_flight#atis_airfare", "atis_flight", "atis_airfare"], ["atis_flight#atis_airfare"]),
        (["yes/no", "yes", "no"], ["yes/no"]),
        (["['joy', 'fear']", "['joy']"], ["['joy', 'fear']"]),
        (['["joy","fear"]', "{1, 2}"], ['["joy","fear"]', "{1, 2}"]),
        (["a;b;", "a;"], ["a;b;"]),
    ],
)
def test_several_classes_in_one_are_joined(labels, found):
    """Lists, and parts between marks that are classes themselves, are several labels."""
    assert joined(labels) == found


def test_forms_of_programs():
    """Lists of Python and JSON, and whole numbers as floats."""
    assert items_of("['joy']") == items_of('["joy"]') == ["joy"]
    assert [items_of(label) for label in ("joy", "[]", "[joy", "")] == [[], [], [], []]
    assert [without_fraction(label) for label in ("1.0", "-2.00", "1.5", "1", "1.0.0", "v1.0")] == [
        "1", "-2", None, None, None, None,
    ]  # fmt: skip


def test_nearest_class_is_the_same_for_one_label():
    """Rows of one label share one message, however many other labels came between."""
    nearest = NearestClass(["praise", "complaint"])
    first = nearest.of("Prais")
    assert first == "praise"
    assert [nearest.of(f"complaint {n}") for n in range(40)].count(None) == 21
    assert nearest.of("Prais") == first


def test_hundred_thousand_classes_take_a_second_or_two():
    """Nothing is compared with everything."""
    labels = [f"class number {n}|part {n % 100}" for n in range(50_000)]
    labels += [f"Klasse_{n}, Teil/{n}" for n in range(50_000)]
    started = time.process_time()
    assert (alike(labels), joined(labels)) == ([], [])
    assert time.process_time() - started < 60  # of this process alone; pairs would take hours
