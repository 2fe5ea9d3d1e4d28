"""Files for a trained model of several labels per text, or of pairs: read as its own data were, or refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.data.text_pair import TextPair
from bert_classifier.errors import UserError
from bert_classifier.evaluation.command import _understood
from bert_classifier.evaluation.labelled_file import read_labelled
from bert_classifier.label_mapper import ClassNames
from support.clear_text import assert_clear

LABELS = ClassNames(["bad", "good", "late"])
SETS = [["good"], [], ["bad", "late"]]
EXPECTED = [[0, 1, 0], [0, 0, 0], [1, 0, 1]]
MULTI: dict[str, Any] = {"task": "multi"}


def lists(path: Path) -> Path:
    """Write JSON Lines with a list of labels for each text."""
    rows = ({"labels": labels, "text": f"text {n}"} for n, labels in enumerate(SETS))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def wide(path: Path) -> Path:
    """Write CSV with a column for each class."""
    lines = [f"text {n},{','.join(map(str, row))}\n" for n, row in enumerate(EXPECTED)]
    path.write_text("text,bad,good,late\n" + "".join(lines))
    return path


def bars(path: Path) -> Path:
    """Write CSV with labels between bars."""
    path.write_text(
        "label,text\n" + "".join(f"{'|'.join(labels)},text {n}\n" for n, labels in enumerate(SETS))
    )
    return path


TRAINED = {
    "lists": (lists, "a.jsonl", {}),
    "wide": (wide, "a.csv", {"label_columns": "bad..late"}),
    "bars": (bars, "a.csv", {"label_separator": "|"}),
}


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("trained", TRAINED)
def test_a_file_is_read_with_all_labels(tmp_path, name, trained):
    """As the training's data were written, or in another form with its settings: each text has its set of labels."""
    write, file, given = TRAINED[name]
    info = {**MULTI, "hyperparameters": TRAINED[trained][2]}
    hp = " ".join(f"{key}={value}" for key, value in given.items()) if name != trained else ""
    examples, positive = read_labelled(write(tmp_path / file), LABELS, info, hp)
    assert examples.targets.tolist() == EXPECTED
    assert positive is None


def test_lists_of_one_label_or_none_are_sets_too(tmp_path):
    """The model says that texts have any number of labels, so the file need not."""
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"label": ["good"], "text": "a"}\n{"label": [], "text": "b"}\n{"label": "bad", "text": "c"}\n'
    )
    assert read_labelled(path, LABELS, MULTI)[0].targets.tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 0]]


def test_several_labels_are_refused_for_a_model_of_one(tmp_path):
    """With the line; an older training.json does not say what its task is."""
    with pytest.raises(UserError, match=r"a\.jsonl line 3: it has 2 labels, and task=single") as refusal:
        read_labelled(lists(tmp_path / "a.jsonl"), LABELS, {"max_seq_length": 64})
    assert_clear(refusal.value)


def pairs(path: Path, header: str = "premise,hypothesis,label") -> Path:
    """Write three pairs with labels."""
    path.write_text(
        f"{header}\n" + "".join(f"first {n},second {n},{label}\n" for n, label in enumerate(LABELS))
    )
    return path


PAIRED: dict[str, Any] = {
    "is_paired": True,
    "data": {"columns": {"text": "a", "text_pair": "b", "label": "label"}},
}


@pytest.mark.parametrize("header", ["a,b,label", "premise,hypothesis,label"])
def test_pairs_are_read_for_a_model_of_pairs(tmp_path, header):
    """By the columns of the training, or else by the names in use."""
    examples, _ = read_labelled(pairs(tmp_path / "a.csv", header), LABELS, PAIRED)
    assert list(examples.texts) == [TextPair(f"first {n}", f"second {n}") for n in range(3)]


def test_other_texts_than_the_models_are_refused(tmp_path):
    """Single texts for a model of pairs, and the reverse."""
    single = tmp_path / "s.csv"
    single.write_text("label,text\n" + "".join(f"{label},text {n}\n" for n, label in enumerate(LABELS)))
    with pytest.raises(UserError, match="has one text per row, and the model reads pairs") as refusal:
        read_labelled(single, LABELS, PAIRED)
    assert_clear(refusal.value)
    with pytest.raises(UserError, match="has pairs of texts, and the model reads single texts") as refusal:
        read_labelled(pairs(tmp_path / "a.csv"), LABELS, {"max_seq_length": 64})
    assert_clear(refusal.value)
    path = pairs(tmp_path / "a.csv")
    examples, _ = read_labelled(path, LABELS, {"max_seq_length": 64}, "text_column=premise")
    assert list(examples.texts) == [f"first {n}" for n in range(3)]


def test_labels_of_texts_are_not_counted_as_texts(tmp_path, caplog):
    """The log of an evaluation counts texts, however many labels they have, as that of the training does."""
    path = lists(tmp_path / "a.jsonl")
    with caplog.at_level("INFO"):
        found = _understood(path.name, read_labelled(path, LABELS, MULTI)[0], LABELS)
    assert found["texts"] == len(SETS)
    assert "3 texts with any number of 3 labels (1.00 on average, 1 without any)" in caplog.text
