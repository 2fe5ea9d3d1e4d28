"""`clean-up`: what it finds, what it leaves alone, and that it removes nothing unasked."""

import json

import pytest

from support.aws import BUCKET
from support.aws_stand_in import Answer
from support.hosting import OWN_TAG, WITH_MODEL, left

AT = f"s3://{BUCKET}/mine"


@pytest.fixture
def trial(aws, launch, served):
    """Have an endpoint, its alarms and autoscaling under one prefix, and things of others."""
    served("--endpoint=trial", f"--s3-prefix={AT}")
    assert launch("scale", "--endpoint=trial", "--max=3", "--target=100").code == 0
    assert launch("watch", "--endpoint=trial").code == 0
    client = aws.client("sagemaker")
    role = {"ExecutionRoleArn": "arn:aws:iam::123456789012:role/a"}
    client.create_model(ModelName="trial-theirs", PrimaryContainer={"Image": "an-image"}, **role)
    client.create_model(ModelName="trials", PrimaryContainer={"Image": "an-image"}, Tags=[OWN_TAG], **role)
    for key in ("jobs/trial-1/output/model.tar.gz", "capture/trial/x", "jobs/trials/x", "data/train/x"):
        aws.put(f"mine/{key}", "content")
    return launch


def running(kind: str, name: str, **described: object) -> dict[str, Answer]:
    """Return answers of a job that runs."""
    summary = {f"{kind}Name": name, f"{kind}Arn": f"arn:aws:sagemaker:us-east-1:123456789012:job/{name}",
               f"{kind}Status": "InProgress", "CreationTime": 1}  # fmt: skip
    resources = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 2}
    more = {
        "TrainingJobDefinition": {"ResourceConfig": resources},
        "TrainingJobStatusCounters": {"InProgress": 3},
    }
    details: dict[str, object] = more if kind == "HyperParameterTuningJob" else {"ResourceConfig": resources}
    return {
        f"List{kind}s": Answer.json({f"{kind}Summaries": [summary]}),
        f"Describe{kind}": Answer.json({f"{kind}Name": name, **details, **described}),
        f"Stop{kind}": Answer.json({}),
    }


def tags(aws):
    """Return an answer to ListTags: jobs, which only the stand-in knows, are the launcher's."""

    def answer(request: dict[str, str]) -> Answer:
        arn = request["ResourceArn"]
        known = [OWN_TAG] if ":job/" in arn else aws.client("sagemaker").list_tags(ResourceArn=arn)["Tags"]
        return Answer.json({"Tags": known})

    return answer


PRODUCT = {
    "product": {"attributes": {"component": "Hosting"}},
    "terms": {
        "OnDemand": {"a": {"priceDimensions": {"b": {"unit": "Hrs", "pricePerUnit": {"USD": "0.25"}}}}}
    },
}
TRAINING = {**PRODUCT, "product": {"attributes": {"component": "Training"}}}
PRICES = Answer.json({"PriceList": [json.dumps(PRODUCT), json.dumps(TRAINING)]})


def test_it_shows_what_there_is_and_costs_and_removes_nothing(aws, trial):
    """A line for each, the price of what runs; things of others by name."""
    jobs = running("TrainingJob", "trial-2026-01-31-12-00-00")
    with aws.answering(GetProducts=PRICES, ListTags=tags(aws), **jobs) as here:
        ended = trial("clean-up", "trial", "--s3", f"--s3-prefix={AT}", here=here)
    assert ended.code == 0, ended.err
    shown = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert shown[0] == "training job trial-2026-01-31-12-00-00 $0.50/h runs on 2 × ml.g5.xlarge"
    assert "autoscaling trial – 1 to 3 instances" in shown
    assert "endpoint trial $0.25/h InService, runs on 1 × ml.m5.xlarge" in shown
    assert {line.split()[1] for line in shown if line.startswith("alarm ")} == {"trial-5xx", "trial-p99"}
    assert [line for line in shown if line.startswith("S3")] == [
        "S3 folder s3://a-bucket/mine/jobs/trial-1/ – 1 objects, 0 MB",
        "S3 folder s3://a-bucket/mine/capture/trial/ – 1 objects, 0 MB",
    ]
    assert shown[-1] == "together about $0.75 per hour on demand"
    assert "trials" not in " ".join(shown).split()
    assert "without the launcher's tag, so it stays: trial-theirs" in ended.err
    assert "to remove it: make clean-up PREFIX=trial S3=true CONFIRM=yes" in ended.err
    for kept in (f"{AT}/data/", f"{AT}/registry/", f"{AT}/transform/input/", "log groups /aws/sagemaker/"):
        assert kept in ended.err
    assert not [name for name in aws.operations() if name.startswith(("Delete", "Stop", "Deregister"))]
    ended = trial("clean-up", "trial", LAUNCHER_CONFIRM="yes")
    assert "nothing is removed" in ended.err  # only the command line confirms


def test_it_removes_what_it_has_shown(aws, trial):
    """Jobs first; then the endpoint with all its parts, alarms, and the folders in S3; nothing else."""
    jobs = running("HyperParameterTuningJob", "trial-2026-01-31-12-00-00")
    child = running("TrainingJob", "trial-2026-01-31-12-00-00-001-abcdef", TuningJobArn="arn")
    with aws.answering(GetProducts=PRICES, ListTags=tags(aws), **jobs, **child) as here:
        ended = trial("clean-up", "trial", "--confirm=yes", "--s3", f"--s3-prefix={AT}", here=here)
    assert ended.code == 0, ended.err
    assert "tuning job trial-2026-01-31-12-00-00 $1.50/h runs on 6 × ml.g5.xlarge" in " ".join(
        ended.out.split()
    )
    assert "stopped tuning job trial-2026-01-31-12-00-00" in ended.err
    assert aws.requests("StopHyperParameterTuningJob")
    assert not aws.requests("StopTrainingJob")  # it ends with its tuning job
    assert left(aws) == (0, 0, 2)
    assert aws.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    scaled = aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    assert scaled["ScalableTargets"] == []
    assert {key for key in aws.stored() if "trial" in key} == {"mine/jobs/trials/x"}
    assert (
        "the launcher has nothing in us-east-1 that is called trial or trial-… and may go"
        in trial("clean-up", "trial").err
    )


@pytest.mark.parametrize(
    ("code", "exit_code", "expected"),
    [
        ("ValidationException", 2, "AWS refused DeleteEndpoint"),
        ("ThrottlingException", 3, "AWS did not answer DeleteEndpoint"),
        ("ExpiredTokenException", 2, "The AWS credentials have expired."),
    ],
)
def test_what_cannot_be_removed_stays_and_the_rest_goes(aws, trial, code, exit_code, expected):
    """The command fails and names it; a second run removes it."""
    with aws.answering(DeleteEndpoint=Answer.refusal(code)) as here:
        ended = trial("clean-up", "trial", "--confirm=yes", here=here)
    assert (ended.code, expected in ended.err) == (exit_code, True), ended.err
    assert (
        "4 of 6 could not be removed: endpoint trial, autoscaling trial, endpoint config trial-" in ended.err
    )
    assert "stays: the endpoint trial needs it" in ended.err
    assert left(aws) == (1, 1, 3)
    assert trial("clean-up", "trial", "--confirm=yes").code == 0


def test_it_asks_for_a_prefix_and_a_dry_run_sends_nothing(aws, trial):
    """An empty prefix would mean everything."""
    assert "PREFIX is not set." in trial("clean-up").err
    ended = trial("clean-up", "trial", "--confirm=yes", "--dry-run")
    assert ended.code == 0, ended.err
    assert '"DeleteEndpoint"' in ended.out
    assert "would have removed endpoint trial" in ended.err
    assert left(aws)[0] == 1


def test_a_price_that_is_not_known_is_not_nothing(aws, launch):
    """What runs is counted, not summed as $0.00; a trial goes with its tuning job, also one that stops."""
    job = running("TrainingJob", "trial-2026-01-31-12-00-00")
    with aws.answering(GetProducts=Answer.json({"PriceList": []}), ListTags=tags(aws), **job) as here:
        assert "together 1 of unknown price" in launch("clean-up", "trial", here=here).out
    job = running("TrainingJob", "trial-1", ResourceConfig={"InstanceCount": 2})
    with aws.answering(GetProducts=PRICES, ListTags=tags(aws), **job) as here:
        assert "together 1 of unknown price" in launch("clean-up", "trial", here=here).out
    child = running("TrainingJob", "trial-2026-01-31-12-00-00-001-abcdef", TuningJobArn="arn")
    with aws.answering(ListTags=Answer.json({"Tags": []}), **child) as here:
        assert "without the launcher's tag" not in launch("clean-up", "trial", here=here).err


def test_a_warm_pool_is_shown_and_ended(aws, launch):
    """Its instances are billed though the job is over."""
    job = running("TrainingJob", "trial-1")
    arn = "arn:aws:sagemaker:us-east-1:123456789012:job/trial-1"
    summary = {
        "TrainingJobName": "trial-1",
        "TrainingJobArn": arn,
        "TrainingJobStatus": "Completed",
        "CreationTime": 1,
        "WarmPoolStatus": {"Status": "Available"},
    }

    def listed(request: dict[str, str]) -> Answer:
        return Answer.json(
            {"TrainingJobSummaries": [summary] if request.get("WarmPoolStatusEquals") == "Available" else []}
        )

    more = {"ListTrainingJobs": listed, "UpdateTrainingJob": Answer.json({"TrainingJobArn": "arn"})}
    with aws.answering(GetProducts=PRICES, ListTags=tags(aws), **{**job, **more}) as here:
        ended = launch("clean-up", "trial", "--confirm=yes", here=here)
    assert ended.code == 0, ended.err
    assert "warm pool trial-1 $0.50/h runs on 2 × ml.g5.xlarge" in " ".join(ended.out.split())
    (sent,) = aws.requests("UpdateTrainingJob")
    assert sent == {"TrainingJobName": "trial-1", "ResourceConfig": {"KeepAlivePeriodInSeconds": 0}}


def test_everything_is_tagged(aws, launch, served):
    """By this, clean-up knows its own."""
    served("--tags=team=nlp")
    for operation in ("CreateModel", "CreateEndpointConfig", "CreateEndpoint"):
        assert aws.requests(operation)[0]["Tags"] == [{"Key": "team", "Value": "nlp"}, OWN_TAG]
    assert WITH_MODEL
