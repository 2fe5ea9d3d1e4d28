"""Ctrl-C at each stage of the launcher's commands: what it says of what was started is what was started."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.aws import BUCKET, ROLE, Aws, Ended
from support.fakes import toy_rows
from support.hosting import GPU_TAG, TAG, WITH_MODEL, left, prepare
from support.patience import PATIENCE_S
from support.registry import put_job, put_outputs

# Sends the launcher the signal when it begins to make a request, before anything of it has left the process.
BEFORE_REQUEST = """
import os, runpy, signal, botocore.client
call = botocore.client.BaseClient._make_api_call
def interrupted(client, operation, parameters):
    if operation == "CreateTrainingJob":
        os.kill(os.getpid(), signal.SIGINT)
    return call(client, operation, parameters)
botocore.client.BaseClient._make_api_call = interrupted
runpy.run_path("docker/launcher/__main__.py", run_name="__main__")
"""


@pytest.fixture
def aws(aws: Aws) -> Aws:
    """Return the account, with what every command needs."""
    prepare(aws)
    aws.put_image("bert-classifier", GPU_TAG)
    return aws


class Typist:
    """Types Ctrl-C when the launcher makes a request, a given number of times."""

    def __init__(self, times: int) -> None:
        self.pids: list[int] = []
        self.count, self._times = 0, times

    def __call__(self, request: object) -> None:
        """Interrupt the launcher, and leave the answer to moto."""
        if not self.count:
            self.count += 1
            os.kill(self.pids[0], signal.SIGINT)
            for _ in range(self._times - 1):
                time.sleep(0.5)  # two at once would be one
                os.kill(self.pids[0], signal.SIGINT)
            time.sleep(0.5 if self._times > 1 else 0)  # the answer comes too late


@pytest.fixture
def run(aws: Aws, tmp_path: Path) -> Iterator[Callable[..., Ended]]:
    """Return a function that runs a command and interrupts it at a request."""
    data = tmp_path / "train.csv"
    data.write_text("\n".join(f'{label},"{text}"' for label, text in toy_rows(30)), encoding="utf-8")
    job = (f"--role={ROLE}", f"--s3-prefix=s3://{BUCKET}/mine", f"--image-tag={GPU_TAG}", "--job-name=a-job")
    arguments = {
        "train": (*job, f"--train={data}"),
        "tune": (*job, f"--train={data}", "--hp=pooling=cls|mean"),
        "register": ("--job=a-job", f"--image-tag={TAG}", f"--s3-prefix=s3://{BUCKET}/mine"),
        "deploy": WITH_MODEL,
        "batch-transform": (*WITH_MODEL, f"--input={data}", "--job-name=a-job", f"--s3-prefix=s3://{BUCKET}/mine"),
    }  # fmt: skip
    running: list[subprocess.Popen[str]] = []

    def launch(command: str, at: str, *more: str, times: int = 1) -> Ended:
        typist = Typist(times)
        with aws.answering(**{at: typist}) as here:
            process = here.start(command, *arguments[command], *more)
            running.append(process)
            typist.pids.append(process.pid)
            out, err = process.communicate(timeout=PATIENCE_S)
        assert typist.count == 1, err
        return Ended(process.returncode, out, err)

    yield launch
    for process in running:
        process.kill()


def test_ctrl_c_during_the_upload_starts_nothing(run, aws):
    """The command says so, and no job is requested."""
    ended = run("train", f"PUT /{BUCKET}/mine/data/")
    assert (ended.code, ended.out) == (130, ""), ended.err
    assert "Nothing was started" in ended.err
    assert aws.requests("CreateTrainingJob") == []


@pytest.mark.slow
def test_ctrl_c_between_upload_and_request_starts_nothing(run, aws, tmp_path):
    """The SDK swallows it there; nothing is sent, and the command does not say that anything was started."""
    (tmp_path / "interrupted.py").write_text(BEFORE_REQUEST, encoding="utf-8")
    launcher = ("--role", ROLE, f"--s3-prefix=s3://{BUCKET}/mine", f"--image-tag={GPU_TAG}", "--no-wait")
    ended = aws.launch(
        "train", *launcher, f"--train={tmp_path}/train.csv", program=str(tmp_path / "interrupted.py")
    )
    assert (ended.code, ended.out) == (130, ""), ended.err
    assert "started " not in ended.err.replace("Nothing was started", "")
    assert aws.requests("CreateTrainingJob") == []


def test_ctrl_c_during_the_request_tells_that_the_job_runs(run, aws):
    """SageMaker has accepted it, so the message names the job and how to stop it."""
    ended = run("train", "CreateTrainingJob")
    assert ended.code == 130, ended.err
    assert "started a-job" in ended.err
    assert "stop-training-job --training-job-name a-job" in ended.err
    assert len(aws.requests("CreateTrainingJob")) >= 1
    assert aws.client("sagemaker").describe_training_job(TrainingJobName="a-job")


def test_ctrl_c_while_waiting_leaves_the_job_running(run):
    """As before: how it stands, and how to end it."""
    ended = run("train", "DescribeTrainingJob")
    assert ended.code == 130, ended.err
    assert "The job continues without you. Its status: make status JOB=a-job" in ended.err


def test_ctrl_c_at_each_stage_of_a_search(run, aws):
    """During the upload nothing is started; from the request on the tuning job runs, and the way to stop it is told."""
    ended = run("tune", f"PUT /{BUCKET}/mine/data/")
    assert (ended.code, ended.out) == (130, ""), ended.err
    assert "Nothing was started" in ended.err
    assert aws.requests("CreateHyperParameterTuningJob") == []
    ended = run("tune", "CreateHyperParameterTuningJob")
    assert (ended.code, ended.out) == (130, ""), ended.err
    assert "The tuning job continues without you. Its trials: make tune JOB=a-job" in ended.err
    assert "stop-hyper-parameter-tuning-job --hyper-parameter-tuning-job-name a-job" in ended.err
    assert aws.client("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="a-job")


def test_ctrl_c_at_each_stage_of_a_registration(run, aws):
    """Before the version is requested there is none, and its new group is removed again; after that, it is whole."""
    put_outputs(aws)
    put_job(aws)
    ended = run("register", "CreateModelPackageGroup")
    assert (ended.code, ended.out) == (130, ""), ended.err
    assert "model package group bert-classifier stays" in ended.err  # moto cannot delete it
    assert "DeleteModelPackageGroup" in aws.operations()
    assert aws.requests("CreateModelPackage") == []
    ended = run("register", "CreateModelPackage")
    assert (ended.code, ended.out.endswith("model-package/bert-classifier/1\n")) == (0, True), ended.err
    assert "registered bert-classifier:1" in ended.err


def test_a_second_ctrl_c_does_not_wait_for_the_answer(run):
    """Then nobody knows whether the tuning job runs; the message says so, and where to look."""
    ended = run("tune", "CreateHyperParameterTuningJob", times=2)
    assert (ended.code, ended.out) == (3, ""), ended.err
    assert (
        "a-job may have started: the answer was not waited for. See its trials: make tune JOB=a-job"
        in ended.err
    )


def test_ctrl_c_before_the_endpoint_is_requested_leaves_nothing(run, aws):
    """The model that was made by then goes."""
    ended = run("deploy", "CreateModel")
    assert ended.code == 130, ended.err
    assert "removed model" in ended.err
    assert left(aws) == (0, 0, 0)


def test_ctrl_c_once_the_endpoint_is_requested_leaves_it_whole(run, aws):
    """It comes up with its configuration and model, and the message says how to remove it."""
    ended = run("deploy", "CreateEndpoint")
    assert ended.code == 130, ended.err
    assert "It continues without you. To remove it: make delete-endpoint" in ended.err
    assert left(aws) == (1, 1, 1)


@pytest.mark.parametrize(
    ("at", "expected", "models"),
    [("CreateModel", "removed model a-job", 0), ("CreateTransformJob", "a-job continues without you", 1)],
)
def test_ctrl_c_of_a_batch_transform_tells_what_it_leaves(run, aws, at, expected, models):
    """Nothing before the request; afterwards the job, and the model that it needs."""
    ended = run("batch-transform", at, "--content-type=text/csv")
    assert ended.code == 130, ended.err
    assert expected in ended.err
    assert left(aws)[2] == models


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "at"), [("deploy", "CreateEndpoint"), ("batch-transform", "CreateTransformJob")]
)
def test_a_second_ctrl_c_removes_nothing_that_may_be_needed(run, aws, command, at):
    """It does not wait for the response, so the message says how to find out whether the request was accepted."""
    ended = run(command, at, times=2)
    assert ended.code == 130, ended.err
    assert "It is not known whether SageMaker accepted the request, so" in ended.err
    assert "removed" not in ended.err
    assert left(aws)[2] == 1


def test_ctrl_c_while_the_program_still_loads_is_no_traceback(aws: Aws, tmp_path: Path) -> None:
    """It comes while boto3 is imported, which takes most of the first second."""
    (tmp_path / "boto3.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n", encoding="utf-8"
    )
    ended = aws.launch("status", "a-job", PYTHONPATH=str(tmp_path))
    assert (ended.code, ended.out, ended.err) == (130, "", "interrupted\n")
