"""The last lines of a run: where the report is and what comes next, by where it ran."""

import logging
import time
from pathlib import Path

import pytest

from bert_classifier.evaluation.calibration import Temperature
from bert_classifier.evaluation.guarantee import Guarantee
from bert_classifier.evaluation.result import EvaluationResult
from bert_classifier.job.environment import Environment
from bert_classifier.training.closing import log_closing, log_so_far, quality_facts
from bert_classifier.training.prepare import PreparedData
from bert_classifier.training.trainer import Trainer
from support.evaluations import evaluation_of
from support.toy_trainer import make_trainer

PREPARED = PreparedData(("ham", "spam"), None, {}, {})
RIGHT = evaluation_of([(0, 0), (1, 1)] * 20, classes=2, margin=9.0)
RESULT = EvaluationResult({"validation": RIGHT, "test": RIGHT}, Temperature(1.0), 0.0)


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """Return one without a floor."""
    return make_trainer(tmp_path_factory.mktemp("encoder"))


def last_lines(
    caplog: pytest.LogCaptureFixture,
    trainer: Trainer,
    environment: Environment,
    result: EvaluationResult = RESULT,
) -> list[str]:
    """Return what is logged at the end."""
    with caplog.at_level(logging.INFO, "bert_classifier"):
        log_closing(environment, PREPARED, result, trainer, time.monotonic())
    return caplog.messages


def environment_of(root: Path, **more: str) -> Environment:
    """Return a job's environment, with a report."""
    environment = Environment(root, {}, {}, **more)  # type: ignore[arg-type]
    environment.output_dir.mkdir(parents=True)
    (environment.output_dir / "report.html").touch()
    return environment


def test_in_a_container_the_report_and_the_server_are_named(tmp_path, caplog, trainer):
    """How right comes first, then where to look."""
    lines = last_lines(caplog, trainer, environment_of(tmp_path))
    assert lines[0] == f"done in 0 s: {tmp_path / 'model'}"
    assert lines[1].startswith("100 % of 40 test texts are right (95 % interval ")
    assert lines[-2] == f"Report: {tmp_path / 'output' / 'data' / 'report.html'}"
    assert lines[-1].startswith("Next: serve, ")


def test_make_train_local_knows_the_folder_by_its_own_name(tmp_path, caplog, trainer):
    """Of a container's folder the user does not know the path; what comes next, the script says."""
    lines = last_lines(caplog, trainer, environment_of(tmp_path, shown_root="my_run"))
    assert lines[0] == "done in 0 s: my_run/model"
    assert lines[-1] == "Report: my_run/output/data/report.html"


def test_a_sagemaker_job_leaves_its_report_on_s3(tmp_path, caplog, trainer):
    """Where it can be fetched, and the launcher's next command."""
    lines = last_lines(caplog, trainer, environment_of(tmp_path, job_name="job-1"))
    assert lines[-2:] == [
        "Report: report.html in output.tar.gz, which SageMaker puts beside model.tar.gz.",
        "Next: make deploy JOB=job-1 ROLE=…",
    ]


def test_a_report_that_could_not_be_written_is_not_named(tmp_path, caplog, trainer):
    """A warning has said why."""
    lines = last_lines(caplog, trainer, Environment(tmp_path, {}, {}, shown_root="my_run"))
    assert not any(line.startswith("Report") for line in lines)


def test_a_promise_is_judged_on_test(tmp_path, caplog, trainer):
    """Not on validation, on which it was made."""
    promised = Guarantee(0.9, 0.5, texts=40, answered=40, right=40)
    held = EvaluationResult(RESULT.results, Temperature(1.0), 0.5, promised)
    lines = last_lines(caplog, trainer, environment_of(tmp_path), held)
    assert [line for line in lines if line.startswith("target_accuracy=0.9 is promised")]
    caplog.clear()
    alone = EvaluationResult({"validation": RIGHT}, Temperature(1.0), 0.5, promised)
    lines = last_lines(caplog, trainer, Environment(tmp_path, {}, {}), alone)
    assert not any("promised" in line for line in lines)


@pytest.mark.parametrize(
    ("settings", "step", "what"),
    [
        ({}, 0, "an untrained model (no step was done"),
        ({"head_init": "logistic_regression"}, 0, "a model without fine-tuning (no step was done"),
        ({}, 3, "the model so far is in"),
    ],
)
def test_a_stopped_run_says_what_its_model_is(tmp_path, caplog, settings, step, what):
    """Before the first step there is nothing that was trained."""
    trainer = make_trainer(tmp_path / "encoder", **settings)
    trainer.state.step = step
    with caplog.at_level(logging.INFO, "bert_classifier"):
        log_so_far(Environment(tmp_path, {}, {}), PREPARED, None, trainer)
    line = caplog.messages[-1]
    assert line.startswith(what)
    assert line.endswith(f" is in {tmp_path / 'model'}")


def test_training_json_has_the_headline(tmp_path, trainer):
    """None before the first evaluation."""
    environment = Environment(tmp_path, {}, {})
    told = quality_facts(environment, PREPARED, RESULT, trainer)
    assert told.keys() == {"headline"}
    assert told["headline"].startswith("100 % of 40 test texts are right (")
    assert quality_facts(environment, PREPARED, None, trainer) == {}
