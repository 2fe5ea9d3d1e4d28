"""Lists of labels in cells: every form that programs write is read, and what only looks like one is not."""

import pytest

from bert_classifier.data.label_lists import list_in


@pytest.mark.parametrize(
    ("cell", "items"),
    [
        ("('a', 'b')", ["a", "b"]),
        (str(("it's", 'x "y"', "c, d")), ["it's", 'x "y"', "c, d"]),
        (str(("a",)), ["a"]),
        (str((1, 20)), ["1", "20"]),
        (str(()), []),
        (str(frozenset({"a"})), ["a"]),
        (str(frozenset()), []),
        ("<python><c++><.net>", ["python", "c++", ".net"]),
        (" <python> ", ["python"]),
    ],
)
def test_what_programs_write(cell, items):
    """Python's tuples and frozen sets, and tags."""
    assert list_in(cell) == items


@pytest.mark.parametrize(
    "cell",
    [
        "('a')", "('a, b')", "(a, b)", "(1)", "(see 'a', 'b')", "('a' or 'b')", "('a', 'b') 'c'", "(1.5, 2)",
        "frozenset(a)", "<a> <b>", "<a>b</a>", "<a></a>", "<>", "a<b>", "< 5", "<5",
    ],
)  # fmt: skip
def test_what_only_stands_in_brackets(cell):
    """Words in parentheses, markup and comparisons are labels as they are."""
    assert list_in(cell) is None
