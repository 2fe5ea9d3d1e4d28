"""`register`, `approve`, `reject` against moto: the requests that reach AWS, field by field, and faults."""

import hashlib
import json

import botocore.session
import pytest
from botocore.validate import ParamValidator

from support.aws import BUCKET, REGION, Aws
from support.aws_stand_in import Answer, s3_error
from support.hosting import ARTIFACT, HOST, TAG, only
from support.registry import (
    EVALUATION,
    GROUP_ARN,
    JOB_ARN,
    OUTPUTS,
    REPORT,
    TRAINING,
    archive,
    put_archive,
)
from support.tuning import searching, trial


def versions(aws: Aws) -> list[tuple[int, str]]:
    """Return number and status of each version of the group."""
    found = aws.client("sagemaker").list_model_packages(ModelPackageGroupName="bert-classifier")
    return [(p["ModelPackageVersion"], p["ModelApprovalStatus"]) for p in found["ModelPackageSummaryList"]]


def test_the_request_of_a_version_is_exactly_this(register, aws):
    """Model, image, quality with its digest, origin; a group is made first, and the files are in S3."""
    ended = register()
    assert (ended.code, ended.out) == (0, f"{GROUP_ARN}/1\n"), ended.err
    assert (
        "registered bert-classifier:1, which waits for a decision: make approve MODEL_PACKAGE=" in ended.err
    )
    assert aws.requests("CreateModelPackageGroup") == [{"ModelPackageGroupName": "bert-classifier"}]
    request = only(aws.requests("CreateModelPackage"))
    assert request.pop("ClientToken")
    (container,) = request["InferenceSpecification"].pop("Containers")
    assert container == {"Image": f"{HOST}:{TAG}", "ModelDataUrl": ARTIFACT}
    for kind in ("RealtimeInference", "Transform"):
        types = request["InferenceSpecification"].pop(f"Supported{kind}InstanceTypes")
        assert {"ml.m5.xlarge", "ml.c5.xlarge"} <= set(types)
        assert not [one for one in types if one.startswith(("ml.g", "ml.p", "ml.inf", "ml.c7g"))]
    folder = f"s3://{BUCKET}/mine/registry/a-job"
    digest, of_report = (hashlib.sha256(content).hexdigest() for content in (EVALUATION, REPORT))
    assert request == {
        "ModelPackageGroupName": "bert-classifier",
        "ModelPackageDescription": TRAINING["headline"],
        "InferenceSpecification": {
            "SupportedContentTypes": ["application/json", "application/jsonlines", "text/csv", "text/plain"],
            "SupportedResponseMIMETypes": [
                "application/json", "application/jsonlines", "text/csv", "application/x-npy",
            ],
        },
        "ModelApprovalStatus": "PendingManualApproval",
        "ModelMetrics": {
            "ModelQuality": {
                "Statistics": {
                    "ContentType": "application/json",
                    "S3Uri": f"{folder}/{digest[:16]}/evaluation.json",
                    "ContentDigest": f"sha256:{digest}",
                }
            }
        },
        "MetadataProperties": {"GeneratedBy": JOB_ARN},
        "CustomerMetadataProperties": {
            "training-job": "a-job",
            "training-image": f"{HOST}:gpu-0123456789ab",
            "run-fingerprint": "77e8e3351ad1",
            "program-version": "0.1.0",
            "encoder": "nreimers/MiniLM-L6-H384-uncased",
            "report": f"{folder}/{of_report[:16]}/report.html",
            "train-texts": "72",
            "train-sha256": "d3" * 32,
            "validation-sha256": "16" * 32,
        },
    }  # fmt: skip
    stored = {key.rpartition("/")[2]: key for key in aws.stored() if "/registry/" in key}
    for name, content in (("evaluation.json", EVALUATION), ("report.html", REPORT)):
        assert aws.client("s3").get_object(Bucket=BUCKET, Key=stored[name])["Body"].read() == content


def test_the_request_is_one_that_the_api_has(register, aws):
    """Every field exists and has its type; the gpu image gets instances with GPUs, and no batch transform."""
    aws.put_image("bert-classifier", "gpu-0123456789ab")
    ended = register(
        "--instance-type=ml.g5.xlarge", "--image-tag=gpu-0123456789ab", "--environment=SERVING_THREADS=2"
    )
    assert ended.code == 0, ended.err
    request = only(aws.requests("CreateModelPackage"))
    api = botocore.session.get_session().get_service_model("sagemaker")
    found = ParamValidator().validate(request, api.operation_model("CreateModelPackage").input_shape)
    assert not found.has_errors(), found.generate_report()
    specification = request["InferenceSpecification"]
    assert specification["Containers"][0]["Environment"] == {"SERVING_THREADS": "2"}
    assert "SupportedTransformInstanceTypes" not in specification
    types = specification["SupportedRealtimeInferenceInstanceTypes"]
    assert "ml.g5.xlarge" in types
    assert not {"ml.m5.xlarge", "ml.p3.2xlarge", "ml.g5g.xlarge"} & set(types)


def test_facts_in_the_outputs_spare_the_model_its_download(register, aws):
    """training.json beside the evaluation is read there."""
    files = {**OUTPUTS, "data/training.json": json.dumps({**TRAINING, "run_fingerprint": "other"}).encode()}
    put_archive(aws, ARTIFACT.replace("model.tar", "output.tar"), files)
    ended = register("--dry-run")
    assert ended.code == 0, ended.err
    assert "reading training.json in" not in ended.err
    _, created = json.loads(ended.out)
    assert created["CreateModelPackage"]["CustomerMetadataProperties"]["run-fingerprint"] == "other"
    assert aws.requests("CreateModelPackage") == []
    assert not [key for key in aws.stored() if "/registry/" in key]


def test_the_best_of_a_search_is_registered(register, aws):
    """By the name of the tuning job; the next version of the same group."""
    assert register().code == 0
    best = searching("Completed", trial(2, 0.9))
    ended = register(
        "--tuning-job=a-search",
        "--job=best",
        "--note=found by a search",
        DescribeHyperParameterTuningJob=best,
    )
    assert (ended.code, ended.out) == (0, f"{GROUP_ARN}/2\n"), ended.err
    assert len(aws.requests("CreateModelPackageGroup")) == 1
    assert aws.requests("CreateModelPackage")[-1]["ModelPackageDescription"] == "found by a search"


def test_a_decision_is_recorded_and_shown(register, aws):
    """Approved with a remark, then rejected; `status` shows the group and the version."""
    assert register().code == 0
    assert versions(aws) == [(1, "PendingManualApproval")]
    shown = aws.launch("status", "--model-package=bert-classifier:1")
    assert "  run-fingerprint: 77e8e3351ad1\n" in shown.out, shown.err
    ended = aws.launch("approve", "--model-package=bert-classifier:1", "--note=ticket 12")
    assert (ended.code, ended.out) == (0, f"{GROUP_ARN}/1\n"), ended.err
    assert "bert-classifier:1: PendingManualApproval → Approved" in ended.err
    assert only(aws.requests("UpdateModelPackage")) == {
        "ModelPackageArn": f"{GROUP_ARN}/1", "ModelApprovalStatus": "Approved", "ApprovalDescription": "ticket 12",
    }  # fmt: skip
    assert versions(aws) == [(1, "Approved")]
    again = aws.launch("approve", f"{GROUP_ARN}/1")
    assert (again.code, again.err) == (0, "bert-classifier:1 is Approved already\n")
    shown = aws.launch("status", "--model-package=bert-classifier:1")
    assert shown.code == 0, shown.err
    for expected in ("bert-classifier:1: Approved", "  ticket 12", f"  model: {ARTIFACT}"):
        assert expected in shown.out
    assert aws.launch("reject", "bert-classifier:1").code == 0
    group = aws.launch("status", "--model-package=bert-classifier")
    assert group.out.splitlines()[0] == "bert-classifier: 1 version(s)"
    assert "bert-classifier:1  Rejected  " in group.out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["approve"], "No model package is given. Name the version: MODEL_PACKAGE=bert-classifier:3."),
        (
            ["approve", "bert-classifier"],
            "bert-classifier is a group, not a version of it. Name the version, such as",
        ),
        (
            ["approve", "bert-classifier:7"],
            "bert-classifier has no version 7. See its versions: make status MODEL_",
        ),
        (["reject", "nothing:1"], f"There is no model package group nothing in {REGION}."),
        (["reject", f"{GROUP_ARN}/9"], f"There is no model package {GROUP_ARN}/9."),
        (["approve", "a b"], "is not a model package group, group:version or an ARN"),
    ],
)
@pytest.mark.slow
def test_a_version_that_does_not_exist_is_refused(register, aws, arguments, expected):
    """In one sentence that says where to look."""
    assert register().code == 0
    ended = aws.launch(*arguments)
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert expected in ended.err
    assert aws.requests("UpdateModelPackage") == []


REFUSED = Answer.refusal("ThrottlingException", "Rate exceeded")


@pytest.mark.parametrize(
    ("answers", "code", "expected", "said"),
    [
        ({"CreateModelPackage": REFUSED}, 3, "AWS did not answer CreateModelPackage: Rate exceeded.", "removed the"),
        (
            {"CreateModelPackage": Answer.refusal("ExpiredTokenException")}, 2,
            "The AWS credentials have expired. Log in again", "removed the model package group bert-classifier",
        ),
        (
            {"CreateModelPackageGroup": Answer.refusal("AccessDeniedException", "no")}, 2,
            "You may not call CreateModelPackageGroup: no.", "uploaded",
        ),
        (
            {f"PUT /{BUCKET}/mine/registry/": s3_error("AccessDenied", 403, "Access Denied")}, 2,
            "You may not call PutObject: Access Denied.", "",
        ),
        (
            {f"GET /{BUCKET}/mine/jobs/a-job/output/output": s3_error("NoSuchKey", 404)}, 2,
            "There is nothing at s3://a-bucket/mine/jobs/a-job/output/output.tar.gz.", "",
        ),
        (
            {f"GET /{BUCKET}/mine/jobs/a-job/output/output": Answer(200, "binary/octet-stream", archive(OUTPUTS)[:60])},
            3, "output.tar.gz cannot be read:", "",
        ),
        (
            {f"GET /{BUCKET}/mine/jobs/a-job/output/output": Answer(200, "binary/octet-stream", archive({"x": b""}))},
            2, "holds no evaluation.json, so nothing says how good the model is.", "",
        ),
    ],
)  # fmt: skip
def test_a_fault_leaves_nothing_registered(register, aws, answers, code, expected, said):
    """One sentence, the right exit code, no version, and no group that was made for it."""
    ended = register(**answers)
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert expected in ended.err.splitlines()[-1]
    assert said in ended.err
    made = {"CreateModelPackageGroup", *answers} & {"CreateModelPackage"}
    removed = [{"ModelPackageGroupName": "bert-classifier"}] if made else []
    assert aws.requests("DeleteModelPackageGroup") == removed
    groups = aws.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert len(groups) == len(removed)  # moto keeps the group
    assert not groups or versions(aws) == []
