"""What the emulator makes of rehearsals in which nothing happened: no check passes on what it has not seen."""

import json
from pathlib import Path

import pytest

from sagemaker_emulator import host_checks, interruption_checks, training_checks
from sagemaker_emulator.batch_checks import judge_lines
from sagemaker_emulator.checks import CHECKS
from sagemaker_emulator.client import Answer
from sagemaker_emulator.endpoint_checks import (
    if_answered,
    judge_large,
    judge_load,
    judge_payloads,
    judge_stop,
    judge_wrong,
)
from sagemaker_emulator.engine import KILLED, Stop
from sagemaker_emulator.instance import Instance
from sagemaker_emulator.interruption_checks import Attempt, judge_completion, judge_resumption, last_words
from sagemaker_emulator.job import Job, Profile
from sagemaker_emulator.report import Outcome, Report, as_json, is_sound

CLEAN = Stop(0, 0.5, was_running=True)


def answer(status: int, sent_at: float = 1.0, ended_at: float = 3.0, body: bytes = b"x") -> Answer:
    """Return an answer; 0 when there was none."""
    return Answer(status, body, {}, ended_at - sent_at, sent_at, ended_at)


@pytest.fixture
def attempt(tmp_path):
    """Return a function that makes an attempt."""
    instance = Instance(tmp_path / "instance", {}, {})
    return lambda code, log: Attempt(instance, code, log, f"exit code {code}")


def job() -> Job:
    """Return a job that shows steps."""
    return Job.read(None, Profile(progress=r"step=(\d+)"))


def test_a_report_of_nothing_speaks_for_no_image():
    """All checks skipped is neither conformant, nor strictly so, nor in JSON; one pass and no failure is."""
    report = Report(["batch"])
    for name in (name for name in CHECKS if name.startswith("batch.")):
        report.skip(name, "there is no model")
    assert report.is_empty()
    assert not report.is_conformant()
    assert not report.is_conformant(is_strict=True)
    assert json.loads(as_json("an-image:1", report.findings()))["conformant"] is False
    assert not is_sound([])
    assert not is_sound([Outcome.WARN, Outcome.SKIP])
    assert is_sound([Outcome.PASS, Outcome.SKIP])


def test_what_did_not_happen_is_skipped():
    """None is a judgement of its own."""
    report = Report(["stop"])
    report.judge("stop.ends", None, "nothing was met")
    report.judge("stop.saves", True, "")
    assert [finding.outcome for finding in report.findings()] == [Outcome.SKIP, Outcome.PASS]


@pytest.mark.parametrize(
    ("code", "completes", "holds"),
    [(1, True, True), (0, True, False), (None, True, False), (1, False, None), (0, False, False)],
)
def test_a_job_that_always_fails_refuses_nothing(code, completes, holds):
    """Its exit code says that it is broken, not that it has looked at its input."""
    assert training_checks.judge_refusal(code, "seen", completes=completes)[0] is holds


def test_reasons_are_asked_of_failed_jobs_alone():
    """A job that completed has no reason to give; what is longer than SageMaker shows is cut."""
    assert training_checks.judge_reasons({})[0] is None
    assert training_checks.judge_reasons({"train.empty-channel": "no rows"})[0] is True
    missing = training_checks.judge_reasons(
        {"train.empty-channel": "no rows", "train.bad-hyperparameter": " "}
    )
    assert missing == (False, "no reason for bad-hyperparameter")
    cut = training_checks.judge_reasons({"train.empty-channel": "x" * 1030})
    assert cut == (False, "of 1030 characters, 6 are not shown")


@pytest.mark.parametrize(
    ("code", "goes_on", "holds"),
    [
        (1, False, True),  # it noticed
        (None, False, False),  # it waits, and is billed
        (None, True, None),  # it trains on by itself
        (0, True, None),  # it had nothing to wait for
    ],
)
def test_only_a_host_that_waits_for_a_lost_one_is_at_fault(code, goes_on, holds):
    """A host that completes, or trains on, does not need the other."""
    assert host_checks.judge_survivor(code, "seen", goes_on=goes_on)[0] is holds


def test_nothing_is_quoted_where_there_are_no_hyperparameters():
    """The platform's own names alone are half of the check."""
    assert training_checks.judge_encodings({}, True, "done")[0] is None
    assert training_checks.judge_encodings({"a": '"1"'}, True, "done") == (True, "done")
    assert training_checks.judge_encodings({}, False, "failed") == (False, "failed")


def test_a_stop_that_met_nothing_shows_nothing():
    """A job that had ended by itself has not handled SIGTERM; a server that had ended is at fault."""
    late = Stop(0, 0.0, was_running=False)
    assert interruption_checks.judge_stop(late, 120)[0] is None
    assert interruption_checks.judge_stop(Stop(143, 2.0, was_running=True), 120)[0] is True
    assert interruption_checks.judge_stop(Stop(KILLED, 120.0, was_running=True), 120)[0] is False
    assert judge_stop(late, [answer(200)], stopped_at=2.0)[0] is False


@pytest.mark.parametrize(
    ("answers", "holds"),
    [
        ([], None),  # nothing was sent
        ([answer(200, 0.1, 0.2)], None),  # answered before SIGTERM
        ([answer(200, 2.5, 3.0)], None),  # sent after it
        ([answer(404), answer(503)], None),  # under way, but refused
        ([answer(200), answer(503)], True),
        ([answer(200), answer(0, body=b"closed")], False),
    ],
)
def test_only_requests_that_were_under_way_show_that_a_stop_finishes_them(answers, holds):
    """And computed ones: a refusal needs no finishing."""
    assert judge_stop(CLEAN, answers, stopped_at=2.0)[0] is holds


def test_pings_without_a_load_show_nothing_about_load():
    """Requests that are all refused cost the server nothing; no ping at all is no proof either."""
    pings = [answer(200, 1.0, 1.1)]
    assert judge_load(pings, [])[0] is None
    assert judge_load(pings, [answer(404), answer(0)])[0] is None
    assert judge_load(pings, [answer(404), answer(200)])[0] is True
    assert judge_load([answer(0)], [answer(200)])[0] is False
    assert judge_load([], [answer(200)])[0] is False


def test_every_payload_counts_though_two_are_of_one_type():
    """The second must not hide the first."""
    bad, good = ("text/csv", answer(500)), ("text/csv", answer(200))
    assert judge_payloads([bad, good])[0] is False
    assert judge_payloads([good, ("text/csv", answer(200, body=b""))])[0] is False
    assert judge_payloads([good, good]) == (True, "200 for text/csv")


def test_a_server_that_answers_nothing_distinguishes_nothing():
    """404 to a wrong type, to garbage and to everything else."""
    refused = [("text/csv", answer(404))]
    assert judge_wrong(refused, range(400, 500), has_answered=False)[0] is None
    assert judge_wrong(refused, range(400, 500), has_answered=True)[0] is True
    assert judge_wrong([("text/csv", answer(500))], range(200, 500), has_answered=False)[0] is False
    assert if_answered(False, "served from it")[0] is None
    assert if_answered(True, "served from it") == (True, "served from it")


@pytest.mark.parametrize(
    ("status", "has_answered", "holds"),
    [
        (200, True, True),
        (413, True, True),
        (400, True, True),
        (404, False, None),
        (500, True, False),
        (0, True, False),
    ],
)
def test_a_large_body_may_be_refused_by_a_server_that_answers(status, has_answered, holds):
    """Any 4xx will do; no answer and 5xx are faults."""
    assert judge_large(answer(status), has_answered=has_answered)[0] is holds


def test_interruptions_are_counted_by_what_they_hit(attempt):
    """A job that ended by itself was not interrupted, however often it was meant to be."""
    assert judge_completion(0, "exit code 0", is_done=True)[0] is None
    assert judge_completion(0, "exit code 1", is_done=False)[0] is False
    assert judge_completion(1, "exit code 0", is_done=True) == (True, "after 1 interruption exit code 0")
    assert attempt(KILLED, b"").was_interrupted
    assert not attempt(0, b"").was_interrupted


@pytest.mark.parametrize(
    ("first", "later", "holds"),
    [
        ((0, b"step=1"), b"already done", None),  # nothing was interrupted
        ((KILLED, b"step=1"), b"step=5", True),
        ((KILLED, b"step=1"), b"step=1", False),
        ((KILLED, b"nothing to resume from\nstep=1"), b"nothing to resume from\nstep=1", False),
        ((KILLED, b"no words"), b"resumed from step=0", True),
        ((KILLED, b"no words"), b"no words", None),
    ],
)
def test_a_resumption_is_what_only_later_attempts_show(attempt, first, later, holds):
    """A line that the first attempt logs too does not show that a later one resumed."""
    assert judge_resumption(job(), attempt(*first), [attempt(0, later)])[0] is holds


def test_answers_that_are_all_alike_show_no_order():
    """A model that says the same to each record gives the right file in any order."""
    assert judge_lines([b"a"] * 3, [b"a"] * 3, is_order_seen=False)[0] is None
    assert judge_lines([b"a", b"b"], [b"a", b"b"], is_order_seen=True)[0] is True
    assert judge_lines([b"a"], [b"a"] * 3, is_order_seen=False)[0] is False


def test_progress_after_a_stop_is_no_reason_for_a_missing_model():
    """It keeps printing its steps, and says nothing about the stop."""
    assert last_words(job(), b"step=7\nstep=8\n\n") == ""
    assert last_words(job(), b"step=7\nstopped before the first model\n") == "stopped before the first model"


def test_an_engine_that_does_not_answer_is_no_empty_folder(monkeypatch, tmp_path):
    """Only what docker says is absent counts as absent: /opt/ml of an image must be looked at to be empty."""
    from sagemaker_emulator.docker_command import EngineError
    from sagemaker_emulator.engine import Container

    program = tmp_path / "docker"
    for message, is_absent in (
        ("Error response from daemon: Could not find the file /opt/ml in container x", True),
        ("Error response from daemon: No such container: x", False),
        ("Cannot connect to the Docker daemon", False),
    ):
        program.write_text(f"#!/bin/sh\necho '{message}' >&2\nexit 1\n", encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{Path('/usr/bin')}:{Path('/bin')}")
        if is_absent:
            assert Container("x").read("/opt/ml") == []
        else:
            with pytest.raises(EngineError):
                Container("x").read("/opt/ml")
