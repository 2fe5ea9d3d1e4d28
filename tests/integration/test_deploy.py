"""`deploy` against moto: the requests field by field, updates, failures, what is left behind."""

import json
import re

import pytest

from support.aws import ACCOUNT, BUCKET, REGION, ROLE
from support.aws_stand_in import Answer
from support.hosting import ARTIFACT, GPU_TAG, HOST, OWN_TAG, TAG, described, left, only


def test_the_requests_of_a_real_time_endpoint_are_exactly_these(deploy, aws):
    """Model, configuration, endpoint: every field, and no other; the endpoint's name alone on standard output."""
    ended = deploy("--environment=SERVING_PRECISION=int8")
    assert (ended.code, ended.out) == (0, "bert-classifier\n"), ended.err
    model, config = only(aws.requests("CreateModel")), only(aws.requests("CreateEndpointConfig"))
    name = model["ModelName"]
    assert re.fullmatch(r"bert-classifier-\d{4}(-\d\d){5}-\d{3}", name)
    assert model == {
        "ModelName": name,
        "PrimaryContainer": {
            "Image": f"{HOST}:{TAG}",
            "ModelDataUrl": ARTIFACT,
            "Environment": {"SERVING_PRECISION": "int8"},
        },
        "ExecutionRoleArn": ROLE,
        "EnableNetworkIsolation": False,
        "Tags": [OWN_TAG],
    }
    assert config == {
        "EndpointConfigName": name,
        "ProductionVariants": [
            {
                "VariantName": "AllTraffic",
                "ModelName": name,
                "InitialInstanceCount": 1,
                "InstanceType": "ml.m5.xlarge",
                "InitialVariantWeight": 1.0,
                "ModelDataDownloadTimeoutInSeconds": 600,
                "ContainerStartupHealthCheckTimeoutInSeconds": 600,
            }
        ],
        "Tags": [OWN_TAG],
    }
    assert only(aws.requests("CreateEndpoint")) == {
        "EndpointName": "bert-classifier",
        "EndpointConfigName": name,
        "Tags": [OWN_TAG],
    }


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        (
            "ml.p3.2xlarge",
            "no kernels for the Tesla V100 (compute capability 7.0) of ml.p3.2xlarge: sm_75, sm_80",
        ),
        ("ml.g4dn.xlarge", ""),
    ],
)
def test_a_gpu_that_the_image_has_no_kernels_for_is_refused(deploy, aws, instance, expected):
    """By the labels of the image in ECR, before anything is made."""
    aws.put_image("bert-classifier", GPU_TAG)
    labels = {
        "bert_classifier__cuda_version": "13.0",
        "bert_classifier__cuda_architectures": "sm_75 sm_80 sm_86 sm_90",
    }
    with aws.image_saying(**labels) as here:
        ended = deploy(f"--instance-type={instance}", f"--image-tag={GPU_TAG}", here=here)
        assert ended.code == (2 if expected else 0), ended.err
        assert expected in ended.err
        assert bool(aws.requests("CreateModel")) == (not expected)


def test_every_option_reaches_the_requests(deploy, aws):
    """GPU with the host software that the image needs, VPC, isolation, keys, tags, times, count."""
    aws.put_image("bert-classifier", GPU_TAG)
    ended = deploy(
        "--endpoint=mine", "--instance-type=ml.g4dn.xlarge", "--instance-count=2", f"--image-tag={GPU_TAG}",
        "--tags=team=nlp", "--subnets=subnet-1", "--security-group-ids=sg-1,sg-2", "--network-isolation",
        "--volume-kms-key=key-1", "--startup-timeout=900", "--download-timeout=1200",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    model, config = only(aws.requests("CreateModel")), only(aws.requests("CreateEndpointConfig"))
    tags = [{"Key": "team", "Value": "nlp"}, OWN_TAG]
    assert model["EnableNetworkIsolation"] is True
    assert model["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1", "sg-2"]}
    assert model["Tags"] == config["Tags"] == only(aws.requests("CreateEndpoint"))["Tags"] == tags
    assert config["KmsKeyId"] == "key-1"
    assert config["ProductionVariants"] == [
        {
            "VariantName": "AllTraffic",
            "ModelName": model["ModelName"],
            "InitialInstanceCount": 2,
            "InstanceType": "ml.g4dn.xlarge",
            "InitialVariantWeight": 1.0,
            "ModelDataDownloadTimeoutInSeconds": 1200,
            "ContainerStartupHealthCheckTimeoutInSeconds": 900,
            "InferenceAmiVersion": "al2023-ami-sagemaker-inference-gpu-4-1",
        }
    ]


def test_a_serverless_endpoint_has_memory_and_concurrency_instead_of_instances(deploy, aws):
    """And no word of machines, disks or times."""
    assert deploy("--mode=serverless", "--memory-size=3072", "--max-concurrency=7").code == 0
    config = only(aws.requests("CreateEndpointConfig"))
    assert config == {
        "EndpointConfigName": config["EndpointConfigName"],
        "ProductionVariants": [
            {
                "VariantName": "AllTraffic",
                "ModelName": config["EndpointConfigName"],
                "ServerlessConfig": {"MemorySizeInMB": 3072, "MaxConcurrency": 7},
            }
        ],
        "Tags": [OWN_TAG],
    }


def test_an_asynchronous_endpoint_knows_where_to_write_and_its_server_has_the_time(deploy, aws):
    """Answers and failures in folders of their own; the server gives up a minute after SageMaker; yours counts."""
    ended = deploy(
        "--mode=async", f"--s3-prefix=s3://{BUCKET}/mine", "--invocation-timeout=1800", "--async-concurrency=2",
        "--output-kms-key=key-2", "--environment=SERVING_MAX_RECORDS=5",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert only(aws.requests("CreateEndpointConfig"))["AsyncInferenceConfig"] == {
        "OutputConfig": {
            "S3OutputPath": f"s3://{BUCKET}/mine/async/bert-classifier/output/",
            "S3FailurePath": f"s3://{BUCKET}/mine/async/bert-classifier/failures/",
            "KmsKeyId": "key-2",
        },
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 2},
    }
    assert only(aws.requests("CreateModel"))["PrimaryContainer"]["Environment"] == {
        "SAGEMAKER_MODEL_SERVER_TIMEOUT": "1860",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "100",
        "SERVING_MAX_RECORDS": "5",
    }


def test_a_dry_run_prints_the_requests_that_would_be_sent(deploy, aws):
    """All three, in order; nothing is made."""
    ended = deploy("--dry-run")
    assert ended.code == 0, ended.err
    printed = json.loads(ended.out)
    assert [list(request) for request in printed] == [
        ["CreateModel"],
        ["CreateEndpointConfig"],
        ["CreateEndpoint"],
    ]
    assert left(aws) == (0, 0, 0)
    assert deploy().code == 0
    sent = only(aws.requests("CreateModel"))
    assert {**printed[0]["CreateModel"], "ModelName": ""} == {**sent, "ModelName": ""}


def test_the_model_of_a_training_job_is_found_by_its_name(aws, deploy):
    """JOB instead of MODEL_DATA; a job that is not done, or does not exist, is reported."""
    job = {
        "TrainingJobName": "a-job",
        "TrainingJobStatus": "Completed",
        "ModelArtifacts": {"S3ModelArtifacts": ARTIFACT},
    }
    always = ("deploy", "--job=a-job", f"--role={ROLE}", f"--image-tag={TAG}")
    with aws.answering(DescribeTrainingJob=Answer.json(job)) as here:
        assert here.launch(*always).code == 0
    assert only(aws.requests("CreateModel"))["PrimaryContainer"]["ModelDataUrl"] == ARTIFACT
    with aws.answering(DescribeTrainingJob=Answer.json({**job, "TrainingJobStatus": "InProgress"})) as here:
        assert (
            "a-job is InProgress and has no model. Check its status: make status" in here.launch(*always).err
        )
    assert f"There is no training job a-job in {REGION}" in aws.launch(*always).err


def test_a_refusal_half_way_leaves_nothing_behind(aws, deploy):
    """CreateEndpoint exceeds a quota: the message names it, and configuration and model are removed."""
    refusal = Answer.refusal(
        "ResourceLimitExceeded", "The limit for ml.m5.xlarge for endpoint usage is 0 Instances."
    )
    with aws.answering(CreateEndpoint=refusal) as here:
        ended = deploy(here=here)
    assert ended.code == 2
    assert "Request more of “ml.m5.xlarge for endpoint usage” in Service Quotas" in ended.err
    assert aws.operations()[-2:] == ["DeleteEndpointConfig", "DeleteModel"]
    assert left(aws) == (0, 0, 0)


def test_a_lost_answer_is_not_taken_for_a_refusal(aws, deploy):
    """The library's second request finds what its first one has made: nothing of it is removed."""
    lost = Answer.json({"__type": "InternalFailure", "message": "no"}, 500)
    exists = Answer.refusal("ValidationException", "Cannot create already existing endpoint")
    with aws.answering(CreateEndpoint=[lost, exists]) as here:
        ended = deploy(here=here)
    assert ended.code == 2
    assert "It is not known whether SageMaker accepted the request, so model and configuration" in ended.err
    assert left(aws) == (0, 1, 1)


def test_an_endpoint_that_fails_is_reported_with_its_log_and_removed(aws, deploy):
    """SageMaker's reason, the container's last lines, then endpoint, configuration and model go."""
    aws.put_log_line(
        "/aws/sagemaker/Endpoints/bert-classifier", "AllTraffic/i-1", "UserError: no trained model"
    )
    missing = Answer.refusal("ValidationException", "Could not find endpoint")
    failed = described("Failed", "any", FailureReason="It did not pass the ping health check.")
    with aws.answering(DescribeEndpoint=[missing, failed]) as here:
        ended = deploy(here=here)
    assert ended.code == 3
    assert "UserError: no trained model" in ended.err
    assert (
        "PlatformError: The endpoint bert-classifier did not come up: It did not pass the ping" in ended.err
    )
    assert aws.operations()[-3:] == ["DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"]
    assert left(aws) == (0, 0, 0)


def test_all_problems_are_reported_at_once_and_nothing_is_created(deploy, aws):
    """Model, instance, environment, role, image, network, host software: each with its remedy; exit code 2."""
    ended = deploy(
        f"--model-data=s3://{BUCKET}/none/model.tar.gz", "--instance-type=ml.m5.xlarg", "--role=nobody",
        "--environment=SERVING_THREDS=1", "--image-tag=cpu-ffffffffffff", "--subnets=subnet-1",
        "--inference-ami-version=al2-ami",
    )  # fmt: skip
    assert (ended.code, ended.out) == (2, "")
    for expected in (
        f"there is nothing at s3://{BUCKET}/none/model.tar.gz",
        "SageMaker has no 'ml.m5.xlarg' for endpoints. Did you mean ml.m5.xlarge?",
        "Unknown environment variable 'SERVING_THREDS', did you mean SERVING_THREADS?",
        f"there is no role nobody in account {ACCOUNT}",
        f"The newest tag in ECR: IMAGE_TAG={TAG}.",
        "SUBNETS and SECURITY_GROUP_IDS go together",
        "SageMaker has no inference AMI al2-ami",
    ):
        assert expected in ended.err
    assert "CreateModel" not in aws.operations()
