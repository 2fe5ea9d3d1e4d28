"""`doctor`: a line for everything that a job rests on, and what AWS may answer to each question."""

import json

import pytest

from support.aws import ACCOUNT, BUCKET, REGION, ROLE
from support.aws_stand_in import Answer, permitted

TAG = "gpu-0123456789ab"
_OTHERS_TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}


def quotas(spot: float) -> Answer:
    """Return Service Quotas' answer."""
    values = {"ml.g5.xlarge for spot training job usage": spot, "ml.g5.xlarge for training job usage": 4.0}
    return Answer.json({"Quotas": [{"QuotaName": name, "Value": value} for name, value in values.items()]})


def test_an_account_in_order_has_nothing_wrong(aws, tmp_path):
    """Exit code 0, no FAIL, every subject looked at."""
    aws.put_image("bert-classifier", TAG)
    data = tmp_path / "texts.csv"
    data.write_text("Alpha,a text\nBeta,another\n", encoding="utf-8")
    with aws.answering(ListServiceQuotas=quotas(1), SimulatePrincipalPolicy=permitted("allowed")) as here:
        ended = here.launch(
            "doctor",
            f"--role={ROLE}",
            f"--train={data}",
            f"--s3-prefix=s3://{BUCKET}/x",
            f"--image-tag={TAG}",
        )
    assert ended.code == 0, ended.out
    assert "FAIL" not in ended.out
    subjects = {line.split()[1] for line in ended.out.splitlines() if line.startswith("OK")}
    assert subjects >= {
        "tools", "credentials", "region", "hyperparameters", "instance", "time", "image", "role", "bucket", "train",
        "quota",
    }  # fmt: skip
    assert aws.requests("CreateTrainingJob") == []


def test_what_is_not_in_order_is_reported_with_its_remedy(aws):
    """A role for another service, an image in OCI's form, a quota of 0, policies that do not reach; exit code 2."""
    aws.put_image("bert-classifier", TAG, "application/vnd.oci.image.manifest.v1+json")
    aws.client("iam").create_role(RoleName="other", AssumeRolePolicyDocument=json.dumps(_OTHERS_TRUST))
    with aws.answering(
        ListServiceQuotas=quotas(0), SimulatePrincipalPolicy=permitted("implicitDeny")
    ) as here:
        always = ("doctor", f"--s3-prefix=s3://{BUCKET}/x", f"--image-tag={TAG}")
        ended = here.launch(*always, "--role=other")
        denied = here.launch(*always, f"--role={ROLE}")
    assert ended.code == 2
    assert "other does not trust sagemaker.amazonaws.com" in ended.out
    assert "is stored as application/vnd.oci.image.manifest.v1+json" in ended.out
    assert "Request more of “ml.g5.xlarge for spot training job usage”" in ended.out
    assert "none given, so none checked" in ended.out
    assert "it may not s3:GetObject arn:aws:s3:::a-bucket/x/*" in denied.out


def test_a_bucket_of_another_region_is_reported(aws):
    """SageMaker reads only from its own."""
    aws.client("s3").create_bucket(
        Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    ended = aws.launch("doctor", f"--role={ROLE}", "--s3-prefix=s3://far-away")
    assert f"far-away is in eu-west-1, but the job would run in {REGION}" in ended.out


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (
            f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/a:b",
            "it is in eu-west-1, but the job would run in us-east-1",
        ),
        ("docker.io/library/python:3.11", "is not an address in ECR"),
    ],
)
def test_an_image_from_elsewhere_is_reported(aws, uri, expected):
    """Another region, another registry."""
    assert expected in aws.launch("doctor", f"--role={ROLE}", f"--image-uri={uri}").out
