"""The files of an evaluation with several labels per text: complete, safe to open, and the numbers of the result."""

import csv
import dataclasses
import json
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from bert_classifier.data.examples import Records
from bert_classifier.data.text_pair import TextPair
from bert_classifier.evaluation.label_issues import likely_label_errors
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation
from bert_classifier.evaluation.multi_label.mistakes import label_doubts, label_set_mistakes
from bert_classifier.evaluation.multi_label.predictions import LabelPredictions
from bert_classifier.evaluation.multi_label.tables import write_label_predictions, write_label_set_mistakes
from bert_classifier.evaluation.outputs import remove_outputs, write_outputs
from bert_classifier.evaluation.report.multi_label.page import render_label_report
from bert_classifier.job.answer_form import parted
from support.label_reports import full_label_context, label_context

CONTEXT = label_context()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the outputs of hostile names and texts."""
    made = tmp_path_factory.mktemp("outputs") / "data"
    write_outputs(made, CONTEXT)
    return made


def rows_of(path: Path) -> list[list[str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_all_files_are_there_and_can_be_removed(folder, tmp_path):
    """The counterpart of the confusion matrix has a name of its own."""
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "evaluation.json", "label_confusions.csv", "per_class.csv", "errors.csv", "label_errors.csv", "report.html",
    }  # fmt: skip
    write_outputs(tmp_path, CONTEXT)
    remove_outputs(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_cell_is_a_formula(folder):
    """A cell of words that a spreadsheet would compute begins with an apostrophe."""
    for path in folder.glob("*.csv"):
        for row in rows_of(path):
            assert not [cell for cell in row if cell.startswith(("=", "+", "@"))], path.name


def test_evaluation_json_is_strict_and_has_each_label(folder):
    """The summary's numbers, and for each label a binary confusion matrix that adds up."""
    written = json.loads((folder / "evaluation.json").read_text(), parse_constant=pytest.fail)
    section = written["multilabel_classification_metrics"]
    scores = CONTEXT.evaluation.summaries["validation"]
    for name, value in scores.items():
        assert section[name] == {"value": value, "standard_deviation": "NaN"}
    assert written["dataset"] == {"item_count": 80, "channel": "validation"}
    for index, label in enumerate(CONTEXT.labels):
        found = section["labels"][label]
        assert sum(sum(row.values()) for row in found["confusion_matrix"].values()) == 80
        assert found["confusion_matrix"]["1"]["1"] == CONTEXT.answers.right[index]
        assert found["threshold"]["value"] == CONTEXT.evaluation.thresholds[index]
    assert "average_precision" not in section["labels"][CONTEXT.labels[0]]  # which no text has


def test_the_table_of_labels_is_that_of_the_evaluation(folder):
    """To six digits; a cell is empty where there is no number."""
    header, *rows = rows_of(folder / "per_class.csv")
    assert header == [
        "class", "precision", "recall", "f1", "average_precision", "threshold", "calibration_error", "texts",
        "predicted",
    ]  # fmt: skip
    assert [float(row[3]) for row in rows] == pytest.approx(CONTEXT.answers.f1, rel=1e-5)
    assert rows[0][4] == ""
    assert [float(row[4]) for row in rows[1:]] == pytest.approx(
        CONTEXT.result.average_precisions[1:], rel=1e-5
    )


def test_confusions_can_be_read_back(folder):
    """One row a missed label: its texts, those that get no other label falsely, and a column a false one."""
    header, *rows = rows_of(folder / "label_confusions.csv")
    assert header[:3] == ["missed \\ given falsely", "texts", "no other"]
    counts = np.array([[int(cell) for cell in row[1:]] for row in rows])
    assert counts[:, 2:].tolist() == CONTEXT.answers.confusions.tolist()
    assert counts[:, 0].tolist() == CONTEXT.answers.missed.sum(axis=0).tolist()
    assert (counts[:, 1] <= counts[:, 0]).all()


def test_mistakes_are_listed_by_place_with_their_labels(folder):
    """Every text that does not get exactly its labels, the surest mistake first."""
    header, *rows = rows_of(folder / "errors.csv")
    assert header == ["place", "true", "predicted", "missed", "false", "error", "text"]
    assert len(rows) == int((~CONTEXT.answers.are_exact).sum())
    errors = [float(row[5]) for row in rows]
    assert errors == sorted(errors, reverse=True)
    for row, mistake in zip(rows, CONTEXT.mistakes, strict=True):
        assert row[0] == f"'=cmd.csv line {mistake.index}"
        assert len(mistake.missed) + len(mistake.false) > 0
        assert row[6] == CONTEXT.records.texts[mistake.index]


def test_names_with_bars_can_be_told_from_two_labels(tmp_path):
    """As the server writes them: a name that has a bar is quoted within its cell."""
    labels = ["a|b", "a", "b"]
    answers = LabelPredictions(
        np.array([[1, 0, 1], [0, 1, 1]], dtype=bool), np.array([[1, 1, 0], [1, 0, 0]], dtype=np.uint8)
    )
    scores = np.array([[0.9, 0.1, 0.8], [0.2, 0.6, 0.7]])
    write_label_predictions(tmp_path / "predictions.csv", labels, answers, scores, ["1", "2"])
    first = rows_of(tmp_path / "predictions.csv")[1]
    assert first == ["1", '"a|b"|a', '"a|b"|b', "0.9|0.8"]
    assert [parted(cell) for cell in first[1:]] == [["a|b", "a"], ["a|b", "b"], ["0.9", "0.8"]]
    mistakes = label_set_mistakes(scores, answers)
    records = Records(["1", "2"], ["some", "text"])
    write_label_set_mistakes(tmp_path / "errors.csv", labels, answers, mistakes, records)
    cells = {row[0]: row[1:5] for row in rows_of(tmp_path / "errors.csv")[1:]}
    assert cells == {"1": ['"a|b"|a', '"a|b"|b', "a", "b"], "2": ['"a|b"', "a|b", '"a|b"', "a|b"]}


def test_a_flipped_label_is_found():
    """Of labels that the model knows well, the one that was taken away and the one that was added stand first."""
    rng = np.random.default_rng(0)
    true = (rng.random((300, 3)) < 0.4).astype(np.uint8)
    logits = (rng.normal(0, 0.5, true.shape) + 8.0 * true - 4.0).astype(np.float32)
    for flipped in ((5, 1), (9, 2)):  # of which the model is surer than of most
        logits[flipped] = 12.0 * true[flipped] - 6.0
    given = true.copy()
    given[5, 1] ^= 1
    given[9, 2] ^= 1
    context = label_context(3, 300)
    changed = dataclasses.replace(
        context.evaluation, results={"validation": MultiLabelEvaluation(logits, given)}
    )
    doubts = dataclasses.replace(context, evaluation=changed).doubts
    assert {(doubt.index, doubt.label) for doubt in doubts[:2]} == {(5, 1), (9, 2)}
    assert [doubt.is_given for doubt in doubts[:2]] == [
        bool(given[doubt.index, doubt.label]) for doubt in doubts[:2]
    ]


def test_of_many_doubts_no_object_is_made_before_it_is_looked_at():
    """They are those of each label by itself, the likeliest first, and take 25 bytes each."""
    rng = np.random.default_rng(0)
    scores = rng.random((3000, 20))
    given = (rng.random(scores.shape) < 0.5).astype(np.uint8)
    tracemalloc.start()
    doubts = label_doubts(scores, given)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(doubts) > 10_000
    assert held < 50 * len(doubts)
    expected = {
        (issue.index, label, issue.label == 1, issue.answer_score - issue.label_score)
        for label in range(20)
        for issue in likely_label_errors(
            np.stack([1 - scores[:, label], scores[:, label]], axis=1), given[:, label].astype(np.int64)
        )
    }
    assert len(expected) == len(doubts)
    assert {(each.index, each.label, each.is_given) for each in doubts} == {each[:3] for each in expected}
    margins = [1 - 2 * each.score if each.is_given else 2 * each.score - 1 for each in doubts]
    assert margins == sorted(margins, reverse=True)
    assert margins == pytest.approx(sorted((each[3] for each in expected), reverse=True))
    assert doubts[:2] == [doubts[0], doubts[1]]


def test_both_parts_of_a_pair_are_shown(tmp_path):
    """In columns of their own in tables, in two lines on the page."""
    pairs = [TextPair(f"premise {n}", f"hypothesis {n}") for n in range(80)]
    write_outputs(tmp_path, dataclasses.replace(CONTEXT, records=Records(CONTEXT.records.places, pairs)))
    for name in ("errors.csv", "label_errors.csv"):
        header, first, *_ = rows_of(tmp_path / name)
        assert header[-2:] == ["text", "text_pair"]
        assert first[-1] == first[-2].replace("premise", "hypothesis")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "1: premise" in page
    assert "\x1f" not in page


@pytest.mark.parametrize(
    ("classes", "count", "settings"),
    [
        (1, 1, {}),
        (2, 0, {}),
        (2, 0, {"target_precision": 0.7}),
        (4, 80, {"label_threshold": 0.3}),
        (40, 60, {}),
    ],
)
def test_the_page_is_written_whatever_the_result(classes, count, settings):
    """Without texts, with one label, with many; nothing of names and texts becomes an element."""
    make = full_label_context if count == 80 else label_context
    page = render_label_report(make(classes, count, **settings))
    assert "<script" not in page
    assert "<img" not in page
    assert "nan" not in page.lower().replace("naryanaswamy", "")
    assert math.isfinite(len(page))


def test_the_page_says_where_thresholds_come_from():
    """Cross-fitted where the texts chose them; with a promise, what holds on new texts, or what it would take."""
    assert "each fifth of them is answered here" in " ".join(render_label_report(CONTEXT).split())
    fixed = " ".join(render_label_report(label_context(label_threshold=0.4)).split())
    assert "each fifth of them" not in fixed
    promised = " ".join(render_label_report(label_context(4, 400, target_precision=0.6)).split())
    assert "target_precision=0.6 is promised for" in promised
    assert "at least, on new texts" in promised
