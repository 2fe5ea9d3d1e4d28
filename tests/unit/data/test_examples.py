"""Examples as training sees them: checked one by one, split class by class, fingerprinted."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.examples import Examples, read_examples, stratified_split
from bert_classifier.data.records import refuse_rows
from bert_classifier.dbpedia import DbpediaDataset, DbpediaLabelMapper
from bert_classifier.errors import UserError
from support.clear_text import assert_clear

NAMES = ["Alpha", "Beta", "Gamma"]
MAPPER = DbpediaLabelMapper(NAMES)


class MappedTo(DbpediaLabelMapper):
    """A user's mapper whose map returns or raises a given value."""

    def __init__(self, answer: Any) -> None:
        super().__init__(NAMES)
        self._answer = answer

    def map(self, label: str) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def test_items_become_texts_and_targets():
    """The order is the dataset's; targets are int64."""
    examples = read_examples([("a", "Beta"), ("b", "1"), ("c", "Gamma")], MAPPER, "train")
    assert list(examples.texts) == ["a", "b", "c"]
    assert examples.targets.tolist() == [1, 0, 2]
    assert examples.targets.dtype == np.int64
    assert len(examples) == 3


def test_subset_keeps_the_order_asked_for():
    """Rows may be taken in any order."""
    examples = Examples(["a", "b", "c"], np.array([0, 1, 2])).subset(np.array([2, 0]))
    assert (list(examples.texts), examples.targets.tolist()) == (["c", "a"], [2, 0])


def test_no_row_is_refused_with_the_channel():
    """An empty channel is named."""
    with pytest.raises(UserError, match="The test channel has no usable row") as caught:
        read_examples([], MAPPER, "test")
    assert_clear(caught.value)


def test_unknown_labels_are_named_by_file_and_line(tmp_path):
    """Rows with the same fault are reported once, with their number, the first lines and the classes."""
    path = tmp_path / "train.csv"
    path.write_text("".join(f"{'Beta' if row % 2 else 'Delta'},text {row}\n" for row in range(100)))
    with pytest.raises(UserError, match=r"^50 rows of the data cannot be used: train\.csv line 1") as caught:
        read_examples(DbpediaDataset([path]), MAPPER, "train")
    assert caught.value.cause.endswith(
        ": train.csv line 1, train.csv line 3, train.csv line 5 and 47 more: label 'Delta' is neither a class name nor"
        " a number from 1 to 3 (nearest: 'Beta')."
    )
    assert caught.value.remedy.endswith(" The classes are 'Alpha', 'Beta', 'Gamma'.")
    assert_clear(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "the text must be a string, not null"),
        (b"x", "the text must be a string, not bytes"),
        (" \n", "the text is empty"),
        ("\ud800", "the text holds half of a surrogate pair"),
    ],
)
def test_item_of_a_users_dataset_that_is_no_text(text, reason):
    """What a dataset of one's own gives is checked as the worked example's is; items are known by number."""
    with pytest.raises(UserError) as caught:
        read_examples([("a", "1"), (text, "1")], MAPPER, "train")
    assert caught.value.cause == f"1 row of the data cannot be used: item 1: {reason}."


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (3, "MappedTo.map gives 3, not an index below 3"),
        (-1, "MappedTo.map gives -1, not an index below 3"),
        (1.0, "MappedTo.map gives 1.0, not an index below 3"),
        (None, "MappedTo.map gives None, not an index below 3"),
        (KeyError("Alpha"), "MappedTo does not know the label 'Alpha'"),
        (ValueError("only capitals"), "only capitals"),
    ],
)
def test_mapper_that_answers_wrongly_is_refused(answer, reason):
    """A user's mapper that returns no index below num_classes is refused before training."""
    with pytest.raises(UserError) as caught:
        read_examples([("a", "Alpha")], MappedTo(answer), "train")
    assert f"item 0: {reason}." in caught.value.cause
    assert_clear(caught.value)


def test_indices_of_numpy_are_indices():
    """A mapper that looks its index up in an array is fine."""
    assert read_examples([("a", "x")], MappedTo(np.int32(2)), "train").targets.tolist() == [2]


def test_of_many_classes_and_faults_the_first_are_named():
    """Ten classes and 20 different faults are enough to see what is meant."""
    names = [f"class {number}" for number in range(30)]
    rows = [("a text", f"label {number}") for number in range(25)]
    with pytest.raises(UserError) as caught:
        read_examples(rows, DbpediaLabelMapper(names), "train")
    assert caught.value.cause.startswith(
        "25 rows of the data cannot be used: item 0: label 'label 0' is neither"
    )
    assert caught.value.cause.count("is neither") == 20
    assert caught.value.cause.endswith("; ….")
    assert caught.value.remedy.endswith("'class 8', 'class 9' and 20 more.")


def test_nothing_wrong_is_no_error():
    """Rows are refused only when there is one; exactly 20 are all named."""
    refuse_rows([])
    with pytest.raises(UserError) as caught:
        refuse_rows([f"row {number}" for number in range(20)])
    assert caught.value.cause.endswith("row 18; row 19.")


TARGETS = st.lists(st.integers(0, 4), min_size=2, max_size=80).map(np.array)


def examples_of(targets: np.ndarray) -> Examples:
    """Return numbered texts with these classes."""
    return Examples([f"text {number}" for number in range(len(targets))], targets)


@given(targets=TARGETS, share=st.floats(0.01, 0.5), seed=st.integers(0, 2**32 - 1))
def test_split_is_stratified(targets, share, seed):
    """Each class of two texts or more is in both parts, with its share; a lone text stays in training."""
    counts = np.bincount(targets, minlength=5)
    if counts.max() < 2:
        with pytest.raises(UserError, match="Every label of train occurs only once"):
            stratified_split(examples_of(targets), share, seed)
        return
    kept, held_out = stratified_split(examples_of(targets), share, seed)
    for target, count in enumerate(counts):
        held = int((held_out.targets == target).sum())
        assert (kept.targets == target).sum() == count - held
        assert held == (0 if count < 2 else min(count - 1, max(1, round(share * count))))


@given(targets=TARGETS, seed=st.integers(0, 2**32 - 1))
def test_split_loses_and_doubles_nothing(targets, seed):
    """Both parts together are all texts with their own classes, each part in the original order."""
    if np.bincount(targets).max() < 2:
        return
    parts = stratified_split(examples_of(targets), 0.3, seed)
    numbers = [[int(text.split()[1]) for text in part.texts] for part in parts]
    assert sorted(numbers[0] + numbers[1]) == list(range(len(targets)))
    for part, own in zip(parts, numbers, strict=True):
        assert own == sorted(own)
        assert part.targets.tolist() == targets[own].tolist()


def test_split_depends_on_the_seed_alone():
    """The same seed draws the same texts, another seed others."""
    targets = np.arange(200) % 4
    drawn = [list(stratified_split(examples_of(targets), 0.1, seed)[1].texts) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_fingerprint_notices_every_change():
    """Another text, class, order, or border between texts is another fingerprint; the same data have one."""
    base = Examples(["ab", "c", "größe"], np.array([0, 1, 2]))
    others = [
        Examples(["ab", "c", "grösse"], np.array([0, 1, 2])),
        Examples(["ab", "c", "größe"], np.array([0, 1, 1])),
        Examples(["c", "ab", "größe"], np.array([1, 0, 2])),
        Examples(["a", "bc", "größe"], np.array([0, 1, 2])),
        Examples(["ab", "c"], np.array([0, 1])),
        Examples(["ab", "c", "größe", ""], np.array([0, 1, 2, 0])),
    ]
    prints = {examples.fingerprint() for examples in (base, *others)}
    assert len(prints) == 1 + len(others)
    assert base.fingerprint() == Examples(("ab", "c", "größe"), np.array([0, 1, 2])).fingerprint()
    assert len(base.fingerprint()) == 64
