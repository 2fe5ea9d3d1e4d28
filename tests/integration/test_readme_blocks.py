"""The README alone leads from data to a served model: its blocks are taken as they stand and run in a copy."""

import contextlib
import csv
import itertools
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bert_classifier.artifact.artifact import load_artifact
from support.documents import apply_diff, blocks, commands, section
from support.fakes import make_pretrained, toy_rows
from support.free_port import free_port
from support.patience import PATIENCE_S
from support.source_tree import ROOT, project_files

OWN_CSV = section(Path("README.md"), "Your own CSV")
LABEL_SETS = section(Path("README.md"), "Several labels per text")
PAIRS = section(Path("README.md"), "Pairs of texts")
OWN_DATASET = section(Path("README.md"), "Your own Dataset in three steps")
CARRIED = ("container", "local_test", "Makefile")
# What a tiny random encoder needs to learn anything; the README's commands keep what is set already.
TOY_SETTINGS = {
    "num_train_epochs": "10",
    "learning_rate": "0.002",
    "global_batch_size": "8",
    "max_seq_length": "64",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the project."""
    copy = tmp_path / "project"
    for path in project_files():
        if path.parts[0] in CARRIED:
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, copy / path)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    return copy


def lay_out(run: Path) -> None:
    """Give a folder for a run the tiny encoder and its settings; the data are still to come."""
    make_pretrained(run / "input" / "data" / "model")
    (run / "input" / "config").mkdir()
    (run / "input" / "config" / "hyperparameters.json").write_text(json.dumps(TOY_SETTINGS))


@pytest.fixture
def with_own_dataset(project: Path) -> Path:
    """Return the project with the README's three steps done, and the worked example gone."""
    package = project / "container" / "bert_classifier"
    (own_classes,), (swap,) = blocks(OWN_DATASET, "python"), blocks(OWN_DATASET, "diff")
    (package / "sms.py").write_text(own_classes, encoding="utf-8")
    (package / "dbpedia.py").unlink()
    builder = package / "builder.py"
    builder.write_text(apply_diff(swap, builder.read_text(encoding="utf-8")), encoding="utf-8")
    lay_out(project / "sms")
    write_messages(project, "spam")
    return project


def write_messages(project: Path, spam: str) -> None:
    """Write made-up messages in the form of the SMS Spam Collection."""
    lines = [f"{spam if label == 'Alpha' else 'ham'}\t{text}\n" for label, text in toy_rows(96, 2)]
    (project / "SMSSpamCollection").write_text("".join(lines), encoding="utf-8")


def run(project: Path, command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the README in the project."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def environment(**settings: str) -> dict[str, str]:
    """Return the environment of a person without a Docker engine, on one core."""
    return {**os.environ, "ENGINE": "process", "OMP_NUM_THREADS": "1", **settings}


@contextlib.contextmanager
def followed(project: Path, text: str) -> Iterator[list[str]]:
    """Run a section's commands up to the one that serves; yield the answers to those after it."""
    steps = commands(text)
    (serve,) = [number for number, command in enumerate(steps) if "serve-local" in command]
    for command in steps[:serve]:
        done = run(project, command)
        assert done.returncode == 0, done.stdout + done.stderr
    port = str(free_port())
    with (project / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {steps[serve]}"], cwd=project, env=environment(PORT=port), stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        asked = [command.replace("localhost:8080", f"127.0.0.1:{port}") for command in steps[serve + 1 :]]
        yield [answered(project, command, process) for command in asked]
    finally:
        os.killpg(process.pid, 15)
        process.wait(PATIENCE_S)


def answered(project: Path, ask: str, server: "subprocess.Popen[bytes]") -> str:
    """Return what a command prints once the server is there."""
    while server.poll() is None:
        asked = run(project, ask)
        if asked.returncode == 0 and "not_ready" not in asked.stdout:
            return asked.stdout
        time.sleep(0.2)
    raise AssertionError((project / "serve.log").read_text())


def test_own_csv_is_trained_reported_and_served(project: Path) -> None:
    """A file with the README's columns becomes a report and a server that answers in the form shown there."""
    (shown,) = blocks(OWN_CSV, "csv")
    columns, *rows = csv.reader(shown.splitlines())
    classes = sorted({row[1] for row in rows})[:2]
    with (project / "tickets.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for number, (label, text) in enumerate(toy_rows(96, 2)):
            writer.writerow([number, classes[label == "Alpha"], text])
    lay_out(project / "tickets")
    with followed(project, OWN_CSV) as (answer,):
        ranked = json.loads(answer)
    form = json.loads(blocks(OWN_CSV, "json")[0])
    assert [record.keys() for record in ranked] == [record.keys() for record in form]
    assert list(load_artifact(project / "tickets" / "model").labels) == classes
    assert (project / "tickets" / "output" / "data" / "report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_several_labels_per_text_are_trained_and_served(project: Path) -> None:
    """Cells with bars become sets of labels, answered in the form shown; a text may have none."""
    both = re.findall(r"`(\w+\|\w+)`", LABEL_SETS)[0]
    first, second = both.split("|")
    of = {"Alpha": first, "Beta": second}
    rows = [(text, of[label]) for label, text in toy_rows(96, 2)]
    rows += [(f"{a} {b}", both) for (a, one), (b, two) in itertools.pairwise(rows) if one != two]
    rows += [(f"nothing of interest {number}", "") for number in range(30)]
    with (project / "topics.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "labels"), *rows])
    lay_out(project / "topics")
    with followed(project, LABEL_SETS) as (answer,):
        (found,) = json.loads(answer)
    shown_answer = re.search(r"for (\[\{.*\}\]):", LABEL_SETS)
    assert shown_answer
    (form,) = json.loads(shown_answer[1])
    assert found.keys() == form.keys()
    assert all(entry.keys() == form["labels"][0].keys() for entry in found["labels"])
    artifact = load_artifact(project / "topics" / "model")
    assert (artifact.task, list(artifact.labels)) == ("multi", sorted([first, second]))


@pytest.mark.slow
def test_pairs_of_texts_are_trained_and_served(project: Path) -> None:
    """Two columns with names in use are read together, and so is a request with both."""
    rows = [text for _, text in toy_rows(96, 2)]
    with (project / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        pairs = [("same", text, text) for text in rows] + [
            ("other", a, b) for a, b in itertools.pairwise(rows)
        ]
        csv.writer(file).writerows([("label", "premise", "hypothesis"), *pairs])
    lay_out(project / "pairs")
    with followed(project, PAIRS) as (answer,):
        assert json.loads(answer)["label"] in {"same", "other"}
    assert load_artifact(project / "pairs" / "model").info["is_paired"] is True


@pytest.mark.slow
def test_own_dataset_and_mapper_train_and_serve(with_own_dataset: Path) -> None:
    """The README's commands examine, train and serve the user's task without the worked example."""
    project = with_own_dataset
    with followed(project, OWN_DATASET) as (answer,):
        assert json.loads(answer)["label"] in {"ham", "spam"}
    artifact = load_artifact(project / "sms" / "model")
    assert artifact.labels == ("ham", "spam")
    assert artifact.info["metrics"]["validation"]["accuracy"] > 0.8
    report = json.loads((project / "sms" / "output" / "data" / "data_report.json").read_text())
    assert set(report["channels"]["train"]["classes"]) == {"ham", "spam"}
    assert all("SMSSpamCollection line" in place for found in report["findings"] for place in found["places"])


@pytest.mark.slow
def test_label_that_the_own_mapper_refuses_is_named(with_own_dataset: Path) -> None:
    """What a mapper of one's own raises becomes the failure's sentence, with the line it is about."""
    project = with_own_dataset
    write_messages(project, "junk")
    *copy_in, examine = commands(OWN_DATASET)[:3]
    for command in copy_in:
        assert run(project, command).returncode == 0
    done = run(project, examine)
    assert done.returncode == 2
    assert "UserError: 48 rows of the data cannot be used: SMSSpamCollection line " in done.stderr
    assert "the label 'junk' is neither ham nor spam" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
