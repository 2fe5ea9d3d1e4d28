"""A trained model in S3 as a training job leaves it, and how to register it."""

import io
import json
import tarfile
from collections.abc import Callable, Mapping

import pytest

from support.aws import ACCOUNT, BUCKET, REGION, ROLE, Aws, Ended
from support.aws_stand_in import Answer, Reply
from support.hosting import ARTIFACT, HOST, TAG

EVALUATION = b'{"version": 0.0, "multiclass_classification_metrics": {}}'
REPORT = b"<html>a report</html>"
TRAINING = {
    "run_fingerprint": "77e8e3351ad1",
    "headline": "95 % of 200 test texts are right (95 % interval 91–97 %).",
    "data": {"train_texts": 72, "train_sha256": "d3" * 32, "validation_sha256": "16" * 32},
    "encoder": {"name": None, "name_in_config": "nreimers/MiniLM-L6-H384-uncased", "commit": None},
    "versions": {"bert_classifier": "0.1.0", "torch": "2.13.0+cpu"},
}
OUTPUTS = {"data/evaluation.json": EVALUATION, "data/report.html": REPORT, "data/errors.csv": b"x"}
JOB_ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/a-job"
GROUP_ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/bert-classifier"
JOB = {
    "TrainingJobName": "a-job",
    "TrainingJobArn": JOB_ARN,
    "TrainingJobStatus": "Completed",
    "ModelArtifacts": {"S3ModelArtifacts": ARTIFACT},
    "AlgorithmSpecification": {"TrainingImage": f"{HOST}:gpu-0123456789ab", "TrainingInputMode": "File"},
    "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
}


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return files as SageMaker packs them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def put_archive(aws: Aws, uri: str, files: Mapping[str, bytes]) -> None:
    """Store an archive."""
    key = uri.removeprefix(f"s3://{BUCKET}/")
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=archive(files))


def put_outputs(aws: Aws) -> None:
    """Store what the training job leaves."""
    put_archive(
        aws, ARTIFACT, {"model.safetensors": b"w" * 5000, "training.json": json.dumps(TRAINING).encode()}
    )
    put_archive(aws, ARTIFACT.replace("model.tar", "output.tar"), OUTPUTS)


def put_job(aws: Aws) -> None:
    """Let moto know the training job."""
    aws.client("sagemaker").create_training_job(
        TrainingJobName="a-job",
        RoleArn=ROLE,
        AlgorithmSpecification=JOB["AlgorithmSpecification"],
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/mine/jobs/"},
        ResourceConfig=JOB["ResourceConfig"],
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
    )


@pytest.fixture
def register(aws: Aws) -> Callable[..., Ended]:
    """Return a function that registers a job that is there, with its image; moto does not delete groups."""
    aws.put_image("bert-classifier", TAG)
    put_outputs(aws)
    always = ("--job=a-job", f"--image-tag={TAG}", f"--s3-prefix=s3://{BUCKET}/mine")

    def run(*arguments: str, here: Aws = aws, **answers: Reply) -> Ended:
        known = {"DescribeTrainingJob": Answer.json(JOB), "DeleteModelPackageGroup": Answer.json({})}
        with here.answering(**{**known, **answers}) as there:
            return there.launch("register", *always, *arguments)

    return run
