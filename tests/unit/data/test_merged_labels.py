"""Columns whose labels occur more than once give the targets that their items give."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.examples import distinct_labels, has_columns, read_examples
from bert_classifier.data.text_store import Texts
from bert_classifier.dbpedia import DbpediaDataset, DbpediaLabelMapper


class Columns:
    """A dataset with columns of one's own."""

    texts: Texts
    label_names: Sequence[Any]
    label_codes: np.ndarray

    def __init__(self, names: Sequence[Any], codes: Sequence[int]) -> None:
        self.texts = Texts.of([f"text {index}" for index in range(len(codes))])
        self.label_names, self.label_codes = names, np.array(codes, dtype=np.int32)

    def __len__(self) -> int:
        return len(self.label_codes)

    def __getitem__(self, index: int) -> tuple[str, Any]:
        return self.texts[index], self.label_names[self.label_codes[index]]


def assert_as_items(dataset: Any, mapper: Any) -> None:
    """Assert that the columns of a dataset give the targets of its items."""
    assert has_columns(dataset)
    items = [dataset[index] for index in range(len(dataset))]
    found, expected = (read_examples(each, mapper, "train").targets for each in (dataset, items))
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "names",
    [
        ["a", "a", "b", "c"],
        [["a"], ("a",), ("b", "c"), []],
        [("b", "a"), "c", ["b", "a"], "c"],
        [{"a", "b"}, ("a", "b"), ("b", "a"), frozenset("c")],
    ],
    ids=["equal", "a list beside an equal tuple", "one label among sets", "sets"],
)
def test_labels_that_occur_twice_give_the_targets_of_the_items(names):
    """Each name keeps its own number, though equal ones are judged once."""
    assert_as_items(Columns(names, [0, 1, 2, 2, 3, 0]), DbpediaLabelMapper(["a", "b", "c"]))


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.data())
def test_any_names_give_the_targets_of_the_items(names, data):
    """In any order, as often as they come, of any items."""
    codes = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1, max_size=8))
    assert_as_items(Columns(names, codes), DbpediaLabelMapper(["a", "b", "c"]))


class Merged(DbpediaDataset):
    """The worked example's dataset, in which some classes are one."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.label_names = ["good" if name in ("fine", "great") else name for name in self.label_names]


def test_a_derived_dataset_may_merge_classes(tmp_path):
    """By renaming the labels of the columns: classes and targets are those of the new names."""
    path = tmp_path / "train.csv"
    labels = ["fine", "bad", "great", "odd"] * 10
    path.write_text("label,text\n" + "".join(f"{label},a text {i}\n" for i, label in enumerate(labels)))
    dataset = Merged([path])
    mapper = DbpediaLabelMapper.from_labels(distinct_labels(dataset))
    assert_as_items(dataset, mapper)
    assert read_examples(dataset, mapper, "train").targets.tolist() == [1, 0, 1, 2] * 10
