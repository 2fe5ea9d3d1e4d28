"""Data of one's own by the README alone: its blocks are taken as they stand, applied to a copy, and run."""

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
from support.fakes import make_pretrained, toy_rows
from support.serving_process import free_port
from support.source_tree import ROOT, project_files

SECTION = re.search(
    r"(?ms)^## Your own data in three steps$(.*?)^## ", (ROOT / "README.md").read_text(encoding="utf-8")
)
CARRIED = ("container", "local_test", "Makefile")
# What a tiny random encoder needs to learn anything; the README's commands keep what is set already.
TOY_SETTINGS = {
    "num_train_epochs": "10",
    "learning_rate": "0.002",
    "global_batch_size": "8",
    "max_seq_length": "64",
}


def block(language: str) -> str:
    """Return the section's only block in a language."""
    assert SECTION is not None
    (found,) = re.findall(rf"(?ms)^```{language}\n(.*?)^```$", SECTION[1])
    return str(found)


def apply_diff(diff: str, text: str) -> str:
    """Replace each group of - lines, which must be there once, by the + lines after it."""
    for change in re.findall(r"(?m)((?:^-.*\n)+)((?:^\+.*\n)+)", diff):
        before, after = (re.sub(r"(?m)^[-+]", "", part) for part in change)
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return text


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the project with the README's three steps done, and the worked example gone."""
    copy = tmp_path / "project"
    for path in project_files():
        if path.parts[0] in CARRIED:
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, copy / path)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    package = copy / "container" / "bert_classifier"
    (package / "sms.py").write_text(block("python"), encoding="utf-8")
    (package / "dbpedia.py").unlink()
    builder = package / "builder.py"
    builder.write_text(apply_diff(block("diff"), builder.read_text(encoding="utf-8")), encoding="utf-8")
    make_pretrained(copy / "sms" / "input" / "data" / "model")
    (copy / "sms" / "input" / "config").mkdir()
    (copy / "sms" / "input" / "config" / "hyperparameters.json").write_text(json.dumps(TOY_SETTINGS))
    write_messages(copy, "spam")
    return copy


def write_messages(project: Path, spam: str) -> None:
    """Write made-up messages in the form of the SMS Spam Collection."""
    lines = [f"{spam if label == 'Alpha' else 'ham'}\t{text}\n" for label, text in toy_rows(96, 2)]
    (project / "SMSSpamCollection").write_text("".join(lines), encoding="utf-8")


def commands() -> list[str]:
    """Return the section's commands."""
    return [line.split("  #")[0].strip() for line in block("bash").splitlines()]


def run(project: Path, command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the README in the project."""
    return subprocess.run(
        ["bash", "-c", command], cwd=project, env=environment(), capture_output=True, text=True, timeout=240
    )


def environment(**settings: str) -> dict[str, str]:
    """Return the environment of a person without a Docker engine, on one core."""
    return {**os.environ, "ENGINE": "process", "OMP_NUM_THREADS": "1", **settings}


@pytest.fixture
def server(project: Path) -> Iterator[int]:
    """Serve as the README does, on a port of its own; return the port. The commands before must have run."""
    (serve,) = [command for command in commands() if "serve-local" in command]
    port = free_port()
    for command in commands()[: commands().index(serve)]:
        done = run(project, command)
        assert done.returncode == 0, done.stdout + done.stderr
    with (project / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {serve}"], cwd=project, env=environment(PORT=str(port)), stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield port
    finally:
        os.killpg(process.pid, 15)
        process.wait(60)


def test_own_dataset_and_mapper_train_and_serve(project: Path, server: int) -> None:
    """The README's commands examine, train and serve the user's task without the worked example."""
    artifact = load_artifact(project / "sms" / "model")
    assert artifact.labels == ("ham", "spam")
    assert artifact.info["metrics"]["validation"]["accuracy"] > 0.8
    report = json.loads((project / "sms" / "output" / "data" / "data_report.json").read_text())
    assert set(report["channels"]["train"]["classes"]) == {"ham", "spam"}
    assert all("SMSSpamCollection line" in place for found in report["findings"] for place in found["places"])
    (ask,) = [command for command in commands() if command.startswith("curl")]
    answer = json.loads(answered(project, ask.replace("localhost:8080", f"127.0.0.1:{server}")))
    assert answer["label"] in {"ham", "spam"}


def answered(project: Path, ask: str) -> str:
    """Return what a command prints once the server is there."""
    for _ in range(600):
        asked = run(project, ask)
        if asked.returncode == 0 and "not_ready" not in asked.stdout:
            return asked.stdout
        time.sleep(0.2)
    raise AssertionError((project / "serve.log").read_text() + asked.stdout)


def test_label_that_the_own_mapper_refuses_is_named(project: Path) -> None:
    """What a mapper of one's own raises becomes the failure's sentence, with the line it is about."""
    write_messages(project, "junk")
    copy_in, examine = commands()[:2], commands()[2]
    for command in copy_in:
        assert run(project, command).returncode == 0
    done = run(project, examine)
    assert done.returncode == 2
    assert "UserError: 48 row(s) of the data cannot be used: SMSSpamCollection line " in done.stderr
    assert "the label 'junk' is neither ham nor spam" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
