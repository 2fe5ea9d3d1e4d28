"""The files of an evaluation: tables safe to open, a report in one file, everything escaped, the same each time."""

import csv
import html
import html.parser
import json
import os
import re
import resource
import signal
from pathlib import Path

import numpy as np
import pytest

from bert_classifier.data.examples import Records
from bert_classifier.evaluation.calibration import Temperature
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.outputs import OUTPUTS, remove_outputs, write_outputs
from bert_classifier.evaluation.result import EvaluationResult, assess
from support.evaluations import evaluation_of
from support.reports import HOSTILE, report_context


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the outputs of a hostile subject."""
    made = tmp_path_factory.mktemp("outputs") / "data"
    write_outputs(made, report_context())
    return made


class Parser(html.parser.HTMLParser):
    """Collects the tags of a page, and what refers to something else."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]


def parsed(path: Path) -> Parser:
    """Return the parsed page."""
    parser = Parser()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def rows_of(path: Path) -> list[list[str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_all_files_are_there(folder):
    """Those for programs and those for people, and nothing else."""
    assert {path.name for path in folder.iterdir()} == {
        "evaluation.json", "confusion_matrix.csv", "per_class.csv", "errors.csv", "label_errors.csv", "report.html",
    }  # fmt: skip


def test_no_cell_is_a_formula(folder):
    """A cell of words that a spreadsheet would compute begins with an apostrophe; numbers stay numbers."""
    for path in folder.glob("*.csv"):
        for row in rows_of(path):
            assert not [cell for cell in row if cell.startswith(("=", "+", "@"))], path.name
    header, first, *_ = rows_of(folder / "errors.csv")
    assert header == ["place", "true", "predicted", "true_score", "predicted_score", "text"]
    assert first[0].startswith("'=cmd.csv line ")
    assert 0 < float(first[3]) < float(first[4]) < 1


def test_the_confusion_matrix_can_be_read_back(folder):
    """One row a true class, one column a predicted one; lines end plainly."""
    assert b"\r" not in (folder / "confusion_matrix.csv").read_bytes()
    header, *rows = rows_of(folder / "confusion_matrix.csv")
    assert header[1:] == ["'=HYPERLINK(A1)", *HOSTILE[1:]]
    counts = [[int(cell) for cell in row[1:]] for row in rows]
    assert counts == report_context().result.confusion.tolist()


def test_the_table_of_classes_is_that_of_the_evaluation(folder):
    """Precision, recall, F1 and counts of each class, to six digits."""
    _, *rows = rows_of(folder / "per_class.csv")
    result = report_context().result
    numbers = np.array([[float(cell) for cell in row[1:]] for row in rows])
    assert numbers[:, 0] == pytest.approx(result.precision, rel=1e-5)
    assert numbers[:, 1] == pytest.approx(result.recall, rel=1e-5)
    assert numbers[:, 2] == pytest.approx(result.f_score(1.0), rel=1e-5)
    assert numbers[:, 3:].T.tolist() == [
        result.confusion.sum(axis=1).tolist(),
        result.confusion.sum(axis=0).tolist(),
    ]


def test_mistakes_are_listed_by_place_and_text(folder):
    """Every wrong answer, the surest first, where it stands."""
    _, *rows = rows_of(folder / "errors.csv")
    context = report_context()
    assert len(rows) == int((context.result.predicted != context.result.targets).sum())
    for row, issue in zip(rows, context.mistakes, strict=True):
        assert row[0] == f"'=cmd.csv line {issue.index}"
        assert row[5] == context.records.texts[issue.index]


def test_the_report_is_one_file_without_a_script(folder):
    """Nothing of labels, texts or titles becomes an element, and nothing is loaded from elsewhere."""
    page = parsed(folder / "report.html")
    assert not {"script", "iframe", "i", "u", "img"} & set(page.tags)
    assert page.tags.count("svg") == 6
    assert all(reference.startswith(("#", "data:")) for reference in page.references)
    text = (folder / "report.html").read_text(encoding="utf-8")
    outside = re.findall(r"(?:https?:)?//[\w.]+", text)
    assert set(outside) <= {"http://www.w3.org"}  # the names of SVG's own vocabularies
    for shown in ("<i>Report</i>", "<script>alert(1)</script>", "<b>3</b> texts"):
        assert shown.replace("<", "&lt;").replace(">", "&gt;") in text
    assert "${body}" in text


def test_the_same_subject_gives_the_same_bytes(folder, tmp_path):
    """Nothing of time, place or chance is in the files."""
    write_outputs(tmp_path, report_context())
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


def test_two_hundred_classes_fit(tmp_path):
    """The matrix becomes a picture, the table a list, and the file stays below a megabyte."""
    write_outputs(tmp_path, report_context(classes=200, count=2000))
    page = parsed(tmp_path / "report.html")
    assert page.tags.count("svg") == 7
    assert (tmp_path / "report.html").stat().st_size < 1_000_000
    assert len(rows_of(tmp_path / "per_class.csv")) == 201


@pytest.mark.parametrize(
    "result",
    [
        evaluation_of([(0, 0), (1, 1)], classes=2),
        evaluation_of([(0, 1)], classes=2),
        evaluation_of([(0, 0)] * 100 + [(1, 1)] * 100, classes=2, margin=50.0),
    ],
    ids=["all right", "one text, wrong", "sure and right"],
)
def test_extreme_results_have_a_report(tmp_path, result):
    """Without mistakes, curve or data the sections say so or are left out."""
    records = Records(["x"] * result.count, ["y"] * result.count)
    evaluation = EvaluationResult({"my.csv": result}, Temperature(1.0, "too few"), 0.0)
    context = report_context(
        2, labels=("a", "b"), evaluation=evaluation, records=records, curve=None, data={}
    )
    write_outputs(tmp_path, context)
    quality = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert quality["dataset"] == {"item_count": result.count, "channel": "my.csv"}
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "not fitted: too few" in page
    assert "not calibrated" in page
    assert "calibration:" not in page
    assert "The temperature was fitted" not in page


def page_of(folder: Path, count: int) -> str:
    """Return the report of so many texts."""
    write_outputs(folder, report_context(count=count))
    return (folder / "report.html").read_text(encoding="utf-8")


def test_few_texts_have_no_curve_of_abstaining(tmp_path):
    """An empty plot tells nothing; each row of the table says how many texts it rests on."""
    few, some = page_of(tmp_path / "few", 20), page_of(tmp_path / "some", 60)
    assert "No curve of accuracy by texts that get a label: 20 are too few." in few
    assert few.count("<svg") == some.count("<svg") - 1
    assert "No curve of accuracy" not in some


def row_of(page: str, head: str) -> list[str]:
    """Return the cells of the row of a table with this header, as words."""
    row = page[page.index(head) :]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row[: row.index("</tr>")], re.DOTALL)
    return [html.unescape(cell) for cell in cells]


def test_the_table_of_abstaining_has_thresholds_that_hold_on_new_texts(tmp_path):
    """80 sure and right answers, 20 wrong ones: enough for 95 %; for more the table says what it takes."""
    parts = (evaluation_of([(0, 0)] * 80, 3, margin=8.0), evaluation_of([(1, 0)] * 20, 3))
    result = Evaluation(*(np.concatenate([getattr(p, n) for p in parts]) for n in ("logits", "targets")))
    evaluation = EvaluationResult({"validation": result}, Temperature(1.0, "few"), 0.0)
    write_outputs(tmp_path, report_context(count=100, evaluation=evaluation))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    _, *shown = row_of(page, 'data-head="target ">95.0\u00a0%</th>')
    assert shown == ["80.0\u00a0%", "80 of 80", "95.5\u00a0% to 100.0\u00a0%", "holds on new texts"]
    assert page.count("holds on new texts</td>") == 2  # of 90 % and 95 %
    for target, needed in (("98.0", 149), ("99.0", 299), ("99.5", 598)):
        *_, guarantee = row_of(page, f'data-head="target ">{target}\u00a0%</th>')
        assert guarantee == f"none: needs at least {needed:,} texts"
    assert "with\n95\u00a0% confidence in each row by itself" in page
    assert "gives the threshold" not in page


def test_a_guarantee_is_told_in_report_and_evaluation(tmp_path):
    """The sentence of the log stands beside the curve; the bound is a metric of evaluation.json."""
    validation = evaluation_of([(0, 0)] * 100, 3, margin=8.0)
    evaluation = assess({"validation": validation}, abstain_below=0.0, target_accuracy=0.95)
    write_outputs(tmp_path, report_context(count=100, evaluation=evaluation))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "which 100 of 100 validation texts reach (100.0%), 100 of them right" in page
    metrics = json.loads((tmp_path / "evaluation.json").read_text())["multiclass_classification_metrics"]
    assert metrics["target_accuracy"]["value"] == 0.95
    assert metrics["target_confidence"]["value"] == 0.95
    assert metrics["accuracy_bound"]["value"] == pytest.approx(0.05 ** (1 / 100))
    assert metrics["accuracy_of_answered_low"]["value"] == pytest.approx(0.963, abs=1e-3)


def test_what_an_often_wrong_model_doubts_is_not_called_wrong(tmp_path):
    """The answers here are random: most of what confident learning lists is the model's own mistake, and it says so."""
    write_outputs(tmp_path, report_context())
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "only: most of these are rather its\nown mistakes." in page
    assert "Labels that the model doubts</h2>" in page
    assert "Likely label errors" not in page


@pytest.mark.parametrize(
    ("count", "wrong", "heading", "words"),
    [
        (200, 2, "Likely label errors", ""),
        (200, 20, "Labels that the model doubts", "only: most of these are rather"),
        (
            40,
            1,
            "Labels that the model doubts",
            "40 texts are too few to tell its own mistakes from wrong labels",
        ),
    ],
)
def test_labels_are_called_wrong_by_a_model_that_is_mostly_right(tmp_path, count, wrong, heading, words):
    """Of many texts."""
    pairs = [(0, 1)] * wrong + [(0, 0), (1, 1)] * ((count - wrong) // 2) + [(0, 0)] * ((count - wrong) % 2)
    evaluation = assess(
        {"validation": evaluation_of(pairs, 3, margin=8.0)}, abstain_below=0.0, target_accuracy=0.0
    )
    write_outputs(tmp_path, report_context(count=count, evaluation=evaluation))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"{heading}</h2>" in page
    assert words in page


def test_a_disk_that_is_full_leaves_whole_files_only(tmp_path: Path) -> None:
    """A report of an earlier model is either still that one or the new one; half a file would be neither."""
    undisturbed, full = tmp_path / "undisturbed", tmp_path / "full"
    write_outputs(undisturbed, report_context())
    write_outputs(full, report_context(count=20))
    earlier = {path.name: path.read_bytes() for path in full.iterdir()}
    largest = (undisturbed / "evaluation.json").stat().st_size - 1
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        try:
            write_outputs(full, report_context())
            os._exit(1)
        except OSError:
            os._exit(0)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert {path.name: path.read_bytes() for path in full.iterdir()} == earlier


def test_what_was_written_can_be_removed_before_the_model_is_replaced(tmp_path: Path) -> None:
    """Whatever else lies in the folder stays."""
    (tmp_path / "data_report.json").write_text("{}")
    write_outputs(tmp_path, report_context())
    assert {path.name for path in tmp_path.iterdir()} == {*OUTPUTS, "data_report.json"}
    remove_outputs(tmp_path)
    remove_outputs(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["data_report.json"]
