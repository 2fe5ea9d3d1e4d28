"""The IAM policies against the calls that the launcher really makes: each is allowed, nothing more is."""

import json
from pathlib import Path

import pytest

from launcher.aws import ecr
from launcher.aws.account import Account
from launcher.settings.account import AccountSettings
from support.aws import ACCOUNT, BUCKET, REGION, ROLE, Aws
from support.aws_stand_in import Answer
from support.fakes import toy_rows
from support.hosting import TAG, WITH_MODEL, prepare, updating
from support.policy import actions_of, allows, asked
from support.registry import JOB, put_outputs
from support.tuning import listed

PREFIX = f"s3://{BUCKET}/mine"
# What no request of the launcher's own shows, and why it is needed all the same.
EXCEPTIONS = {
    "iam:PassRole": "SageMaker asks for it when a request names a role",
    "s3:AbortMultipartUpload": "an upload of a large file that breaks off",
    "sagemaker:AddTags": "SageMaker asks for it when a request has tags",
    "sagemaker:DeleteModelPackageGroup": "a group whose first version could not be registered",
    "sagemaker:StopHyperParameterTuningJob": "the command that an interrupted tune tells",
    "sagemaker:UpdateEndpointWeightsAndCapacities": "scale with MIN=MAX, which moto does not know",
    "s3:DeleteObject": "clean-up with S3=true",
    "sagemaker:UpdateTrainingJob": "clean-up where a warm pool has stayed",
    "iam:CreateServiceLinkedRole": "Application Auto Scaling asks for it at an account's first scalable target",
    "cloudwatch:TagResource": "CloudWatch asks for it when an alarm has tags",
    "application-autoscaling:DeleteScalingPolicy": "scale, where an asynchronous endpoint no longer ends at 0",
    "sagemaker:StopTrainingJob": "the command that an interrupted train-spot tells",
    "sagemaker:StopTransformJob": "the command that an interrupted batch-transform tells",
    "ecr:BatchCheckLayerAvailability": "docker push",
    "ecr:InitiateLayerUpload": "docker push",
    "ecr:UploadLayerPart": "docker push",
    "ecr:CompleteLayerUpload": "docker push",
    "ecr:PutImage": "docker push",
}
# Anyone may ask who they are.
FREE = {"sts:GetCallerIdentity"}


def policies(aws: Aws, folder: Path, *arguments: str) -> dict[str, dict]:
    """Let the launcher fill the policies in; return them by name."""
    ended = aws.launch("policies", f"--output={folder}", f"--s3-prefix={PREFIX}", *arguments)
    assert ended.code == 0, ended.err
    return {path.stem: json.loads(path.read_text()) for path in folder.iterdir()}


def everything(aws: Aws, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Let the launcher do all that it can; return what it asked of AWS."""
    data, texts = folder / "train.csv", folder / "texts.txt"
    data.write_text("\n".join(f'{label},"{text}"' for label, text in toy_rows(30)), encoding="utf-8")
    texts.write_text("a text\n", encoding="utf-8")
    job = (
        f"--role={ROLE}",
        f"--s3-prefix={PREFIX}",
        f"--train={data}",
        f"--image-tag={TAG}",
        "--flavour=cpu",
    )
    output = {"S3OutputPath": f"{PREFIX}/async/bert-classifier/output/"}
    described = {"EndpointName": "bert-classifier", "EndpointStatus": "InService", "EndpointConfigName": "c"}
    asynchronous = Answer.json({**described, "AsyncInferenceConfig": {"OutputConfig": output}})
    prepare(aws)
    aws.put_log_line("/aws/sagemaker/Endpoints/bert-classifier", "AllTraffic/i-1", "a line")
    aws.start_recording()
    commands = [
        ("train-spot", *job, "--instance-type=ml.m5.xlarge", "--job-name=bert-classifier-1"),
        (
            "tune",
            *job,
            "--instance-type=ml.m5.xlarge",
            "--job-name=bert-classifier-2",
            "--hp=pooling=cls|mean",
            "--no-wait",
        ),
        ("doctor", *job, "--role=sagemaker-job", "--instance-type=ml.m5.xlarge"),
        ("invoke", "a text"),
        ("batch-transform", *WITH_MODEL, f"--input={texts}", f"--s3-prefix={PREFIX}"),
    ]
    assert aws.launch("deploy", *WITH_MODEL).code == 0
    for command in commands:
        ended = aws.launch(*command)
        assert "Traceback" not in ended.err, ended.err
    with aws.answering(GetProducts=Answer.json({"PriceList": []})) as here:
        assert here.launch("status", "bert-classifier-1").code == 0
    with aws.answering(ListTrainingJobsForHyperParameterTuningJob=listed([])) as here:
        assert here.launch("tune", "--job=bert-classifier-2").code == 0
    put_outputs(aws)
    with aws.answering(DescribeTrainingJob=Answer.json(JOB)) as here:
        assert here.launch("register", "--job=a-job", f"--image-tag={TAG}", f"--s3-prefix={PREFIX}").code == 0
    assert aws.launch("approve", "bert-classifier:1").code == 0
    assert aws.launch("status", "--model-package=bert-classifier:1").code == 0
    with aws.answering(UpdateEndpoint=updating(aws)) as here:
        assert here.launch("deploy", *WITH_MODEL, "--instance-type=ml.c5.xlarge").code == 0
    path = "/endpoints/bert-classifier/async-invocations"
    place = {"X-Amzn-SageMaker-OutputLocation": f"{PREFIX}/async/bert-classifier/output/a.out"}
    accepted = Answer(202, "application/json", b"{}", place)
    with aws.answering(DescribeEndpoint=asynchronous, **{path: accepted}) as here:
        here.launch("invoke", "a text", "--invocation-timeout=1")
    failed = [Answer.refusal("ValidationException"), Answer.json({**described, "EndpointStatus": "Failed"})]
    with aws.answering(DescribeEndpoint=failed, CreateEndpoint=Answer.json({"EndpointArn": "arn"})) as here:
        here.launch("deploy", *WITH_MODEL)
    assert aws.launch("deploy", *WITH_MODEL).code == 0
    assert aws.launch("scale", "--max=2", "--target=100").code == 0
    assert aws.launch("watch").code == 0
    assert aws.launch("clean-up", "bert-classifier").code == 0
    assert aws.launch("delete-endpoint").code == 0
    _push(aws, monkeypatch)
    stood_in = [("sagemaker:" + name, "*") for name, _ in aws.answered if name == "UpdateEndpoint"]
    stood_in += [
        ("sagemaker:" + name, "*") for name, _ in aws.answered if name.startswith("ListTrainingJobsFor")
    ]
    stood_in += [("sagemaker:InvokeEndpointAsync", "*") for name, _ in aws.answered if name == path]
    stood_in += [("iam:" + name, "*") for name, _ in aws.answered if name == "SimulatePrincipalPolicy"]
    stood_in += [("pricing:" + name, "*") for name, _ in aws.answered if name == "GetProducts"]
    return [asked(sent) for sent in aws.recorded() if "/moto-api" not in sent["url"]] + stood_in


def _push(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask ECR what `push` asks; the rest of it is the engine's work."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, aws.environ[name])
    account = Account(AccountSettings())
    assert ecr.find_repository(account, "another") is None
    ecr.create_repository(account, "another")
    ecr.credentials(account)
    assert ecr.find_manifest(account, ecr.ImageName(ACCOUNT, REGION, "another", "none", "")) is None


@pytest.mark.slow
def test_the_developer_may_do_all_that_the_launcher_does_and_nothing_else(aws, tmp_path, monkeypatch):
    """Every recorded request has its statement; every action is used, or has a reason."""
    filled = policies(aws, tmp_path / "policies")
    developer, approver = filled["developer"], filled["approver"]
    calls = {call for call in everything(aws, tmp_path, monkeypatch) if call[0] not in FREE}
    denied = {call for call in calls if not allows(developer, *call)}
    assert {action for action, _ in denied} == {"sagemaker:UpdateModelPackage"}
    assert sorted({call for call in denied if not allows(approver, *call)}) == []
    unused = actions_of(developer) - {action for action, _ in calls}
    assert sorted(unused) == sorted(EXCEPTIONS)


def test_the_approver_may_do_what_approve_reject_and_status_do(aws, tmp_path):
    """And nothing that registers, deploys or trains."""
    approver = policies(aws, tmp_path / "policies")["approver"]
    prepare(aws)
    put_outputs(aws)
    with aws.answering(DescribeTrainingJob=Answer.json(JOB)) as here:
        assert here.launch("register", "--job=a-job", f"--image-tag={TAG}", f"--s3-prefix={PREFIX}").code == 0
    aws.start_recording()
    for command in ("approve", "reject"):
        assert aws.launch(command, "bert-classifier:1", "--note=why").code == 0
    assert aws.launch("status", "--model-package=bert-classifier").code == 0
    assert aws.launch("approve", "bert-classifier-other:1").code == 2
    calls = {asked(sent) for sent in aws.recorded() if "/moto-api" not in sent["url"]}
    assert sorted({call for call in calls if call[0] not in FREE and not allows(approver, *call)}) == []
    assert actions_of(approver) == {action for action, _ in calls} - FREE


def test_the_developer_registers_and_another_approves(aws, tmp_path):
    """So that nobody deploys what only they have looked at; nor may a version be registered as approved already."""
    filled = policies(aws, tmp_path / "policies")
    assert "sagemaker:UpdateModelPackage" not in actions_of(filled["developer"])
    (register,) = [
        s for s in filled["developer"]["Statement"] if "sagemaker:CreateModelPackage" in s["Action"]
    ]
    assert register["Action"] == "sagemaker:CreateModelPackage"
    assert register["Condition"] == {"StringNotEqualsIfExists": {"sagemaker:ModelApprovalStatus": "Approved"}}


def test_the_policies_are_filled_in_and_hold_no_wildcards_but_where_aws_wants_them(aws, tmp_path):
    """No placeholder is left; VPC and key only with them; a role is lent to SageMaker alone."""
    plain = policies(aws, tmp_path / "plain")
    assert plain.keys() == {"trust", "training-role", "serving-role", "developer", "approver"}
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
    vpc = ("--subnets=subnet-1", "--security-group-ids=sg-1", f"--output-kms-key={key}")
    assert policies(aws, tmp_path / "all", *vpc).keys() == {*plain, "vpc", "kms"}
    for path in tmp_path.rglob("*.json"):
        assert "$" not in path.read_text(), path
    everywhere = {
        "ecr:GetAuthorizationToken", "cloudwatch:PutMetricData", "pricing:GetProducts", "sagemaker:ListModelPackages",
        "application-autoscaling:DescribeScalableTargets", "servicequotas:ListServiceQuotas",
        "application-autoscaling:DescribeScalingPolicies", "application-autoscaling:DescribeScheduledActions",
        "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "sagemaker:ListEndpointConfigs",
        "sagemaker:ListEndpoints", "sagemaker:ListHyperParameterTuningJobs", "sagemaker:ListModels",
        "sagemaker:ListTrainingJobs", "sagemaker:ListTransformJobs",
    }  # fmt: skip
    for name in ("training-role", "serving-role", "developer", "approver"):
        for statement in plain[name]["Statement"]:
            if statement["Resource"] == "*" and statement["Sid"] != "ScaleEndpoints":
                assert actions_of({"Statement": [statement]}) <= everywhere
    (scale,) = [s for s in plain["developer"]["Statement"] if s["Sid"] == "ScaleEndpoints"]
    namespace = {"application-autoscaling:service-namespace": "sagemaker"}
    assert scale["Condition"] == {"StringEquals": namespace}
    (trust,) = plain["trust"]["Statement"]
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    (lend,) = [s for s in plain["developer"]["Statement"] if s["Action"] == "iam:PassRole"]
    assert lend["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    assert all(f"{ACCOUNT}:role/bert-classifier-" in arn for arn in lend["Resource"])


def test_the_roles_reach_what_job_and_endpoint_read_and_write(aws, tmp_path):
    """Where the launcher's requests lead them, and not into each other's places."""
    filled = policies(aws, tmp_path)
    at = f"arn:aws:s3:::{BUCKET}/mine"
    training, serving = filled["training-role"], filled["serving-role"]
    for key in ("data/train/x/train.csv", "checkpoints/a/1"):
        assert allows(training, "s3:GetObject", f"{at}/{key}"), key
    for key in ("jobs/a/output/model.tar.gz", "checkpoints/a/1"):
        assert allows(training, "s3:PutObject", f"{at}/{key}"), key
    for key in ("jobs/a/output/model.tar.gz", "transform/input/x/t.csv", "async/e/input/x"):
        assert allows(serving, "s3:GetObject", f"{at}/{key}"), key
    for key in ("transform/output/a/t.csv.out", "async/e/output/x", "async/e/failures/x"):
        assert allows(serving, "s3:PutObject", f"{at}/{key}"), key
    assert not allows(training, "s3:PutObject", f"{at}/data/train/x/train.csv")
    assert not allows(serving, "s3:PutObject", f"{at}/jobs/a/output/model.tar.gz")
    assert not allows(serving, "s3:GetObject", f"{at}/data/train/x/train.csv")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "OUTPUT is not set."),
        (("--output=README.md",), "OUTPUT=README.md is a file."),
        (("--output=x", "--s3-prefix=s3://a-bucket"), "s3://a-bucket/ is a whole bucket."),
        (
            ("--output=x", "--s3-prefix=s3://a-bucket/*"),
            "S3_PREFIX=s3://a-bucket/*/ has *, which a policy takes",
        ),
        (("--output=x", "--output-kms-key=alias/a"), "alias/a is not the ARN of a KMS key."),
    ],
)
def test_what_cannot_be_filled_in_is_reported(aws, arguments, expected):
    """Cause and remedy, and nothing is written."""
    ended = aws.launch("policies", *arguments)
    assert ended.code == 2
    assert expected in ended.err


def test_no_file_is_replaced_unseen(aws, tmp_path):
    """Replacing another file of the same name is reported; the templates are never overwritten."""
    (tmp_path / "trust.json").write_text("mine", encoding="utf-8")
    ended = aws.launch("policies", f"--output={tmp_path}", f"--s3-prefix={PREFIX}")
    assert f"{tmp_path}/trust.json, which had other content" in ended.err
    ended = aws.launch("policies", "--output=docker/iam", f"--s3-prefix={PREFIX}")
    assert ended.code == 2
    assert "docker/iam holds the templates of the policies." in ended.err


def test_it_tells_the_commands_that_make_the_roles(aws, tmp_path):
    """Two roles with trust and policy each, and the policies for people; printed, not run."""
    ended = aws.launch("policies", f"--output={tmp_path}", f"--s3-prefix={PREFIX}", "--name=mine")
    lines = ended.out.splitlines()
    assert [line.split()[2] for line in lines] == ["create-role", "put-role-policy"] * 2 + [
        "create-policy"
    ] * 2
    assert (
        f"--role-name mine-serving --policy-name serving-role --policy-document file://{tmp_path}" in lines[3]
    )
