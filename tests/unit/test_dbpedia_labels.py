"""The worked example's label mapper: labels by name, by number, or learnt from the data."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.dbpedia import DbpediaLabelMapper
from bert_classifier.label_mapper import class_names

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


def test_numbers_among_words_are_read_by_the_alphabet_aloud(caplog):
    """No file gives the order of the classes: the assumed order is logged once; with a file, nothing is."""
    mapper = DbpediaLabelMapper.from_labels(["HUM", "DESC", "ABBR"])
    with caplog.at_level(logging.WARNING, "bert_classifier"):
        assert DbpediaLabelMapper(NAMES).map("2") == 1
        assert [mapper.map(label) for label in ("HUM", "DESC", "ABBR")] == [2, 1, 0]
        assert caplog.messages == []
        assert [mapper.map(label) for label in ("1", "2", "1")] == [0, 1, 0]
    (message,) = caplog.messages
    assert "alphabetical order (1 = 'ABBR', 2 = 'DESC', 3 = 'HUM')" in message
    assert "put a classes.txt into the" in message


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
