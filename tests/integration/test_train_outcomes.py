"""How a training job ends, and what AWS refuses: one sentence, and the launcher's exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.aws import ACCOUNT, BUCKET, REGION, ROLE, Aws, Ended
from support.aws_stand_in import Answer

TAG = "cpu-0123456789ab"
_JOB = {
    "TrainingJobName": "a-job",
    "TrainingJobArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/a-job",
    "ResourceConfig": {"InstanceCount": 2, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30},
    "EnableManagedSpotTraining": True,
    "ModelArtifacts": {"S3ModelArtifacts": f"s3://{BUCKET}/a-job/output/model.tar.gz"},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    "SecondaryStatusTransitions": [
        {"Status": "Starting", "StartTime": 1.7e9, "StatusMessage": "Preparing the instances"},
        {"Status": "Interrupted", "StartTime": 1.7e9 + 60, "StatusMessage": "Taken back"},
    ],
    "FinalMetricDataList": [
        {"MetricName": "train_loss", "Value": 0.25, "Timestamp": 1.7e9},
        {"MetricName": "learning_rate", "Value": 0.0000125, "Timestamp": 1.7e9},
    ],
    "TrainingTimeInSeconds": 1000,
    "BillableTimeInSeconds": 300,
    "CreationTime": 1.7e9,
    "LastModifiedTime": 1.7e9,
}
_PRICES = [
    {"component": "Hosting", "price": "0.999", "unit": "Hrs"},
    {"component": "Training", "price": "0.00", "unit": "Hrs"},
    {"component": "Training", "price": "0.24", "unit": "Hrs"},
]


def job(status: str, secondary: str, **more: Any) -> Answer:
    """Return DescribeTrainingJob's answer."""
    return Answer.json({**_JOB, "TrainingJobStatus": status, "SecondaryStatus": secondary, **more})


def price_list() -> Answer:
    """Return a price list as AWS words it: products as JSON in strings."""
    products = [
        {
            "product": {"attributes": {"component": entry["component"], "instanceName": "ml.m5.xlarge"}},
            "terms": {
                "OnDemand": {
                    "a": {
                        "priceDimensions": {
                            "b": {"unit": entry["unit"], "pricePerUnit": {"USD": entry["price"]}}
                        }
                    }
                }
            },
        }
        for entry in _PRICES
    ]
    return Answer.json({"PriceList": [json.dumps(product) for product in products]})


@pytest.fixture
def train(aws: Aws, tmp_path: Path) -> Callable[..., Ended]:
    """Return a function that trains with some of AWS' answers given."""
    aws.put_image("bert-classifier", TAG)
    data = tmp_path / "texts.csv"
    data.write_text("Alpha,a text\nBeta,another\n", encoding="utf-8")

    def run(*arguments: str, **answers: Answer) -> Ended:
        always = (f"--role={ROLE}", f"--s3-prefix=s3://{BUCKET}", f"--train={data}", "--job-name=a-job")
        with aws.answering(**answers) as here:
            return here.launch(
                "train-spot", *always, f"--image-tag={TAG}", "--instance-type=ml.m5.xlarge", *arguments
            )

    return run


def test_a_job_that_failed_is_reported_with_its_reason_and_the_images_family(train):
    """The failure file's text; exit code 2 where the image says that it is the user's to mend."""
    reason = "AlgorithmError: UserError: The label is empty in train.csv line 3. Correct it., exit code: 2"
    ended = train(DescribeTrainingJob=job("Failed", "Failed", FailureReason=reason))
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert "The label is empty in train.csv line 3" in ended.err.splitlines()[-1]
    assert f"CHECKPOINT_S3_URI=s3://{BUCKET}/checkpoints/a-job/" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.slow
def test_a_job_that_was_stopped_is_no_success(train):
    """The SDK takes it for one; here the reason is printed and the exit code is the platform's."""
    ended = train(DescribeTrainingJob=job("Stopped", "MaxWaitTimeExceeded"))
    assert (ended.code, ended.out) == (3, ""), ended.err
    assert ended.err.splitlines()[-1].startswith(
        "PlatformError: a-job stopped: no spot capacity came in time"
    )


@pytest.mark.slow
def test_a_log_that_may_not_be_read_does_not_lose_the_job(train):
    """It is a warning; the launcher waits for the job all the same."""
    denied = Answer.refusal("AccessDeniedException", "not authorized")
    ended = train(DescribeTrainingJob=job("Completed", "Completed"), DescribeLogStreams=denied)
    assert ended.code == 0, ended.err
    assert ended.out == f"s3://{BUCKET}/a-job/output/model.tar.gz\n"
    assert "The log cannot be shown, but the job continues: You may not call DescribeLogStreams" in ended.err


@pytest.mark.slow
def test_a_quota_that_is_too_small_is_reported_with_its_name(train):
    """AWS refuses at once and bills nothing; the remedy names the quota to ask for."""
    refusal = Answer.refusal("ResourceLimitExceeded", "The account-level service limit is 0 Instances.")
    ended = train(CreateTrainingJob=refusal)
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert "service limit is 0 Instances" in ended.err
    assert "“ml.m5.xlarge for spot training job usage” in Service Quotas" in ended.err


def gone(_: object) -> Answer:
    """End the connection without an answer."""
    raise ConnectionAbortedError


LOST = Answer.json({"__type": "InternalFailure", "message": "no"}, 500)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([LOST, Answer.refusal("ResourceInUse")], "an answer was lost, and now there is a job of that name"),
        (gone, "no answer came"),
    ],
)
def test_a_lost_answer_leaves_open_whether_the_job_runs(train, answers, expected):
    """It may: that of the library's first request is nobody else's."""
    ended = train(CreateTrainingJob=answers)
    assert ended.code == 3, ended.err
    assert f"a-job may have started: {expected}. Check its status: make status JOB=a-job." in ended.err


def test_a_name_that_is_taken_is_reported(train):
    """Names of jobs are never free again."""
    ended = train(CreateTrainingJob=Answer.refusal("ResourceInUse", "exists"))
    assert (ended.code, ended.err.splitlines()[-1]) == (
        2, "UserError: There is a job a-job already. Give another JOB_NAME, or none.",
    )  # fmt: skip


def test_the_status_of_a_job_tells_phases_metrics_cost_and_savings(aws):
    """(1 − billable ÷ training) · 100 percent, and billable seconds × instances × the price list's hour."""
    with aws.answering(DescribeTrainingJob=job("InProgress", "Training"), GetProducts=price_list()) as here:
        ended = here.launch("status", "a-job")
    assert (ended.code, ended.err) == (0, "")
    lines = [line.strip() for line in ended.out.splitlines()]
    assert lines[:2] == ["a-job: InProgress (Training)", "on 2 × ml.m5.xlarge (spot)"]
    assert lines[2].endswith("Starting: Preparing the instances")
    assert lines[4] == "train_loss=0.25 learning_rate=1.25e-05"
    assert lines[5] == "300 s billed per instance, for 1000 s of training; spot saves 70 %; about $0.04"


@pytest.mark.parametrize("answers", [{}, {"GetProducts": Answer.refusal("AccessDeniedException")}])
def test_without_a_price_the_seconds_are_reported(aws, answers):
    """No price is made up; HOURLY_PRICE gives one."""
    with aws.answering(DescribeTrainingJob=job("Completed", "Completed"), **answers) as here:
        assert "for the cost give HOURLY_PRICE" in here.launch("status", "a-job").out
        assert "about $1.00" in here.launch("status", "a-job", "--hourly-price=6").out


def test_a_job_that_is_not_there_is_reported(aws):
    """With the region that was asked."""
    ended = aws.launch("status", "no-job")
    assert (ended.code, ended.err.strip()) == (
        2, f"UserError: There is no training job no-job in {REGION}. Correct JOB or REGION.",
    )  # fmt: skip
