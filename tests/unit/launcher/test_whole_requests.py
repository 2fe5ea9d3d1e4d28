"""`deploy`, `batch-transform` and `register`: what the API would refuse is refused before anything is sent."""

import pytest

from support.aws import BUCKET
from support.hosting import WITH_MODEL, left, prepare

BAD_TAG = ("--tags=k=v!*", 'Tags[0].Value is "v!*", which does not match ', "(from TAGS)")
BAD_KEY = 'KmsKeyId is "bad key", which does not match '


@pytest.mark.parametrize(
    ("argument", "wrong", "setting"),
    [BAD_TAG, ("--volume-kms-key=bad key", BAD_KEY, "(from VOLUME_KMS_KEY)")],
)
def test_an_endpoint_s_requests_are_checked_before_the_model_is_made(aws, launch, argument, wrong, setting):
    """The configuration's key failed once the model was there; each mistake is said once, with its setting."""
    prepare(aws)
    ended = launch("deploy", *WITH_MODEL, argument)
    assert (ended.code, ended.err.count(wrong), ended.err.count(setting)) == (2, 1, 1), ended.err
    assert left(aws) == (0, 0, 0)


@pytest.mark.parametrize(
    ("argument", "wrong", "setting"),
    [
        BAD_TAG,
        ("--output-kms-key=bad key", f"TransformOutput.{BAD_KEY}", "(from OUTPUT_KMS_KEY)"),
        ("--volume-kms-key=bad key", f"TransformResources.Volume{BAD_KEY}", "(from VOLUME_KMS_KEY)"),
    ],
)
def test_a_transform_s_requests_are_checked_before_the_upload(
    aws, launch, tmp_path, argument, wrong, setting
):
    """No text is in S3, and no model is there."""
    prepare(aws)
    texts = tmp_path / "texts.txt"
    texts.write_text("a text\n", encoding="utf-8")
    before = aws.stored()
    always = (*WITH_MODEL, f"--s3-prefix=s3://{BUCKET}/mine", f"--input={texts}")
    ended = launch("batch-transform", *always, argument)
    assert (ended.code, ended.err.count(wrong), ended.err.count(setting)) == (2, 1, 1), ended.err
    assert (left(aws), aws.stored()) == ((0, 0, 0), before)
    assert launch("batch-transform", *always, "--dry-run").code == 0


def test_an_instance_type_is_refused_once(aws, launch, tmp_path):
    """By the check that knows the nearest one."""
    prepare(aws)
    texts = tmp_path / "texts.txt"
    texts.write_text("a text\n", encoding="utf-8")
    always = (*WITH_MODEL, f"--s3-prefix=s3://{BUCKET}/mine", f"--input={texts}")
    ended = launch("batch-transform", *always, "--instance-type=ml.m5.xlage")
    assert "Did you mean ml.m5.xlarge?" in ended.err
    assert "TransformResources" not in ended.err


def test_a_version_s_requests_are_checked_before_the_upload(register, aws):
    """Neither evaluation nor report is in S3, and no group is there."""
    before = aws.stored()
    ended = register("--tags=k=v!*")
    assert (ended.code, BAD_TAG[1] in ended.err, BAD_TAG[2] in ended.err) == (2, True, True), ended.err
    assert aws.stored() == before
    assert aws.requests("CreateModelPackageGroup") == aws.requests("CreateModelPackage") == []


def test_a_name_that_differs_by_its_case_alone_is_no_new_endpoint(aws, launch, served):
    """CreateEndpoint would refuse it, once model and configuration are there."""
    served()
    before = left(aws)
    ended = launch("deploy", *WITH_MODEL, "--endpoint=Bert-Classifier")
    assert (ended.code, "Give ENDPOINT=bert-classifier to update it" in ended.err) == (2, True), ended.err
    assert left(aws) == before
