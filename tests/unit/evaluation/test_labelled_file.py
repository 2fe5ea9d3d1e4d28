"""Files for a trained model: read as its own data were, or with the settings given now."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.errors import UserError
from bert_classifier.evaluation.labelled_file import read_labelled
from bert_classifier.label_mapper import ClassNames
from support.clear_text import assert_clear

LABELS = ClassNames(["bad", "good"])
ROWS = [("good", "well made"), ("bad", "it broke"), ("good", "as described")]
REVIEWS = {"data": {"columns": {"label": "verdict", "text": "review"}}}


def texts_of(path: Path, info: Mapping[str, Any] | None = None, hp: str = "") -> list[str]:
    """Return the texts that are read; their labels are checked."""
    examples, positive = read_labelled(path, LABELS, info, hp)
    assert [LABELS[target] for target in examples.targets] == [label for label, _ in ROWS]
    assert positive is None
    assert examples.place_of(0).startswith(path.name)
    return list(examples.texts)


def written(path: Path, header: str, row: str, end: str = "\n") -> Path:
    """Write the rows under a header."""
    lines = [header, *(row.format(label=label, text=text) for label, text in ROWS)]
    path.write_text(end.join(filter(None, lines)) + end, encoding="utf-8")
    return path


TEXTS = [text for _, text in ROWS]


def test_the_columns_of_the_training_come_before_the_names_in_use(tmp_path):
    """`label` and `text` are better known names, but this model was trained with other columns of the same tool."""
    path = written(tmp_path / "r.csv", "label,text,verdict,review", "x,a note,{label},{text}")
    assert texts_of(path, REVIEWS) == TEXTS


@pytest.mark.parametrize("header", ["", "category,abstract"])
def test_files_of_other_columns_are_read_by_the_names_in_use(tmp_path, header):
    """Without a header, or with that of another tool."""
    assert texts_of(written(tmp_path / "other.csv", header, "{label},{text}"), REVIEWS) == TEXTS


def test_settings_of_the_training_hold_for_the_file(tmp_path):
    """What its data needed, a file of the same tool needs too."""
    info = {"hyperparameters": {"text_column": "3", "label_column": "1", "header": "false", "delimiter": "~"}}
    assert texts_of(written(tmp_path / "t.txt", "", "{label}~7~{text}"), info) == TEXTS


def test_utf8_is_read_as_such_whatever_the_training_was_in(tmp_path):
    """Windows-1252 would make wrong characters of it without an error; a file in it is still read."""
    info = {"hyperparameters": {"encoding": "cp1252"}}
    for encoding in ("utf-8", "cp1252"):
        (tmp_path / "e.csv").write_bytes("label,text\ngood,schön\nbad,naïve\n".encode(encoding))
        examples, _ = read_labelled(tmp_path / "e.csv", LABELS, info)
        assert list(examples.texts) == ["schön", "naïve"]
    (tmp_path / "e.csv").write_bytes("label,text\ngood,schön\n".encode())
    (text,) = read_labelled(tmp_path / "e.csv", LABELS, info, "encoding=cp1252")[0].texts
    assert text == "schÃ¶n"


def test_settings_given_now_take_their_place(tmp_path):
    """HP names the column of this file; a setting that is emptied is as if the training had not had it."""
    path = written(tmp_path / "b.csv", "verdict;body;review", "{label};{text};other words")
    info = {**REVIEWS, "hyperparameters": {"delimiter": ",", "seed": 1}}
    assert texts_of(path, info, "text_column=body delimiter=") == TEXTS


def test_every_form_is_read(tmp_path):
    """What the reader of the training knows; records name the fields."""
    records = [{"verdict": label, "review": text, "text": "a note"} for label, text in ROWS]
    (tmp_path / "a.json").write_text(json.dumps(records))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, records)).encode()))
    for name in ("a.json", "a.jsonl.gz"):
        assert texts_of(tmp_path / name, REVIEWS) == TEXTS
    fast = written(tmp_path / "a.txt", "", "__label__{label} {text}")
    assert texts_of(fast, REVIEWS) == TEXTS


@pytest.mark.parametrize(
    ("hp", "words"),
    [
        ("text_column=reviw", "reviw.*Did you mean text_column=review"),
        ("learning_rate=1", "learning_rate is no setting for reading data"),
        ("text_colum=a", "did you mean text_column"),
        ("header=yes", "header"),
        ("text_column", "text_column is not name=value"),
    ],
)
def test_wrong_settings_are_refused_in_a_sentence(tmp_path, hp, words):
    """A column that is not there, a setting of the training, a typo, a value, no value."""
    path = written(tmp_path / "r.csv", "verdict,review", "{label},{text}")
    with pytest.raises(UserError, match=words) as caught:
        read_labelled(path, LABELS, REVIEWS, hp)
    assert_clear(caught.value)


@pytest.mark.parametrize(
    "info",
    [
        {"data": None},
        {"data": {"columns": ["a"]}},
        {"data": {"columns": {"text": 3}}},
        {"hyperparameters": "x"},
    ],
)
def test_what_other_versions_wrote_is_no_obstacle(tmp_path, info):
    """training.json may say nothing about columns, or something else."""
    assert texts_of(written(tmp_path / "r.csv", "label,text", "{label},{text}"), info) == TEXTS


BY_NUMBER = {"hyperparameters": {"label_column": "2", "text_column": "1", "header": "false"}}
TOLD = {
    "hyperparameters": {"label_column": "kind", "text_column": "prose", "header": "true"},
    "data": {"columns": {"label": "kind", "text": "prose"}},
}


def test_numbers_of_the_training_hold_for_a_file_without_names(tmp_path, caplog):
    """As for its own data; also where a header was in them. The log says so, in case line 1 is refused as a label."""
    path = written(tmp_path / "t.csv", "", "{text},{label}")
    with caplog.at_level("INFO", "bert_classifier"):
        assert texts_of(path, BY_NUMBER) == TEXTS
    assert "t.csv has no header and is read by the training's text_column=1 label_column=2" in caplog.text
    numbers = {"label_column": "3", "text_column": "2"}
    named = {"hyperparameters": numbers, "data": {"columns": {"label": "kind", "text": "prose"}}}
    assert texts_of(written(tmp_path / "n.csv", "", "7,{text},{label}"), named) == TEXTS
    assert texts_of(written(tmp_path / "n.csv", "nr,x,kind,prose", "7,8,{label},{text}"), named) == TEXTS


def test_numbers_of_the_training_do_not_hold_for_a_file_with_names(tmp_path, caplog):
    """The names in use do, whatever stands in those places; the log says so."""
    path = written(tmp_path / "named.csv", "id,label,text", "1,{label},{text}")
    assert texts_of(path, BY_NUMBER) == TEXTS
    assert (
        "named.csv does not fit the training's text_column=1 label_column=2 header=false: it is"
        in caplog.text
    )
    records = [{"id": "1", "label": label, "text": text} for label, text in ROWS]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)))
    assert texts_of(tmp_path / "a.jsonl", BY_NUMBER) == TEXTS
    assert texts_of(path, BY_NUMBER, "label_column=2 text_column=3 header=true") == TEXTS


def test_a_column_of_a_name_that_another_has_is_found_by_its_number(tmp_path):
    """Only the number tells them apart, if the file has the layout of the training's."""
    info = {
        "hyperparameters": {"label_column": "kind", "text_column": "3", "header": "true"},
        "data": {"columns": {"label": "kind", "text": "note"}},
    }
    assert texts_of(written(tmp_path / "r.csv", "kind,note,note", "{label},x,{text}"), info) == TEXTS


@pytest.mark.parametrize(
    ("header", "row", "dropped"),
    [
        ("label,text", "{label},{text}", "text_column=prose label_column=kind"),
        ("kind,text", "{label},{text}", "text_column=prose"),
        ("KIND,Prose", "{label},{text}", ""),
        ("", "{label},{text}", "text_column=prose label_column=kind"),
    ],
)
def test_told_names_that_a_file_does_not_have_are_left_out_with_a_word(
    tmp_path, caplog, header, row, dropped
):
    """The names in use take their place; case does not matter."""
    assert texts_of(written(tmp_path / "r.csv", header, row), TOLD) == TEXTS
    expected = [f"r.csv does not fit the training's {dropped}: it is read without"] if dropped else []
    assert caplog.messages == expected


def test_a_delimiter_and_a_title_that_do_not_fit_are_left_out(tmp_path, caplog):
    """Label and text are where they were."""
    info = {
        "hyperparameters": {"delimiter": ";", "title_column": "head"},
        "data": {"columns": {"label": "verdict", "text": "review", "title": "head"}},
    }
    path = written(tmp_path / "r.csv", "verdict,review", "{label},{text}")
    assert texts_of(path, info) == TEXTS
    assert "title_column=head" in caplog.text
    assert "delimiter=" in caplog.text
    path = written(tmp_path / "r.csv", "verdict,head,review", "{label},so:,{text}")
    assert texts_of(path, info) == [f"so: {text}" for text in TEXTS]


def test_a_file_that_no_reading_fits_names_the_settings_of_the_training(tmp_path):
    """So that nobody looks for them in HP."""
    path = written(tmp_path / "r.csv", "a,b,c", "{label},{text},7")
    with pytest.raises(
        UserError, match=r"Nor do the training's settings fit it: .*text_column=prose"
    ) as caught:
        read_labelled(path, LABELS, TOLD)
    assert_clear(caught.value)


def test_remedies_speak_of_this_command(tmp_path):
    """There is no job here, words cannot become a class, and a folder is there."""
    (tmp_path / "r.csv").write_text("label,text\ngood,a\nNaN,b\n")
    with pytest.raises(UserError, match=r"missing_labels=drop leaves rows without a label out.$") as caught:
        read_labelled(tmp_path / "r.csv", LABELS)
    assert "keep" not in str(caught.value)
    with pytest.raises(UserError, match=r"Correct HP.$"):
        read_labelled(tmp_path / "r.csv", LABELS, {}, "header=yes")
    with pytest.raises(UserError, match="is a folder, and one file is read"):
        read_labelled(tmp_path, LABELS)
