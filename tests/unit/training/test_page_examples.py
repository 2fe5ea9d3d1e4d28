"""Which validation texts the server's page may show: one per class in turn, short ones, always the same."""

import logging
import random

import numpy as np
import pytest

from bert_classifier.training.page_examples import choose_examples, log_examples


def text_of(length: int, letter: str = "x") -> str:
    """Return a text of so many characters."""
    return letter * length


def test_one_of_each_class_in_turn():
    """In the order of the classes; the shortest of a comfortable length come first within each."""
    texts = [text_of(length, letter) for letter in "ab" for length in (90, 50, 70)]
    targets = np.array([1, 1, 1, 0, 0, 0])
    chosen = [text_of(length, letter) for length in (50, 70, 90) for letter in "ba"]
    for most in range(1, 7):
        assert choose_examples(texts, targets, most) == chosen[:most]
    assert choose_examples(texts, targets, 20) == chosen


def test_neither_a_word_nor_a_page_if_there_is_another():
    """Texts of fewer than 40 characters come after, those of more than 300 too, each by its distance."""
    lengths = [3, 30, 45, 44, 310, 900]
    texts = [text_of(length) for length in lengths]
    chosen = choose_examples(texts, np.zeros(len(texts), dtype=np.int64), 20)
    assert [len(text) for text in chosen] == [44, 45, 30, 310, 3, 900]


def test_more_classes_than_examples():
    """The first classes have one each; a class without a text that could be shown is passed over."""
    texts = [text_of(50 + target) for target in range(100)]
    texts[1] = text_of(2001)
    chosen = choose_examples(texts, np.arange(100), 5)
    assert [len(text) for text in chosen] == [50, 52, 53, 54, 55]


def test_no_text_twice():
    """Neither within a class nor in two."""
    texts = [text_of(50), text_of(50), text_of(60), text_of(50)]
    assert choose_examples(texts, np.array([0, 0, 0, 1]), 20) == [text_of(50), text_of(60)]


def test_the_order_of_the_texts_does_not_matter():
    """The same texts are chosen from a file whose rows are shuffled."""
    numbers = random.Random(0)
    rows = [
        (target, f"{numbers.random()} " * numbers.randint(1, 30)) for target in range(9) for _ in range(9)
    ]
    chosen = []
    for _ in range(2):
        numbers.shuffle(rows)
        chosen.append(choose_examples([text for _, text in rows], np.array([row[0] for row in rows]), 20))
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 20


@pytest.mark.parametrize(("wanted", "is_short"), [(2, False), (5, True)])
def test_the_log_says_who_can_read_them(wanted, is_short, caplog):
    """How many, who, and why there are no more; the texts themselves stay out of the log."""
    caplog.set_level(logging.INFO)
    log_examples(["first text", "second text"], wanted)
    assert f"page_examples={wanted}: the artifact holds 2 validation texts: everybody" in caplog.text
    assert ("no others of up to 2000 characters" in caplog.text) is is_short
    assert "first" not in caplog.text
