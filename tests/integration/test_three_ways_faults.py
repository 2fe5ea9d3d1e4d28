"""What goes wrong as a training job is requested, each way: one sentence, the right exit code, nothing left behind."""

import sys
from pathlib import Path

import pytest

from support.aws import BUCKET, HOST_PYTHON, ROLE, SDK3_PYTHON, Aws, Ended
from support.aws_stand_in import Answer, Reply, s3_error
from support.fakes import toy_rows

TAG = "gpu-0123456789ab"
PYTHONS = {"estimator": HOST_PYTHON, "modeltrainer": SDK3_PYTHON, "boto3": Path(sys.executable)}
# Ctrl-C while the request is made, before anything of it has left the process.
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
SDKS = ("estimator", "modeltrainer")
FAULTS = [
    ("ExpiredTokenException", 2, "The AWS credentials have expired."),
    ("ResourceInUse", 2, "There is a job a-job already."),
    ("ResourceLimitExceeded", 2, "Request more"),
    ("AccessDeniedException", 2, "You may not call CreateTrainingJob"),
    ("ThrottlingException", 3, "AWS did not answer CreateTrainingJob"),
]
# What is said of a code is the launcher's own; an SDK passes each on alike, but repeats a throttled request itself.
BY_AN_SDK = FAULTS[-2:]


@pytest.fixture(params=list(PYTHONS))
def way(request: pytest.FixtureRequest) -> str:
    """Return each way in turn."""
    return str(request.param)


def train(aws: Aws, tmp_path: Path, way: str, *more: str, **environ: str) -> Ended:
    """Start a job in the Python of a way."""
    data = tmp_path / "texts.csv"
    data.write_text("\n".join(f'{label},"{text}"' for label, text in toy_rows(30)), encoding="utf-8")
    aws.put_image("bert-classifier", TAG)
    arguments = (
        f"--role={ROLE}",
        f"--s3-prefix=s3://{BUCKET}/mine",
        f"--image-tag={TAG}",
        "--job-name=a-job",
    )
    more = (*arguments, f"--train={data}", "--no-wait", *more)
    program = environ.pop("program", None)
    named = {"program": program} if program else {}
    timeout = 280.0  # SDK 3 repeats a throttled request ten times
    return aws.launch(
        "train-spot",
        *more,
        python=PYTHONS[way],
        timeout=timeout,
        **named,
        **environ,  # type: ignore[arg-type]
    )


def errors(ended: Ended) -> list[str]:
    """Return the lines that report an error; a line that an SDK has logged would be another."""
    return [line for line in ended.err.splitlines() if "Error" in line or "rror:" in line]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "code", "exit_code", "expected"),
    [*(("boto3", *fault) for fault in FAULTS), *((way, *fault) for way in SDKS for fault in BY_AN_SDK)],
)
def test_a_refusal_of_the_request_is_one_sentence(
    aws: Aws, tmp_path: Path, way: str, code: str, exit_code: int, expected: str
) -> None:
    """Whatever the SDK says about it, the launcher says it once; there is no job, so nothing costs money."""
    with aws.answering(CreateTrainingJob=Answer.refusal(code, "no more of them")) as here:
        ended = train(here, tmp_path, way)
    assert (ended.code, ended.out) == (exit_code, ""), ended.err
    (line,) = errors(ended)
    assert expected in line
    assert "Traceback" not in ended.err
    assert aws.client("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []


@pytest.mark.slow
def test_ctrl_c_before_the_request_starts_nothing(aws: Aws, tmp_path: Path, way: str) -> None:
    """An SDK may swallow it; nothing is sent all the same."""
    (tmp_path / "interrupted.py").write_text(BEFORE_REQUEST, encoding="utf-8")
    ended = train(aws, tmp_path, way, program=str(tmp_path / "interrupted.py"))
    assert (ended.code, ended.out) == (130, ""), ended.err
    assert "Nothing was started" in ended.err
    assert aws.requests("CreateTrainingJob") == []


@pytest.mark.slow
def test_an_answer_that_is_lost_leaves_a_job_that_may_run(aws: Aws, tmp_path: Path, way: str) -> None:
    """SageMaker has it, the repeated request is refused because of the first: the message says how to find out."""
    lost = iter([Answer(503, "text/plain", b"")])

    def reply(request: dict[str, object]) -> Answer | None:
        return next(lost, Answer.refusal("ResourceInUse", "exists"))

    replies: dict[str, Reply] = {"CreateTrainingJob": reply}
    with aws.answering(**replies) as here:
        ended = train(here, tmp_path, way)
    assert (ended.code, ended.out) == (3, ""), ended.err
    assert "a-job may have started" in ended.err
    assert "make status JOB=a-job" in ended.err


@pytest.mark.slow
@pytest.mark.parametrize(
    "way", ["modeltrainer"]
)  # the launcher itself uploads; test_launcher_uploads has the estimator
def test_a_refusal_of_the_upload_starts_nothing(aws: Aws, tmp_path: Path, way: str) -> None:
    """The bucket's owner may have forbidden it."""
    denied = {f"PUT /{BUCKET}/mine/data/": s3_error("AccessDenied", 403, "Access Denied")}
    with aws.answering(**denied) as here:
        ended = train(here, tmp_path, way)
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert "You may not call PutObject" in ended.err
    assert aws.requests("CreateTrainingJob") == []


@pytest.mark.slow
def test_what_the_sdk_does_after_the_request_cannot_undo_it(aws: Aws, tmp_path: Path, way: str) -> None:
    """ModelTrainer looks the job up at once; where you may not, the job is started nevertheless."""
    with aws.answering(DescribeTrainingJob=Answer.refusal("AccessDeniedException")) as here:
        ended = train(here, tmp_path, way)
    assert (ended.code, ended.out) == (0, "a-job\n"), ended.err
    jobs = aws.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    assert [job["TrainingJobName"] for job in jobs] == ["a-job"]
