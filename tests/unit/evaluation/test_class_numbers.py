"""Numbers as labels at evaluation: they count the classes only if the model was trained with a class file."""

import copy
import logging

import pytest

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.errors import UserError
from bert_classifier.evaluation.labelled_file import read_labelled
from support.clear_text import assert_clear
from support.toy_artifact import make_artifact, reordered


@pytest.fixture
def labels_and_file(tmp_path, request):
    """Return the labels of a loaded model that says this about its classes, and a file of numbers."""
    path = tmp_path / "numbers.csv"
    path.write_text("label,text\n2,some words\n1,other words\n")
    return load_artifact(make_artifact(tmp_path / "model", **request.param)).labels, path


@pytest.mark.parametrize("labels_and_file", [{"classes_from": "class file"}], indirect=True)
def test_numbers_count_the_lines_of_a_class_file(labels_and_file, caplog):
    """The order was given, so there is nothing to warn of; a copy of the names still knows it."""
    labels, path = labels_and_file
    for names in (labels, copy.deepcopy(labels)):
        assert read_labelled(path, names)[0].targets.tolist() == [1, 0]
    assert caplog.messages == []


@pytest.mark.parametrize("labels_and_file", [{"classes_from": "training labels"}], indirect=True)
def test_numbers_are_refused_for_classes_in_alphabetical_order(labels_and_file):
    """Nobody gave these classes numbers: the message says that a class file would."""
    labels, path = labels_and_file
    with pytest.raises(
        UserError, match=r"label '2' is not a class name \(numbers count the classes only where a class file"
    ) as caught:
        read_labelled(path, labels)
    assert_clear(caught.value)


OF_OLDER = [{}, {"classes_from": None}, {"classes_from": ["a"]}]


@pytest.mark.parametrize("labels_and_file", OF_OLDER, indirect=True)
def test_numbers_are_refused_for_an_older_model_in_alphabetical_order(labels_and_file):
    """Such an order is that of classes from labels, too: nothing proves a class file."""
    labels, path = labels_and_file
    with pytest.raises(UserError, match=r"label '2' is not a class name .*: write names") as caught:
        read_labelled(path, labels)
    assert_clear(caught.value)


@pytest.mark.parametrize("info", OF_OLDER)
def test_numbers_for_an_older_model_in_another_order_count_with_a_warning(tmp_path, caplog, info):
    """Only a class file gives such an order."""
    folder = reordered(make_artifact(tmp_path / "alphabetical", **info), tmp_path / "model", [1, 0, 2])
    path = tmp_path / "numbers.csv"
    path.write_text("label,text\n2,some words\n1,other words\n")
    labels = load_artifact(folder).labels
    with caplog.at_level(logging.WARNING, "bert_classifier"):
        assert read_labelled(path, labels)[0].targets.tolist() == [1, 0]
    (message,) = (text for text in caplog.messages if "number of a class" in text)
    assert "1 = 'Beta', 2 = 'Alpha', 3 = 'Gamma'" in message
