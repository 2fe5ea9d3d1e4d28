"""`tune` against moto: the request that reaches AWS, field by field; the table of trials; what is refused before."""

import json
from collections.abc import Callable
from pathlib import Path

import botocore.session
import pytest
from botocore.validate import ParamValidator

from launcher.aws.metrics import metric_definitions
from support.aws import ACCOUNT, BUCKET, REGION, ROLE, Aws, Ended
from support.aws_stand_in import Answer
from support.fakes import toy_rows
from support.hosting import OWN_TAG
from support.tuning import listed, searching, trial

TAG = "gpu-0123456789ab"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/bert-classifier:{TAG}"
RANGES = "learning_rate=1e-5..4e-4:log num_train_epochs=2..6 pooling=cls|mean weight_decay=0.02"


@pytest.fixture
def tune(aws: Aws, tmp_path: Path) -> Callable[..., Ended]:
    """Return a function that starts a tuning job with an image that is there, and does not wait for it."""
    data = tmp_path / "my texts.csv"
    data.write_text("\n".join(f'{label},"{text}"' for label, text in toy_rows(30)) + "\n", encoding="utf-8")
    aws.put_image("bert-classifier", TAG)
    always = ("--role", ROLE, "--s3-prefix", f"s3://{BUCKET}/mine", "--image-tag", TAG, "--no-wait")

    def run(*arguments: str, here: Aws = aws) -> Ended:
        return here.launch("tune", *always, f"--train={data}", f"--hp={RANGES}", *arguments)

    return run


def test_the_request_is_exactly_this(tune, aws):
    """Every field that SageMaker is sent, one that the API has, and no other."""
    ended = tune(
        "--job-name=a-search", "--max-run=3600", "--trials=12", "--tags=team=nlp", "--hourly-price=2"
    )
    assert (ended.code, ended.out) == (0, "a-search\n"), ended.err
    (request,) = aws.requests("CreateHyperParameterTuningJob")
    (stored,) = [key for key in aws.stored() if key.endswith("my texts.csv")]
    assert request == {
        "HyperParameterTuningJobName": "a-search",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation_macro_f1"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 12, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "ContinuousParameterRanges": [
                    {"Name": "learning_rate", "MinValue": "1e-5", "MaxValue": "4e-4", "ScalingType": "Logarithmic"}
                ],
                "IntegerParameterRanges": [
                    {"Name": "num_train_epochs", "MinValue": "2", "MaxValue": "6", "ScalingType": "Auto"}
                ],
                "CategoricalParameterRanges": [{"Name": "pooling", "Values": ["cls", "mean"]}],
            },
            "TrainingJobEarlyStoppingType": "Off",
            "RandomSeed": 42,
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": metric_definitions(),
            },
            "RoleArn": ROLE,
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3Uri": f"s3://{BUCKET}/{stored.removesuffix('my texts.csv')}",
                            "S3DataDistributionType": "FullyReplicated",
                        }
                    },
                    "InputMode": "File",
                }
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/mine/jobs/"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.g5.xlarge", "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
            "EnableManagedSpotTraining": True,
            "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/mine/checkpoints/a-search/"},
            "StaticHyperParameters": {"weight_decay": "0.02", "max_run_seconds": "3600"},
            "RetryStrategy": {"MaximumRetryAttempts": 2},
        },
        "Tags": [{"Key": "team", "Value": "nlp"}, OWN_TAG],
    }  # fmt: skip
    api = botocore.session.get_session().get_service_model("sagemaker")
    shape = api.operation_model("CreateHyperParameterTuningJob").input_shape
    found = ParamValidator().validate(request, shape)
    assert not found.has_errors(), found.generate_report()
    assert (
        "12 trials, 2 at a time, of at most MAX_RUN=3600 s on 1 × ml.g5.xlarge: at most 12.0 instance hours"
        in (ended.err)
    )
    assert "$24.00 on demand (spot costs less)" in ended.err
    names = [one["Name"] for one in metric_definitions()]
    assert {"validation_macro_f1", "eval_macro_f1", "validation_loss", "eval_loss"} <= set(names)


@pytest.mark.slow
def test_the_other_settings_reach_the_request(tune, aws):
    """Early stopping compares evaluations, a loss is minimised, on demand there is no wait; what is printed is sent."""
    arguments = (
        "--early-stopping", "--objective=loss", "--strategy=random", "--no-spot", "--parallel=3", "--environment=A=1",
        "--subnets=subnet-1", "--security-group-ids=sg-1",
    )  # fmt: skip
    dry = tune("--job-name=a-search", "--dry-run", *arguments)
    assert dry.code == 0, dry.err
    assert aws.requests("CreateHyperParameterTuningJob") == []
    assert aws.stored() == []
    ended = tune(*arguments)
    assert ended.code == 0, ended.err
    (request,) = aws.requests("CreateHyperParameterTuningJob")
    name = request["HyperParameterTuningJobName"]
    assert ended.out == f"{name}\n"
    assert name.startswith("bert-classifier-2")
    assert len(name) <= 32
    assert json.loads(dry.out) == [
        {"CreateHyperParameterTuningJob": json.loads(json.dumps(request).replace(name, "a-search"))}
    ]
    config, job = request["HyperParameterTuningJobConfig"], request["TrainingJobDefinition"]
    assert config["HyperParameterTuningJobObjective"] == {"Type": "Minimize", "MetricName": "eval_loss"}
    assert (config["TrainingJobEarlyStoppingType"], config["Strategy"]) == ("Auto", "Random")
    assert config["ResourceLimits"] == {"MaxNumberOfTrainingJobs": 10, "MaxParallelTrainingJobs": 3}
    assert "EnableManagedSpotTraining" not in job
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}
    assert job["Environment"] == {"A": "1"}
    assert job["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--hp=learning_rate=1e-4"], "HP has no range, so there is nothing to tune."),
        (
            ["--hp=learning_rate=1e-3..1e-4 pooling=cls|max"],
            "learning_rate='1e-3..1e-4' does not end above its beginning; pooling='cls|max' has the option 'max'",
        ),
        (
            ["--hp=truncation=head|windows max_windows=8"],
            "ranges: max_windows needs truncation=windows (in a trial with truncation=head)",
        ),
        (["--hp=seed=1|2"], "seed decides which texts are held out"),
        (
            ["--strategy=Grid"],
            "Grid takes options only, and learning_rate is a range of numbers. Give its options,",
        ),
        (
            ["--strategy=Grid", "--hp=pooling=cls|mean truncation=head|head_tail", "--trials=3"],
            "TRIALS would do nothing: Grid tries all 4 combinations of the options",
        ),
        (
            ["--objective=accuracy", "--hp=task=multi learning_rate=1e-5..1e-4"],
            "OBJECTIVE=accuracy is for texts with one label each",
        ),
        (
            ["--objective=micro_f1", "--hp=task=single learning_rate=1e-5..1e-4"],
            "OBJECTIVE=micro_f1 is for texts with several labels, and task is single",
        ),
        (["--objective=micro_f1"], "for texts with several labels, and those of TRAIN have one each"),
        (["--parallel=5", "--trials=4"], "PARALLEL=5 is above the 4 trials"),
        (
            ["--early-stopping", "--hp=seeds=3 learning_rate=1e-5..1e-4"],
            "with seeds each trial trains several models",
        ),
        (["--hp=learning_rat=1 pooling=cls|mean"], "did you mean learning_rate?"),
        (
            ["--base-job-name=a-name-that-is-too-long"],
            "--base-job-name='a-name-that-is-too-long' is not 1 to 18",
        ),
    ],
)
def test_what_cannot_be_tuned_is_refused(tune, aws, arguments, expected):
    """In one sentence, before anything is uploaded."""
    ended = tune(*arguments)
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert expected in ended.err
    assert aws.requests("CreateHyperParameterTuningJob") == []
    assert aws.stored() == []


TRIALS = [
    trial(1, 0.75, learning_rate="1.2345678E-4", num_train_epochs="3", pooling='"cls"'),
    trial(2, 0.9133333, 50, learning_rate="2.5E-5", num_train_epochs="6", pooling="mean"),
    trial(
        3,
        None,
        10,
        "Failed",
        "AlgorithmError: UserError: no space",
        learning_rate="3E-4",
        num_train_epochs="2",
    ),
    trial(4, 0.5, 20, "Stopped", learning_rate="1E-5", num_train_epochs="2", pooling="cls"),
]


def test_the_trials_are_a_table_with_the_best_first(aws):
    """Over several pages: score, seconds, dollars of all instances, settings without quotes; then why one failed."""
    done = searching("Completed", TRIALS[1], done=3, failed=1)
    answers = {
        "DescribeHyperParameterTuningJob": done,
        "ListTrainingJobsForHyperParameterTuningJob": listed(TRIALS, size=3),
    }
    with aws.answering(**answers) as here:
        ended = here.launch("tune", "--job=a-search", "--hourly-price=36")
    assert (ended.code, ended.err) == (0, "")
    assert [" ".join(line.split()) for line in ended.out.splitlines()] == [
        "a-search: Completed, 4 of at most 10 trials (Bayesian)",
        "trial status validation_macro_f1 s $ learning_rate num_train_epochs pooling",
        "a-search-002-0a1b2c3d Completed 0.9133 50 1.00 2.5e-05 6 mean",
        "a-search-001-0a1b2c3d Completed 0.7500 100 2.00 0.0001235 3 cls",
        "a-search-004-0a1b2c3d Stopped 0.5000 20 0.40 1e-05 2 cls",
        "a-search-003-0a1b2c3d Failed – 10 0.20 0.0003 2 –",
        "180 s of training in all, about $3.60 on demand; what a spot trial was billed: make status JOB=trial",
        "a-search-003-0a1b2c3d: AlgorithmError: UserError: no space",
    ]


def test_a_search_is_seen_through_to_its_best_trial(tune, aws):
    """The table is shown, then last, alone on standard output, the best trial's name."""
    answers = {
        "DescribeHyperParameterTuningJob": searching("Completed", TRIALS[1], done=3, failed=1),
        "ListTrainingJobsForHyperParameterTuningJob": listed(TRIALS),
    }
    with aws.answering(**answers) as here:
        ended = tune("--job-name=a-search", "--wait", here=here)
    assert (ended.code, ended.out) == (0, "a-search-002-0a1b2c3d\n"), ended.err
    assert "a-search: Completed: trials 3 completed, 1 failed, best validation_macro_f1=0.9133" in ended.err
    assert "expect less on new ones" in ended.err
    assert "Next: make deploy TUNING_JOB=a-search ROLE=…" in ended.err


@pytest.mark.parametrize(
    ("status", "trials", "reason", "code", "expected"),
    [
        (
            "Failed", [TRIALS[2]], "All training jobs failed", 2,
            "UserError: a-search is Failed: All training jobs failed; a-search-003-0a1b2c3d: AlgorithmError:",
        ),
        ("Failed", [], "InternalServerError", 3, "PlatformError: a-search is Failed: InternalServerError."),
        ("Stopped", [], "", 3, "PlatformError: a-search is Stopped: somebody stopped it."),
        ("Completed", [], "", 2, "a-search is Completed, and no trial has a score."),
    ],
)  # fmt: skip
def test_a_search_that_fails_says_why(tune, aws, status, trials, reason, code, expected):
    """Its own reason and that of a trial; whose fault it is decides the exit code."""
    answers = {
        "DescribeHyperParameterTuningJob": searching(status, reason=reason),
        "ListTrainingJobsForHyperParameterTuningJob": listed(trials),
    }
    with aws.answering(**answers) as here:
        ended = tune("--job-name=a-search", "--wait", here=here)
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert expected in ended.err


@pytest.mark.parametrize(
    ("refusal", "code", "expected"),
    [
        (Answer.refusal("ResourceInUse", "exists"), 2, "There is a tuning job a-search already. Give another JOB_NAME"),
        (
            Answer.refusal("ResourceLimitExceeded", "limit is 0"), 2,
            "Your quota does not allow this: limit is 0. Request more of “ml.g5.xlarge for spot training job usage”",
        ),
        (Answer.refusal("ExpiredTokenException"), 2, "The AWS credentials have expired. Log in again"),
        (
            Answer.refusal("AccessDeniedException", "not authorized"), 2,
            "You may not call CreateHyperParameterTuningJob: not authorized.",
        ),
        (Answer.refusal("ValidationException", "bad range"), 2,
         "AWS refused CreateHyperParameterTuningJob (ValidationException): bad range."),
        (Answer.refusal("ThrottlingException", "Rate exceeded"), 3,
         "AWS did not answer CreateHyperParameterTuningJob: Rate exceeded."),
        (
            [Answer.json({}, 500), Answer.refusal("ResourceInUse", "exists")], 3,
            "a-search may have started: an answer was lost, and now there is a tuning job of that name.",
        ),
    ],
)  # fmt: skip
def test_a_refused_request_ends_it_with_one_sentence(tune, aws, refusal, code, expected):
    """With cause and remedy; nothing is said to have started."""
    with aws.answering(CreateHyperParameterTuningJob=refusal) as here:
        ended = tune("--job-name=a-search", here=here)
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert expected in ended.err.splitlines()[-1]


def test_a_search_that_does_not_exist_is_reported(aws):
    """With the region, where it may be looked for in vain."""
    ended = aws.launch("tune", "--job=nothing")
    assert (ended.code, ended.out) == (2, "")
    assert f"There is no tuning job nothing in {REGION}. Correct its name, or REGION." in ended.err
