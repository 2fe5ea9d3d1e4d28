"""`train-spot` and `train` against moto: the requests that reach AWS, field by field, and what is refused before."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.aws.metrics import metric_definitions
from support.aws import ACCOUNT, BUCKET, REGION, ROLE, Aws, Ended
from support.fakes import toy_rows
from support.hosting import OWN_TAG

TAG = "gpu-0123456789ab"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/bert-classifier:{TAG}"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a CSV of labelled texts."""
    path = tmp_path / "my texts.csv"
    path.write_text("\n".join(f'{label},"{text}"' for label, text in toy_rows(30)) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def train(aws: Aws, data: Path) -> Callable[..., Ended]:
    """Return a function that starts a job with an image that is there, and does not wait for it."""
    aws.put_image("bert-classifier", TAG)
    always = ("--role", ROLE, "--s3-prefix", f"s3://{BUCKET}/mine", "--image-tag", TAG, "--no-wait")

    def run(*arguments: str, command: str = "train-spot", here: Aws = aws) -> Ended:
        return here.launch(command, *always, f"--train={data}", *arguments)

    return run


def test_the_request_of_a_spot_job_is_exactly_this(train, aws, data):
    """Every field that SageMaker is sent, and no other: no debugger, no profiler, a slash after each folder."""
    ended = train("--job-name=a-job", "--hp=num_train_epochs=2 learning_rate=1e-4", "--max-run=3600")
    assert (ended.code, ended.out) == (0, "a-job\n"), ended.err
    (request,) = aws.requests("CreateTrainingJob")
    (stored,) = [key for key in aws.stored() if key.endswith("my texts.csv")]
    assert request == {
        "TrainingJobName": "a-job",
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
        "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/mine/checkpoints/a-job/"},
        "HyperParameters": {"num_train_epochs": "2", "learning_rate": "1e-4", "max_run_seconds": "3600"},
        "ProfilerConfig": {"DisableProfiler": True},
        "RetryStrategy": {"MaximumRetryAttempts": 2},
        "Tags": [OWN_TAG],
    }
    assert aws.client("s3").get_object(Bucket=BUCKET, Key=stored)["Body"].read() == data.read_bytes()


@pytest.mark.slow
def test_every_option_reaches_the_request_of_an_on_demand_job(train, aws):
    """VPC, keys, isolation, tags, environment, an own place for checkpoints; no wait for spot capacity."""
    aws.put(f"texts/validation/part-1.{'csv'}", "Alpha,a text\n")
    aws.put("texts/model/model.safetensors", "weights")
    ended = train(
        "--instance-type=ml.p4d.24xlarge", "--instance-count=2", "--volume-size=100", f"--s3-data=s3://{BUCKET}/texts",
        "--input-mode=FastFile", f"--checkpoint-s3-uri=s3://{BUCKET}/earlier", "--environment=A=1 B='two words'",
        "--tags=team=nlp", "--subnets=subnet-1,subnet-2", "--security-group-ids=sg-1", "--volume-kms-key=key-1",
        "--output-kms-key=key-2", "--network-isolation", "--encrypt-traffic", "--max-retry-attempts=0",
        "--base-job-name=mine", command="train",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    (request,) = aws.requests("CreateTrainingJob")
    assert request["TrainingJobName"].startswith("mine-2")
    assert ended.out.strip() == request["TrainingJobName"]
    assert {name: request.get(name) for name in (
        "EnableManagedSpotTraining", "RetryStrategy", "StoppingCondition", "ResourceConfig", "OutputDataConfig",
        "CheckpointConfig", "Environment", "Tags", "VpcConfig", "EnableNetworkIsolation",
        "EnableInterContainerTrafficEncryption", "DebugHookConfig",
    )} == {
        "EnableManagedSpotTraining": None,
        "RetryStrategy": None,
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
        "ResourceConfig": {
            "InstanceCount": 2, "InstanceType": "ml.p4d.24xlarge", "VolumeSizeInGB": 100, "VolumeKmsKeyId": "key-1",
        },
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/mine/jobs/", "KmsKeyId": "key-2"},
        "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/earlier/"},
        "Environment": {"A": "1", "B": "two words"},
        "Tags": [{"Key": "team", "Value": "nlp"}, OWN_TAG],
        "VpcConfig": {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
        "EnableNetworkIsolation": True,
        "EnableInterContainerTrafficEncryption": True,
        "DebugHookConfig": None,
    }  # fmt: skip
    uris = {c["ChannelName"]: c["DataSource"]["S3DataSource"]["S3Uri"] for c in request["InputDataConfig"]}
    assert uris.keys() == {"train", "validation", "model"}
    assert uris["validation"] == f"s3://{BUCKET}/texts/validation/"
    assert {channel["InputMode"] for channel in request["InputDataConfig"]} == {"FastFile"}


@pytest.mark.slow
def test_a_dry_run_prints_the_request_that_would_be_sent(train, aws):
    """On standard output nothing but JSON, on the other what was understood of the data; nothing is uploaded, nothing
    is created.
    """
    ended = train("--dry-run", "--job-name=a-job")
    assert ended.code == 0, ended.err
    assert "is CSV with ','" in ended.err
    (printed,) = json.loads(ended.out)
    assert train("--job-name=a-job").code == 0
    assert printed == {"CreateTrainingJob": aws.requests("CreateTrainingJob")[0]}
    assert len(aws.requests("CreateTrainingJob")) == 1


def test_a_broken_configuration_of_the_sdk_is_reported(aws, train, data, tmp_path):
    """As what it is, no bug of the launcher; nothing is started."""
    broken = tmp_path / "config.yaml"
    broken.write_text("just text", encoding="utf-8")
    arguments = (f"--role={ROLE}", f"--s3-prefix=s3://{BUCKET}/mine", f"--image-tag={TAG}", f"--train={data}")
    ended = aws.launch("train", *arguments, SAGEMAKER_USER_CONFIG_OVERRIDE=str(broken))
    assert ended.code == 2, ended.err
    assert "Your configuration of the SageMaker SDK cannot be used: 'just text' is not of type" in ended.err
    assert aws.requests("CreateTrainingJob") == []


@pytest.mark.slow
def test_a_job_is_seen_through_to_its_artifact(train, aws):
    """Its log is shown, then how it went, and last, alone on standard output, where the model is."""
    aws.put_log("a-job", " step=1 train_loss=0.5")
    ended = train("--job-name=a-job", "--wait")
    assert ended.code == 0, ended.err
    assert ended.out == f"s3://{BUCKET}/mine/jobs/a-job/output/model.tar.gz\n"
    assert " step=1 train_loss=0.5" in ended.err
    assert "a-job: Completed" in ended.err


KERNELS = {
    "bert_classifier__cuda_version": "13.0",
    "bert_classifier__cuda_architectures": "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120",
}


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        (
            "ml.p2.xlarge",
            "no kernels for the Tesla K80 (compute capability 3.7) of ml.p2.xlarge: sm_75, sm_80",
        ),
        (
            "ml.p3.8xlarge",
            "no kernels for the Tesla V100 (compute capability 7.0) of ml.p3.8xlarge: sm_75, sm_80",
        ),
        ("ml.p6e-gb200.36xlarge", "ml.p6e-gb200.36xlarge is an ARM machine, but the image is for x86-64"),
    ],
)
@pytest.mark.parametrize("command", ["train", "train-spot"])
def test_an_instance_on_which_the_image_cannot_run_is_refused(train, aws, command, instance, expected):
    """By the labels of the image in ECR, before anything is uploaded; GPUs that fit are named."""
    with aws.image_saying(**KERNELS) as here:
        ended = train(f"--instance-type={instance}", command=command, here=here)
        assert (ended.code, ended.out) == (2, "")
        assert expected in ended.err
        assert aws.requests("CreateTrainingJob") == []
        assert aws.stored() == ["image-config.json"]


@pytest.mark.slow
def test_a_gpu_that_fits_is_no_doubt_and_one_that_could_not_be_checked_is(train, aws):
    """The label makes the difference; the job is started both times."""
    with aws.image_saying(**KERNELS) as here:
        ended = train(command="train", here=here)
        assert ended.code == 0, ended.err
        assert "WARN  gpu" not in ended.err
    ended = train(command="train")
    assert ended.code == 0, ended.err
    assert "could not be checked: it has no label bert-classifier.cuda-architectures" in ended.err


def test_all_problems_are_reported_at_once_and_nothing_is_sent(train, aws):
    """Hyperparameters, instance, times, image, role, bucket, data: each with its remedy."""
    ended = train(
        "--hp=learning_rat=1 num_train_epochs=0", "--instance-type=ml.g5.xlarg", "--max-wait=60", "--role=nobody",
        "--image-tag=gpu-ffffffffffff", "--s3-prefix=s3://no-such-bucket", "--validation=README.md",
    )  # fmt: skip
    assert (ended.code, ended.out) == (2, "")
    for expected in (
        "did you mean learning_rate?; hyperparameter num_train_epochs='0' is not a whole number",
        "SageMaker has no 'ml.g5.xlarg' for training. Did you mean ml.g5.xlarge?",
        "MAX_WAIT=60 is below MAX_RUN=86400",
        f"Push it: make push TAG=gpu. The newest tag in ECR: IMAGE_TAG={TAG}.",
        f"there is no role nobody in account {ACCOUNT}",
        "bucket: there is no no-such-bucket. Create it: aws s3 mb s3://no-such-bucket",
        "README.md cannot be validation: its suffix is none of data. Rename it,",
    ):
        assert expected in ended.err
    assert aws.requests("CreateTrainingJob") == []
    assert aws.stored() == []
