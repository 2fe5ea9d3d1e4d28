"""The request of docker/README.md without the launcher is the launcher's."""

import json
import re

import boto3
import pytest

from support.aws import BUCKET, REPOSITORY, ROLE
from support.hosting import OWN_TAG

TAG = "gpu-0123456789ab"


@pytest.mark.slow
def test_the_boto3_block_sends_what_train_spot_sends(aws, monkeypatch):
    """CreateTrainingJob, field by field; the tag says who made the job."""
    aws.put_image("bert-classifier", TAG)
    aws.put("mine/texts/texts.csv", "Alpha,a text\nBeta,another\n")
    ended = aws.launch(
        "train-spot", "--dry-run", f"--role={ROLE}", f"--s3-prefix=s3://{BUCKET}/mine", f"--image-tag={TAG}",
        f"--train=s3://{BUCKET}/mine/texts/", "--job-name=a-job", "--hp=num_train_epochs=3", "--max-run=3600",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    readme = (REPOSITORY / "docker" / "README.md").read_text(encoding="utf-8")
    block = re.search(r"(?s)<!-- boto3:.*?-->\n```python\n(.*?)```", readme)
    assert block is not None
    for name, value in aws.environ.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    exec(compile(block[1], "README.md", "exec"), {})
    (sent,) = aws.requests("CreateTrainingJob")
    assert json.loads(ended.out) == [{"CreateTrainingJob": {**sent, "Tags": [OWN_TAG]}}]
