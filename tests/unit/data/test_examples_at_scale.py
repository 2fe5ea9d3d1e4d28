"""Data sets of millions of rows: columns in place of items, counted faults, texts on the disk."""

import time

import numpy as np
import pytest

from bert_classifier.data.examples import Records, distinct_labels, read_examples, stratified_split
from bert_classifier.data.text_store import Texts
from bert_classifier.data.wrong_rows import WrongRows
from bert_classifier.dbpedia import DbpediaDataset, DbpediaLabelMapper
from bert_classifier.errors import UserError

MAPPER = DbpediaLabelMapper(["Alpha", "Beta", "Gamma"])


class Counting(DbpediaLabelMapper):
    """Counts the labels it is asked for."""

    asked = 0

    def map(self, label):
        self.asked += 1
        return super().map(label)


class LowerCased(DbpediaDataset):
    """A user's class that changes the items of the worked example's."""

    def __getitem__(self, index):
        text, label = super().__getitem__(index)
        return text.lower(), "Gamma" if label == "Beta" else label


@pytest.fixture
def path(tmp_path):
    """A file of 300 rows with three labels, one of them given by its number."""
    labels = ("Alpha", "Beta", "3")
    file = tmp_path / "train.csv"
    file.write_text("label,text\n" + "".join(f"{labels[row % 3]},Text {row} ü\n" for row in range(300)))
    return file


def test_columns_say_the_same_as_items(path):
    """They are used as they are, each label is mapped once, and the bits are those of a list of items."""
    dataset, mapper = DbpediaDataset([path]), Counting(["Alpha", "Beta", "Gamma"])
    items = [dataset[index] for index in range(len(dataset))]
    by_column, by_item = read_examples(dataset, mapper, "train"), read_examples(items, MAPPER, "train")
    assert by_column.texts is dataset.texts
    assert mapper.asked == 3
    assert list(by_column.texts) == list(by_item.texts)
    assert by_column.targets.dtype == by_item.targets.dtype == np.int64
    assert by_column.targets.tolist() == by_item.targets.tolist() == [0, 1, 2] * 100
    assert by_column.fingerprint() == by_item.fingerprint()
    assert by_column.understood == dataset.understood


def test_items_are_mapped_once_per_label_too():
    """A user's Dataset without columns does not cost a call per row."""
    mapper = Counting(["Alpha", "Beta", "Gamma"])
    read_examples([("a", "Alpha"), ("b", "Beta")] * 100, mapper, "train")
    assert mapper.asked == 2


def test_a_derived_class_may_change_its_items(path):
    """Then the columns of its base class are not used, neither for the texts nor for the labels."""
    examples = read_examples(LowerCased([path]), MAPPER, "train")
    assert examples.texts[1] == "text 1 ü"
    assert examples.targets.tolist() == [0, 2, 2] * 100
    assert {*distinct_labels(LowerCased([path]))} == {"Alpha", "Gamma", "3"}


def test_faults_in_columns_are_named_by_row(path):
    """An unknown label in a column has the file and line of its rows, as it has among items."""
    with pytest.raises(UserError) as caught:
        read_examples(DbpediaDataset([path]), DbpediaLabelMapper(["Alpha", "Gamma"]), "train")
    assert (
        "train.csv line 3, train.csv line 6, train.csv line 9 and 97 more: label 'Beta'" in caught.value.cause
    )


def test_parts_and_records_stay_on_the_disk(path, tmp_path):
    """A split takes indices of the same texts; records saved for other processes are the same when loaded."""
    examples = read_examples(DbpediaDataset([path]), MAPPER, "train")
    train, validation = stratified_split(examples, 0.1, 42)
    assert isinstance(train.texts, Texts)
    assert isinstance(validation.texts, Texts)
    as_list = read_examples(
        list(zip(examples.texts, ["Alpha", "Beta", "3"] * 100, strict=True)), MAPPER, "train"
    )
    assert train.fingerprint() == stratified_split(as_list, 0.1, 42)[0].fingerprint()
    records = Records.of(validation)
    records.save(tmp_path / "validation-records")
    loaded = Records.load(tmp_path / "validation-records")
    assert list(loaded.places) == list(records.places) == [records.places[i] for i in range(30)]
    assert records.places[0] == f"train.csv line {list(examples.texts).index(validation.texts[0]) + 2}"
    assert list(loaded.texts) == list(validation.texts)


def test_a_million_wrong_rows_are_counted():
    """The message is that of few, and neither time nor memory grows with their reasons."""
    wrong, started = WrongRows(), time.process_time()
    for row in range(1_000_000):
        wrong.add(f"line {row}", f"reason {row % 500_000 if row % 2 else 0}")
    with pytest.raises(UserError) as caught:
        wrong.refuse(" Look.")
    assert time.process_time() - started < 10
    assert caught.value.cause.startswith(
        "1,000,000 rows of the data cannot be used: line 0, line 2, line 4 and 499997 more: reason 0; "
    )
    assert caught.value.cause.endswith("; ….")
    assert len(wrong.reasons) == 21
