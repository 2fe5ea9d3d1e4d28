"""`python -m bert_classifier.evaluation` and its script, on artifacts of tiny models and files as people have them."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from bert_classifier.artifact.artifact import load_artifact, save_artifact
from bert_classifier.evaluation.command import run
from bert_classifier.evaluation.headline import percent
from bert_classifier.serving.model.predictor import Predictor
from support.fakes import CLASS_NAMES, toy_rows, write_csv
from support.patience import PATIENCE_S
from support.toy_artifact import make_artifact

SCRIPT = Path(__file__).parents[2] / "local_test" / "evaluate.sh"
ROWS = toy_rows(40)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an artifact."""
    return make_artifact(tmp_path_factory.mktemp("one") / "model", classes_from="class file")


@pytest.fixture(scope="module")
def other(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of another model, whose classes stand in another order and have no numbers."""
    folder = tmp_path_factory.mktemp("two")
    artifact = load_artifact(model)
    labels = (CLASS_NAMES[2], CLASS_NAMES[0], CLASS_NAMES[1])
    artifact.model.config.id2label = dict(enumerate(labels))
    artifact.model.config.label2id = {label: index for index, label in enumerate(labels)}
    info = {**artifact.info, "classes_from": "training labels"}
    save_artifact(folder / "model", artifact.model, AutoTokenizer.from_pretrained(model), labels, info)
    return folder / "model"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a labelled file."""
    return write_csv(tmp_path_factory.mktemp("data") / "mine.csv", ROWS)


def served(folder: Path) -> tuple[np.ndarray, list[str]]:
    """Return what serving answers: scores of each text, and labels in their order."""
    predictor = Predictor(load_artifact(folder), 4096)
    predictions = predictor.predict([text for _, text in ROWS])
    return np.stack([prediction.scores for prediction in predictions]), list(predictor.labels)


def test_a_model_is_scored_as_it_is_served(model, data, tmp_path, caplog):
    """Labels and scores are those of the server, calibration included; the log holds numbers and no text."""
    with caplog.at_level("INFO", "bert_classifier"):
        assert run(["evaluate", "--model", str(model), "--data", str(data), "--output", str(tmp_path)]) == 0
    scores, labels = served(model)
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["place", "true", "predicted", "score"]
    assert [row[1] for row in rows] == [label for label, _ in ROWS]
    assert [row[2] for row in rows] == [labels[index] for index in scores.argmax(axis=1)]
    assert [float(row[3]) for row in rows] == pytest.approx(scores.max(axis=1).tolist(), rel=1e-4)
    written = json.loads((tmp_path / "evaluation.json").read_text())
    hits = sum(row[1] == row[2] for row in rows)
    assert written["multiclass_classification_metrics"]["accuracy"]["value"] == pytest.approx(hits / 40)
    assert written["dataset"] == {"item_count": 40, "channel": "mine.csv"}
    assert f"{percent(hits, 40)} of 40 texts of mine.csv are right (95 % interval " in caplog.text
    assert not any(text in caplog.text for _, text in ROWS)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    head, _, body = page.partition("</header>")
    assert "<dt>texts</dt><dd>mine.csv: 40 texts</dd>" in head
    assert "% of 40 texts of mine.csv are right" in body.replace("\u00a0", " ")
    assert "Learning curve" not in page


def test_the_classes_may_stand_in_another_order(model, other, data, tmp_path):
    """A model that names the same outputs otherwise is compared by names: every answer changes."""
    arguments = ["--model", str(model), "--other", str(other), "--data", str(data), "--output", str(tmp_path)]
    assert run(["compare", *arguments]) == 0
    ours, _ = served(model)
    named = served(other)
    theirs = [named[1][index] for index in named[0].argmax(axis=1)]
    with (tmp_path / "changed.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["place"]: row for row in csv.DictReader(file)}
    assert len(rows) == 40
    for index, (label, _) in enumerate(ROWS):
        row = rows[f"mine.csv line {index + 1}"]
        first = CLASS_NAMES[ours[index].argmax()]
        assert (row["true"], row["first"], row["second"]) == (label, first, theirs[index])


def test_a_model_compared_with_itself_changes_nothing(model, data, tmp_path):
    """No text gets another answer."""
    arguments = ["--model", str(model), "--other", str(model), "--data", str(data), "--output", str(tmp_path)]
    assert run(["compare", *arguments]) == 0
    written = json.loads((tmp_path / "comparison.json").read_text())
    assert written["mcnemar_mid_p"] == 1
    page = (tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert "<dt>texts</dt><dd>mine.csv: 40 texts</dd>" in page
    assert "Both models predict the same label for every text." in page
    assert written["first"]["nll"] == written["second"]["nll"]


def test_what_was_understood_is_said_first(model, data, tmp_path, caplog):
    """The log says how the file was read, before any score; so does the report's section on the data."""
    arguments = ["--model", str(model), "--data", str(data), "--output", str(tmp_path)]
    with caplog.at_level("INFO"):
        assert run(["evaluate", *arguments]) == 0
    assert "mine.csv is CSV with ',' and no header, in UTF-8: the label is column 1" in caplog.text
    assert caplog.text.index("40 texts of 3 classes: 'Alpha' ") < caplog.text.index(" are right")
    page = (tmp_path / "report.html").read_text()
    assert "<dt>mine.csv</dt><dd>CSV with " in page


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("label,text\nOmega,some words\n", "label 'Omega' is neither a class name"),
        ("", "has no usable row"),
        ("a,b,c,d\n1,2,3,4\n", "4 column"),
        (None, "There is no file"),
    ],
)
def test_bad_files_are_refused_in_a_sentence(model, tmp_path, caplog, content, words):
    """A wrong label, an empty or foreign file, none at all: exit code 2 and the reason."""
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_text(content)
    assert (
        run(["evaluate", "--model", str(model), "--data", str(path), "--output", str(tmp_path / "out")]) == 2
    )
    assert words in caplog.text
    assert "Traceback" not in caplog.text


def test_the_columns_of_a_file_can_be_told(model, tmp_path, caplog):
    """As HP of make does; the results name the file and its lines."""
    path = tmp_path / "from tool.csv"
    path.write_text("verdict;nr;memo\n" + "".join(f"{label};7;{text}\n" for label, text in ROWS))
    arguments = ["--data", str(path), "--output", str(tmp_path / "out"), "--model", str(model)]
    assert run(["evaluate", *arguments]) == 2
    assert "set label_column" in caplog.text.replace("Set", "set")
    assert run(["evaluate", *arguments, "--hp", "label_column=verdict text_column=memo"]) == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "from tool.csv" in page
    with (tmp_path / "out" / "errors.csv").open(encoding="utf-8", newline="") as file:
        places = [row["place"] for row in csv.DictReader(file)]
    assert places
    assert all(place.startswith("from tool.csv line ") for place in places)


def test_models_of_other_classes_are_not_compared(model, data, tmp_path, caplog):
    """The classes that only one of them knows are named."""
    wider = make_artifact(tmp_path / "wider", classes=4)
    arguments = ["--model", str(model), "--other", str(wider), "--data", str(data), "--output", str(tmp_path)]
    assert run(["compare", *arguments]) == 2
    assert f"do not have the same classes: {CLASS_NAMES[3]!r}" in caplog.text


def test_a_folder_that_is_no_model_or_takes_no_file(model, data, tmp_path, caplog):
    """Exit code 2 for the one, 3 for the other, as everywhere."""
    (tmp_path / "taken").write_text("in the way")
    arguments = ["evaluate", "--data", str(data)]
    assert run([*arguments, "--model", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    assert run([*arguments, "--model", str(model), "--output", str(tmp_path / "taken")]) == 3
    assert "cannot be written" in caplog.text


def script(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run the script as `make evaluate` and `make compare` do, as a process."""
    environ = {**os.environ, "ENGINE": "process", "OMP_NUM_THREADS": "1"}
    command = [str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE_S)


@pytest.mark.slow
@pytest.mark.skipif(not (SCRIPT.parents[1] / ".venv" / "bin" / "python").exists(), reason="needs the .venv")
def test_the_script_writes_beside_the_model(model, other, data, tmp_path):
    """Without OUTPUT each data file has a folder of its own there; with OTHER it is a comparison."""
    shutil.copytree(model, tmp_path / "run" / "model")
    result = script(tmp_path / "run" / "model", data)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run" / "evaluation-mine" / "report.html").is_file()
    assert re.search(r"Report: \S+/run/evaluation-mine/report.html\n$", result.stdout)
    result = script(tmp_path / "run" / "model", data, "", other, "header=false")
    assert result.returncode == 0, result.stderr
    assert "may well be chance" in result.stdout or "model is better" in result.stdout
    assert (tmp_path / "run" / "comparison-mine" / "comparison.html").is_file()


def test_the_script_names_what_is_missing(model, tmp_path):
    """A missing model or file is named before anything starts."""
    assert "There is no model folder ''" in script("", "x.csv").stderr
    assert "There is no file 'x.csv'" in script(model, "x.csv").stderr
    assert "There is no model folder 'none'" in script(model, SCRIPT, "", "none").stderr
    assert script("", "x.csv").returncode == 2


def start(command: str, model: Path, data: Path, output: Path, *first: Path) -> "subprocess.Popen[str]":
    """Start a command as a process that finds modules in the folders `first`."""
    arguments = ["--model", str(model), "--data", str(data), "--output", str(output)]
    more = ["--other", str(model)] if command == "compare" else []
    paths = [str(path) for path in (*first, SCRIPT.parents[1] / "container")]
    return subprocess.Popen(
        [sys.executable, "-m", "bert_classifier.evaluation", command, *arguments, *more],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


INCOMPLETE = "stopped by Ctrl-C: the results in {} may be incomplete"


@pytest.mark.parametrize(
    ("command", "library", "then", "words"),
    [
        ("compare", "torch", "raise", "stopped by Ctrl-C"),
        ("evaluate", "matplotlib", "raise", INCOMPLETE),
        ("evaluate", "matplotlib", "raise ImportError('initialization failed')", INCOMPLETE),
        ("evaluate", "matplotlib", "os.kill(os.getpid(), signal.SIGINT)", "stopped by Ctrl-C"),
    ],
)
def test_ctrl_c_ends_it_with_a_sentence(model, data, tmp_path, command, library, then, words):
    """While the program loads, at its work, turned into another exception by a library, typed twice."""
    (tmp_path / f"{library}.py").write_text(
        f"import os, signal\ntry: os.kill(os.getpid(), signal.SIGINT)\nexcept KeyboardInterrupt: {then}\n",
        encoding="utf-8",
    )
    with start(command, model, data, tmp_path / "results", tmp_path) as process:
        log, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, log
    assert log.splitlines()[-1].endswith(words.format(tmp_path / "results"))
    assert "Traceback" not in log


def test_ctrl_c_once_everything_is_written_does_not_kill(model, data, tmp_path):
    """The last line is out, and the process is about to end: it does so with an exit code of its own."""
    with start("evaluate", model, data, tmp_path / "results") as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "texts of mine.csv are right" in line:
                process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) in {0, 130}
    assert "Traceback" not in "".join(lines)


def test_an_engine_that_is_none_leaves_no_folder(model, data, tmp_path):
    """What cannot be run is refused before anything is made."""
    environ = {"PATH": os.environ["PATH"], "ENGINE": "proces"}
    command = ["bash", str(SCRIPT), str(model), str(data), str(tmp_path / "out")]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (ended.returncode, "ENGINE=proces is not one of" in ended.stderr) == (2, True)
    assert not (tmp_path / "out").exists()
