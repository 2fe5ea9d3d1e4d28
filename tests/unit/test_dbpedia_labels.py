"""The worked example's label mapper: labels by name, by number, or learnt from the data."""

import logging
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.dbpedia import DbpediaLabelMapper
from bert_classifier.label_mapper import ClassNames, class_names

NAMES = ("Company", "Mean Of Transportation", "Größe")


def test_labels_by_name_and_by_number():
    """A label is a name of classes.txt, or its line's number counted from 1."""
    mapper = DbpediaLabelMapper(NAMES)
    assert mapper.num_classes == 3
    for index, name in enumerate(NAMES):
        assert mapper.map(name) == mapper.map(str(index + 1)) == mapper.map(f"0{index + 1}") == index
        assert mapper.reverse_map(index) == name


@pytest.mark.parametrize("label", ["0", "4", "-1", "1.0", "company", "²", "１", "", "9" * 5000, "Company "])
def test_unknown_label_is_refused_with_what_there_is(label):
    """Neither a name nor a number in range: the message is short and says what would do."""
    with pytest.raises(ValueError, match="is neither a class name nor a number from 1 to 3") as caught:
        DbpediaLabelMapper(NAMES).map(label)
    assert len(str(caught.value)) < 200


def test_names_that_are_digits_are_names():
    """Classes called 0 to 9 are meant by name: 1 is the second of them, and 10 is none."""
    mapper = DbpediaLabelMapper([str(digit) for digit in range(10)])
    assert [mapper.map(str(digit)) for digit in range(10)] == list(range(10))
    with pytest.raises(ValueError, match=r"label '10' is not a class name$"):
        mapper.map("10")


def test_a_name_that_is_a_number_wins_over_the_count():
    """Among names of words, one that is a number is still meant by its name."""
    mapper = DbpediaLabelMapper(["Dune", "1984", "2"])
    assert [mapper.map(label) for label in ("1", "2", "3", "1984")] == [0, 2, 2, 1]


def test_numeric_labels_of_the_data_are_sorted_by_size():
    """Without classes.txt, 2 comes before 10; a number that the training data lack is unknown."""
    mapper = DbpediaLabelMapper.from_labels(["10", "2", "0", "2"])
    assert class_names(mapper) == ["0", "2", "10"]
    assert [mapper.map(label) for label in ("0", "2", "10")] == [0, 1, 2]
    for unseen in ("1", "3"):
        with pytest.raises(ValueError, match=f"label '{unseen}' is not a class name"):
            mapper.map(unseen)


def test_words_of_the_data_are_sorted_as_texts():
    """Labels that are not all numbers stand in the order of their characters, whatever the rows' order."""
    assert class_names(DbpediaLabelMapper.from_labels(["b", "10", "a", "2", "b"])) == ["10", "2", "a", "b"]


@pytest.mark.parametrize("label", ["1", "2", "4", "007"])
def test_numbers_count_no_classes_without_a_class_file(label):
    """Where nobody gave the order of the classes, a number is not read by their alphabet: it is refused, with why."""
    mapper = DbpediaLabelMapper.from_labels(["HUM", "DESC", "ABBR"])
    assert [mapper.map(name) for name in ("HUM", "DESC", "ABBR")] == [2, 1, 0]
    hint = "numbers count the classes only where a class file lists them: write names"
    expected = rf"label '{label}' is not a class name \({hint}\)$"
    with pytest.raises(ValueError, match=expected):
        mapper.map(label)


def test_number_among_the_labels_is_a_class():
    """A number that is a label of the training data means that class, beside words too; another one is unknown."""
    mapper = DbpediaLabelMapper.from_labels(["2", "other", "other"])
    assert (mapper.map("2"), mapper.map("other")) == (0, 1)
    with pytest.raises(ValueError, match=r"'1' is not a class name \(numbers count"):
        mapper.map("1")


def test_numbers_for_a_model_of_unknown_origin_are_read_aloud(caplog):
    """An older model does not say where its order comes from: numbers count, with one warning that shows how."""
    mapper = DbpediaLabelMapper(ClassNames(["ABBR", "DESC", "HUM"]))
    with caplog.at_level(logging.WARNING, "bert_classifier"):
        assert DbpediaLabelMapper(NAMES).map("2") == 1
        assert [mapper.map(label) for label in ("HUM", "DESC", "ABBR")] == [2, 1, 0]
        assert caplog.messages == []
        assert [mapper.map(label) for label in ("1", "2", "1")] == [0, 1, 0]
    (message,) = caplog.messages
    assert "label '1' is read as the number of a class, counted from 1 (1 = 'ABBR', 2 = 'DESC'" in message


@pytest.mark.parametrize(
    ("label", "meant"),
    [
        ("company", "Company"),
        ("MEAN_OF-TRANSPORTATION", "Mean Of Transportation"),
        ("Compnay", "Company"),
        ("Grösse", "Größe"),
    ],
)
def test_unknown_label_names_the_nearest_class(label, meant):
    """A label that differs in its spelling only, or has a typing error, is answered with the class that is meant."""
    with pytest.raises(ValueError, match=rf" \(nearest: '{meant}'\)$"):
        DbpediaLabelMapper(NAMES).map(label)


def test_number_stored_as_a_float_names_the_class():
    """pandas writes 1.0 where a label is missing elsewhere: the class 1 may be meant."""
    with pytest.raises(ValueError, match=r"label '1\.0' is not a class name \(nearest: '1'\)$"):
        DbpediaLabelMapper.from_labels(["0", "1"]).map("1.0")


@pytest.mark.parametrize(
    ("label", "hint"),
    [
        ("2.0", "write 2, without a fraction"),
        ("0", "the first class has the number 1"),
        ("4.0", ""),
        ("0.0", ""),
        ("5", ""),
    ],
)
def test_number_of_no_class_says_what_is_wrong(label, hint):
    """Whole numbers as floats, and counting from 0, are told apart from numbers that are too high."""
    with pytest.raises(ValueError, match="is neither") as caught:
        DbpediaLabelMapper(NAMES).map(label)
    assert str(caught.value).endswith(f" number from 1 to 3 ({hint})" if hint else " number from 1 to 3")


def test_name_in_another_unicode_form_is_the_name():
    """Labels come in the form NFC, the names of an older model perhaps not."""
    old = [unicodedata.normalize("NFD", "Größe"), "Weite"]
    assert DbpediaLabelMapper(old).map("Größe") == DbpediaLabelMapper(old).map(old[0]) == 0
    both = [old[0], "Größe"]
    assert [DbpediaLabelMapper(both).map(name) for name in both] == [0, 1]


def test_many_unknown_labels_take_no_time():
    """The nearest class is sought for a few labels only, and not at all among very many classes."""
    few = DbpediaLabelMapper([f"class number {n}" for n in range(4000)])
    many = DbpediaLabelMapper([f"class number {n}" for n in range(100_000)])
    started = time.perf_counter()
    for mapper in (few, many):
        for n in range(10_000):
            with pytest.raises(ValueError, match=f"label 'klass {n}' is neither"):
                mapper.map(f"klass {n}")
    assert time.perf_counter() - started < 20


@given(labels=st.lists(st.text("0123456789abñ-", min_size=1, max_size=12), min_size=1, max_size=20))
def test_mapper_of_labels_maps_each_to_its_own_index(labels):
    """Every label that the mapper was made from has an index of its own and comes back from it."""
    mapper = DbpediaLabelMapper.from_labels(labels)
    indices = {label: mapper.map(label) for label in labels}
    assert sorted(indices.values()) == list(range(mapper.num_classes))
    assert all(mapper.reverse_map(index) == label for label, index in indices.items())


@given(names=st.lists(st.text("0123456789ab", min_size=1, max_size=3), min_size=1, max_size=12, unique=True))
def test_every_name_maps_to_itself(names):
    """Whatever the names of classes.txt, numbers among them too, a label that is a name means that name."""
    mapper = DbpediaLabelMapper(names)
    assert [mapper.map(name) for name in names] == list(range(len(names)))
