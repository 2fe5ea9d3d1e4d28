"""What a user's label mapper must fulfil, and what class_names says about one that does not."""

import time

import pytest

from bert_classifier.errors import UserError
from bert_classifier.label_mapper import LabelMapperBase, class_names


class ListMapper(LabelMapperBase):
    """The least a user writes: names in a list, with an optional positive label."""

    def __init__(self, names, positive=None):
        self._names = names
        self._positive = positive

    def map(self, label):
        return self._names.index(label)

    def reverse_map(self, index):
        return self._names[index]

    @property
    def num_classes(self):
        return len(self._names)

    @property
    def positive_label(self):
        return self._positive


def test_class_names_stand_in_order_of_their_indices():
    """The names come back in the order of the indices, as the artifact stores them."""
    assert class_names(ListMapper(["Alpha", "Beta", "Gamma"])) == ["Alpha", "Beta", "Gamma"]


@pytest.mark.parametrize("missing", ["map", "reverse_map", "num_classes"])
def test_subclass_that_misses_a_method_cannot_be_made(missing):
    """A forgotten method shows when the mapper is made, and by its name, not in the middle of training."""
    methods = {
        "map": ListMapper.map,
        "reverse_map": ListMapper.reverse_map,
        "num_classes": ListMapper.num_classes,
    }
    del methods[missing]
    unfinished = type("Unfinished", (LabelMapperBase,), methods)
    with pytest.raises(TypeError, match=missing):
        unfinished()


def test_without_a_positive_label_there_is_no_index():
    """A mapper says nothing about a positive label unless it wants F1 to decide."""
    mapper = ListMapper(["no", "yes"])
    assert mapper.positive_label is None
    assert mapper.positive_label_index is None


def test_positive_label_has_the_index_of_its_class():
    """The index of the positive label is what map gives, 0 included."""
    assert ListMapper(["no", "yes"], positive="yes").positive_label_index == 1
    assert ListMapper(["no", "yes"], positive="no").positive_label_index == 0


@pytest.mark.parametrize("names", [[], ["only"]])
def test_fewer_than_two_classes_are_refused(names):
    """One class is nothing to choose from: the message says what there is."""
    with pytest.raises(UserError, match=r"needs at least two classes, and the(re is no| only) label"):
        class_names(ListMapper(names))


@pytest.mark.parametrize("bad", ["", "   ", "two\nlines", "nul\0", "\udc80", None, 3])
def test_unusable_name_is_refused_with_its_index(bad):
    """A name that cannot be shown or is no string is refused, with the index that gives it."""
    with pytest.raises(UserError, match=r"reverse_map\(1\)"):
        class_names(ListMapper(["fine", bad]))


def test_name_given_twice_is_refused():
    """Two classes of the same name could not be told apart in an answer."""
    with pytest.raises(UserError, match="several classes the name 'b'"):
        class_names(ListMapper(["a", "b", "c", "b"]))


def test_names_may_be_in_any_language():
    """Printable names of any script and with spaces are fine, and are not changed."""
    names = ["Größe", "北京", "мир", "Mean Of Transportation", "🚀"]
    assert class_names(ListMapper(names)) == names


def test_reverse_map_that_fails_is_named_with_its_call():
    """A mapper that promises more classes than it can name is the user's to fix: the message names the failing call."""

    class Promising(ListMapper):
        @property
        def num_classes(self):
            return 3

    with pytest.raises(UserError, match=r"Promising\.reverse_map\(2\) fails: IndexError"):
        class_names(Promising(["no", "yes"]))


def test_a_hundred_thousand_classes_take_no_time():
    """Names are compared once each, not with each other."""
    names, started = [f"class {number}" for number in range(100_000)], time.process_time()
    assert class_names(ListMapper(names)) == names
    assert time.process_time() - started < 5
