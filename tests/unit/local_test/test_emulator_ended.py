"""A rehearsal that somebody else ends, or whose containers somebody else removes: no finding, and it says so."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sagemaker_emulator import schedule
from sagemaker_emulator.docker_command import EngineError, GoneError
from sagemaker_emulator.engine import Container
from sagemaker_emulator.report import Report
from sagemaker_emulator.schedule import Part, run_parts
from support.patience import PATIENCE_S

NAME = "sagemaker-emulator-1a2b3c4d-35"


@pytest.fixture
def rehearsal() -> Any:
    """Return what the schedule needs of a rehearsal; closing its engine sets an event."""
    closed = threading.Event()
    engine = SimpleNamespace(close=closed.set, closed=closed)
    return SimpleNamespace(engine=engine, report=Report(["image"], is_talkative=True), given_model=None)


@pytest.mark.parametrize(
    "words", [f"No such object: {NAME}", f"response from daemon: No such container: {NAME}"]
)
def test_a_removed_container_is_no_fault_of_the_image(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is asked about it, its log too; another refusal of the engine's is told apart."""
    program = tmp_path / "docker"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for message, kind in (
        (f"Error: {words}", GoneError),
        ("Cannot connect to the Docker daemon", EngineError),
    ):
        program.write_text(f"#!/bin/sh\necho '{message}' >&2\nexit 1\n", encoding="utf-8")
        program.chmod(0o755)
        for ask in (Container(NAME).is_running, Container(NAME).last_words, Container(NAME).written):
            with pytest.raises(EngineError) as raised:
                ask()
            assert type(raised.value) is kind


def test_a_removed_container_ends_the_rehearsal(rehearsal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No check is called broken: the rehearsal ends, and what it started is removed."""

    def lose(_: Any) -> None:
        raise GoneError(f"docker inspect: No such object: {NAME}")

    monkeypatch.setattr(schedule, "PARTS", (Part(lose, ("image.programs",)),))
    with pytest.raises(GoneError, match="says nothing about the image"):
        run_parts(rehearsal, ["image"], 1)
    assert rehearsal.engine.closed.is_set()
    assert {finding.seen for finding in rehearsal.report.findings()} == {
        "not reached: the rehearsal was ended before"
    }


def test_what_loses_its_container_at_the_end_is_not_called_a_fault(
    rehearsal: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After Ctrl-C or SIGTERM, a check that still runs finds no container any more; no FAIL is printed for it."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    def outlive(running: Any) -> None:
        assert running.engine.closed.wait(PATIENCE_S)
        running.report.judge("image.size", False, "it ended")

    parts = (Part(lambda _: None, ("image.programs",)), Part(outlive, ("image.size",)))
    monkeypatch.setattr(schedule, "PARTS", parts)
    monkeypatch.setattr(
        rehearsal.report, "close", interrupt
    )  # as a signal does once the first part has ended
    with pytest.raises(KeyboardInterrupt):
        run_parts(rehearsal, ["image"], 2)
    assert "image.size" not in capsys.readouterr().err
