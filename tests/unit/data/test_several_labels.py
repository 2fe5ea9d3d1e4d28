"""Several labels per text, in every form of files: each text has its own, in any order, or none; or it is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from bert_classifier.data.examples import distinct_labels, read_examples
from bert_classifier.data.reader_settings import DataFiles, ReaderSettings
from bert_classifier.dbpedia import DbpediaDataset, DbpediaLabelMapper
from bert_classifier.errors import UserError
from bert_classifier.job.task import Task
from support.clear_text import assert_clear

WORDS = (
    "my",
    "order",
    "came",
    "two",
    "weeks",
    "late",
    "and",
    "the",
    "blue",
    "cup",
    "inside",
    "was",
    "cracked",
)
TEXTS = [" ".join(WORDS[i % 7 :]) + f" {i}" for i in range(24)]
# Of each text, in turn; the classes in order are late, praise, rude.
SETS = [("late", "rude"), ("praise",), (), ("late", "praise", "rude"), ("rude",)]
EXPECTED = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1], [0, 0, 1]], dtype=np.uint8)[
    np.arange(24) % len(SETS)
]


def dataset_of(folder: Path, name: str, content: str, **settings: str) -> DbpediaDataset:
    """Return the dataset of one file."""
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return DbpediaDataset(DataFiles([path], ReaderSettings(**settings)))


def targets_of(dataset: DbpediaDataset) -> np.ndarray:
    """Return the targets of a dataset whose labels are its classes."""
    mapper = DbpediaLabelMapper.from_labels(distinct_labels(dataset))
    return read_examples(dataset, mapper, "train").targets


def objects(field="labels", write=list):
    """Return JSON Lines with the sets of labels."""
    rows = ({field: write(SETS[i % len(SETS)]), "text": text} for i, text in enumerate(TEXTS))
    return "".join(json.dumps(row) + "\n" for row in rows)


def cells(write):
    """Return CSV with one cell of labels before each text."""
    rows = (f"{write(SETS[i % len(SETS)])},{text}" for i, text in enumerate(TEXTS))
    return "labels,text\n" + "".join(f"{row}\n" for row in rows)


def quoted(value):
    """Return a cell of CSV."""
    return '"' + str(value).replace('"', '""') + '"'


def wide(yes="1", no="0"):
    """Return CSV with a column of 0 and 1 for each class, and one for a class that no text has."""
    lines = []
    for i, text in enumerate(TEXTS):
        flags = [yes if name in SETS[i % len(SETS)] else no for name in ("rude", "late", "praise")]
        lines.append(",".join([str(i), text, *flags, no]))
    return "id,text,rude,late,praise,threat\n" + "".join(f"{line}\n" for line in lines)


FORMS = {
    "JSON lists": ("a.jsonl", objects(), {}),
    "JSON lists, backwards": ("a.jsonl", objects(write=lambda labels: [*reversed(labels)]), {}),
    "JSON lists with a label twice": ("a.jsonl", objects(write=lambda labels: [*labels, *labels]), {}),
    "a JSON array": ("a.json", "[" + objects().strip().replace("\n", ",") + "]", {}),
    "lists in another field": ("a.jsonl", objects("tags"), {"label_column": "tags"}),
    "strings with bars in JSON": ("a.jsonl", objects(write="|".join), {"label_separator": "|"}),
    "bars": ("a.csv", cells("|".join), {"label_separator": "|"}),
    "semicolons and blanks": ("a.csv", cells("; ".join), {"label_separator": ";", "delimiter": ","}),
    "commas, quoted": ("a.csv", cells(lambda labels: quoted(",".join(labels))), {"label_separator": ","}),
    "a bar at the end": ("a.csv", cells(lambda labels: "|".join([*labels, ""])), {"label_separator": "|"}),
    "Python's lists": ("a.csv", cells(lambda labels: quoted([*labels])), {}),
    "JSON in cells": ("a.csv", cells(lambda labels: quoted(json.dumps(labels))), {}),
    "NumPy's lists": ("a.csv", cells(lambda labels: quoted("[" + " ".join(map(repr, labels)) + "]")), {}),
    "PostgreSQL's arrays": ("a.csv", cells(lambda labels: quoted("{" + ",".join(labels) + "}")), {}),
    "Python's tuples": ("a.csv", cells(lambda labels: quoted(tuple(labels))), {}),
    "Python's sets": ("a.csv", cells(lambda labels: quoted({*labels} if labels else "set()")), {}),
    "Python's frozen sets": ("a.csv", cells(lambda labels: quoted(frozenset(labels))), {}),
    "Stack Overflow's tags": (
        "a.csv", cells(lambda labels: "".join(f"<{label}>" for label in labels) or "[]"), {},
    ),
    "lists without quotes": ("a.csv", cells(lambda labels: quoted("[" + ", ".join(labels) + "]")), {}),
    "Label Studio": ("a.csv", cells(lambda labels: quoted(json.dumps({"choices": labels}))), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_each_text_has_its_labels(tmp_path, name):
    """Whatever the form, 1 stands where a text has the label and 0 elsewhere; the texts are in order."""
    file, content, settings = FORMS[name]
    dataset = dataset_of(tmp_path, file, content, **settings)
    targets = targets_of(dataset)
    assert targets.dtype == np.uint8
    assert targets.tolist() == EXPECTED.tolist()
    assert list(dataset.texts) == TEXTS
    assert dataset[0] == (TEXTS[0], ("late", "rude"))
    assert dataset.understood[0]["task"] == "multi"


def test_the_separator_of_labels_is_no_delimiter(tmp_path):
    """Rows of two labels each and no header: without a setting they could be cut at the bar, too."""
    content = "".join(f"{SETS[i % 2 * 4][0]}|praise,{text}\n" for i, text in enumerate(TEXTS))
    dataset = dataset_of(tmp_path, "a.csv", content, label_separator="|")
    assert dataset[0] == (TEXTS[0], ("late", "praise"))
    with pytest.raises(UserError, match=r"two ways.*Set delimiter"):
        dataset_of(tmp_path, "a.csv", content)


@pytest.mark.parametrize(("yes", "no"), [("1", "0"), ("1.0", "0.0"), ("True", "False"), ("true", "false")])
@pytest.mark.parametrize("columns", ["rude,late,praise,threat", "rude..threat", "3..6", "rude, late..threat"])
def test_columns_of_0_and_1(tmp_path, columns, yes, no):
    """Each named column is a class, also one that no text has; the others are not used."""
    dataset = dataset_of(tmp_path, "a.csv", wide(yes, no), label_columns=columns)
    assert targets_of(dataset).tolist() == np.hstack([EXPECTED, np.zeros((24, 1), int)]).tolist()
    assert sorted(distinct_labels(dataset)) == ["late", "praise", "rude", "threat"]
    assert dataset.understood[0]["label_columns"] == ["rude", "late", "praise", "threat"]
    assert dataset.understood[0]["ignored"] == ["id"]


def test_columns_in_records(tmp_path):
    """JSON's numbers and booleans say the same as cells."""
    rows = ({"text": text, "a": i % 2, "b": i % 3 == 0} for i, text in enumerate(TEXTS))
    content = "".join(json.dumps(row) + "\n" for row in rows)
    dataset = dataset_of(tmp_path, "a.jsonl", content, label_columns="a,b")
    assert targets_of(dataset).tolist() == [[i % 2, int(i % 3 == 0)] for i in range(24)]


def test_several_marks_of_fasttext(tmp_path):
    """All labels before a text are its labels."""
    lines = [f"__label__a {'__label__b ' * (i % 2)}{text}\n" for i, text in enumerate(TEXTS)]
    dataset = dataset_of(tmp_path, "a.txt", "".join(lines))
    assert targets_of(dataset).tolist() == [[1, i % 2] for i in range(24)]


WRONG = {
    "a cell that is neither 0 nor 1": (
        wide().replace(",0,0,0\n", ",0,2,0\n", 1),
        {"label_columns": "rude..threat"},
        ("a.csv line 4", "'praise' holds neither 0 nor 1"),
    ),
    "an empty cell": (
        wide().replace("1,0,0,0\n", "1,0,,0\n", 1),
        {"label_columns": "rude..threat"},
        ("line 6", "'praise' is empty, neither 0 nor 1"),
    ),
    "a text that nobody has labelled": (
        wide().replace("1,0,0,0\n", "-1,-1,-1,-1\n", 1),
        {"label_columns": "rude..threat"},
        ("line 6", "'rude' is -1, neither 0 nor 1", "missing_labels=drop leaves rows without a label out"),
    ),
    "a column that is not there": (wide(), {"label_columns": "rude,lat"}, ("'lat'", "label_columns", "late")),
    "a range that runs backwards": (wide(), {"label_columns": "threat..rude"}, ("'threat..rude'", "Turn it round")),
    "a column twice": (wide(), {"label_columns": "rude..praise,late"}, ("a column twice",)),
    "a single column": (wide(), {"label_columns": "rude"}, ("one column", "label_column")),
    "the text among them": (wide(), {"label_columns": "rude,text", "text_column": "text"}, ("both take 'text'",)),
    "columns without the setting": (wide(), {}, ("label_columns=rude,late,praise,threat",)),
    "columns of which some texts were not judged": (wide("1", "-1"), {}, ("0, 1 and -1", "label_columns=rude,late")),
    "a word for a missing value": (
        cells("|".join).replace("praise|rude", "praise|NaN"),
        {"label_separator": "|"},
        ("'NaN' stands for a missing value",),
    ),
    "lists of one or none": (
        cells(lambda labels: quoted([*labels][:1])).replace("labels", "label"),
        {"task": "single"},
        ("the label is empty",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_unclear_is_refused(tmp_path, name):
    """With the line, or the setting that mends it."""
    content, settings, says = WRONG[name]
    with pytest.raises(UserError) as refusal:
        dataset_of(tmp_path, "a.csv", content, **settings)
    assert_clear(refusal.value)
    assert [part for part in says if part not in str(refusal.value)] == [], str(refusal.value)


def test_lists_of_one_or_none_need_a_word(tmp_path):
    """A label missing or a text without any: nothing in the file tells, so the setting does."""
    content = objects(write=lambda labels: [*labels[:1]])
    with pytest.raises(UserError, match="task=multi takes such a row as a text without labels"):
        dataset_of(tmp_path, "a.jsonl", content)
    assert targets_of(dataset_of(tmp_path, "a.jsonl", content, task="multi")).sum(axis=1).tolist() == [
        min(1, len(SETS[i % len(SETS)])) for i in range(24)
    ]
    dropped = dataset_of(tmp_path, "a.jsonl", content, missing_labels="drop")
    assert (targets_of(dropped).ndim, len(dropped)) == (1, 19)
    assert dropped.understood[0]["left_out"] == {"without a label": 5}


def test_lists_of_exactly_one_stay_one_label(tmp_path):
    """A tool that always writes lists does not make a job one of several labels."""
    content = objects(write=lambda labels: [(labels or ("late",))[0]])
    dataset = dataset_of(tmp_path, "a.jsonl", content)
    assert targets_of(dataset).ndim == 1
    assert "task" not in dataset.understood[0]


def test_a_late_list_of_two_counts(tmp_path):
    """The first thousand rows may happen to have one label each: the whole file decides."""
    labels = [[["a"], ["b"]][i % 2] if i != 1400 else ["a", "b"] for i in range(1500)]
    rows = [{"label": label, "text": f"{TEXTS[i % 24]} {i}"} for i, label in enumerate(labels)]
    dataset = dataset_of(tmp_path, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    targets = targets_of(dataset)
    assert targets.shape == (1500, 2)
    assert targets[[0, 1, 1400]].tolist() == [[1, 0], [0, 1], [1, 1]]


@pytest.mark.parametrize("name", ["[OOV]", "('a', 'b')", "<a><b>"])
def test_a_class_that_looks_like_a_list_stays_one_when_a_late_list_counts(tmp_path, name):
    """What classes.txt lists is one label, also in rows that were read before the first list of two."""
    path = tmp_path / "a.jsonl"
    rows = [{"label": name if i % 2 else "b", "text": text} for i, text in enumerate(TEXTS * 100)]
    rows.append({"label": ["b", name], "text": "both"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    classes = ["a", "b", name]
    dataset = DbpediaDataset(DataFiles([path], ReaderSettings(), classes))
    assert [dataset[index][1] for index in (0, 1, -1)] == [("b",), (name,), tuple(sorted(("b", name)))]
    targets = read_examples(dataset, DbpediaLabelMapper(classes), "train").targets
    assert targets[[0, 1, -1]].tolist() == [[0, 1, 0], [0, 0, 1], [0, 1, 1]]


def test_joined_cells_without_a_separator_stay_one_label(tmp_path):
    """Nothing is guessed from a bar in a name; the data doctor asks about it."""
    dataset = dataset_of(tmp_path, "a.csv", cells(lambda labels: "|".join(labels) or "other"))
    assert targets_of(dataset).ndim == 1
    assert "late|rude" in dataset.label_names


def test_the_task_of_train_holds_for_other_channels(tmp_path):
    """One label per row means one of any number; several where train has one are refused, with the line."""
    single, several = objects(write=lambda labels: (labels or ("late",))[0]), objects()
    path = tmp_path / "a.jsonl"
    mapper = DbpediaLabelMapper(["late", "praise", "rude"])

    def read(content, task):
        path.write_text(content)
        return read_examples(DbpediaDataset(DataFiles([path]).with_task(task)), mapper, "test", task)

    assert read(single, Task.MULTI).targets.sum(axis=1).tolist() == [1] * 24
    assert read(several, Task.MULTI).targets.tolist() == EXPECTED.tolist()
    with pytest.raises(UserError, match=r"a\.jsonl line 1.*it has 2 labels, and task=single allows one"):
        read(several, Task.SINGLE)


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
def test_items_of_an_own_dataset(kind):
    """Its labels may be lists, tuples or sets of raw labels, which the mapper maps one by one."""
    items = [(text, kind(SETS[i % len(SETS)])) for i, text in enumerate(TEXTS)]
    mapper = DbpediaLabelMapper.from_labels(distinct_labels(items))
    examples = read_examples(items, mapper, "train")
    assert examples.task is Task.MULTI
    assert examples.targets.tolist() == EXPECTED.tolist()
    assert examples.texts_by_class(["late", "praise", "rude"]) == {"late": 10, "praise": 10, "rude": 14}


def test_unknown_label_of_several_is_named(tmp_path):
    """By the item's place, with the classes there are."""
    items = [("a", ["late"]), ("b", ["late", "ruude"])]
    with pytest.raises(UserError, match=r"item 1: label 'ruude' is neither .*nearest: 'rude'") as refusal:
        read_examples(items, DbpediaLabelMapper(["late", "praise", "rude"]), "test")
    assert "The classes are 'late', 'praise', 'rude'" in refusal.value.remedy


def test_fingerprint_tells_sets_apart_and_stays_for_single_labels():
    """That of one label each is what it was; sets differ by each of their bits."""
    single = read_examples([("a", "1"), ("b", "2")], DbpediaLabelMapper(["x", "y"]), "train")
    assert single.fingerprint() == "b36f6faef25a8d39930e4082e90a08721bfb8caf6acad6f1b73577b164f14973"
    sets = [[["x"], ["y"]], [["x"], ["x", "y"]], [["x"], []], [[], ["x"]]]
    found = {
        read_examples([("a", one), ("b", two)], DbpediaLabelMapper(["x", "y"]), "train").fingerprint()
        for one, two in sets
    }
    assert len(found) == 4
