"""Updates in steps: what reaches SageMaker and CloudWatch, what is refused, what a failure leaves."""

import itertools
from typing import Any

import pytest

from launcher.aws import rollout
from launcher.settings.inference import DeploySettings
from support.api_model import faults
from support.aws_stand_in import Answer
from support.hosting import OWN_TAG, WITH_MODEL, described, left, only, updating

NAMES = ["bert-classifier-rollout-5xx", "bert-classifier-rollout-p99"]
ROLL_BACK = {"Alarms": [{"AlarmName": name} for name in NAMES]}


def settings(**given: Any) -> DeploySettings:
    """Return settings of an endpoint with several instances."""
    return DeploySettings(**{"instance_count": 4, **given})


@pytest.mark.parametrize(
    ("given", "policy"),
    [
        (
            {"rollout": "all"},
            {"BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 300},
                "TerminationWaitInSeconds": 120, "MaximumExecutionTimeoutInSeconds": 300 + 120 + 1800,
            }},
        ),
        (
            {"rollout": "canary", "rollout_step": 10},
            {"BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {
                    "Type": "CANARY", "WaitIntervalInSeconds": 300,
                    "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
                },
                "TerminationWaitInSeconds": 120, "MaximumExecutionTimeoutInSeconds": 2 * 300 + 120 + 1800,
            }},
        ),
        (
            {"rollout": "linear", "instance_count": 12, "rollout_step": 10, "rollout_wait": 60},
            {"BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {
                    "Type": "LINEAR", "WaitIntervalInSeconds": 60,
                    "LinearStepSize": {"Type": "INSTANCE_COUNT", "Value": 2},
                },
                "TerminationWaitInSeconds": 120, "MaximumExecutionTimeoutInSeconds": 6 * 60 + 120 + 1800,
            }},
        ),
        (
            {"rollout": "rolling", "rollout_step": 50, "rollout_timeout": 9000},
            {"RollingUpdatePolicy": {
                "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 2}, "WaitIntervalInSeconds": 300,
                "MaximumExecutionTimeoutInSeconds": 9000,
            }},
        ),
    ],
)  # fmt: skip
def test_each_kind_has_its_policy(given, policy):
    """Steps of whole instances, at most half of them, and a time limit that the waits fit into."""
    config = rollout.deployment_config(settings(**given))
    assert config == {**policy, "AutoRollbackConfiguration": ROLL_BACK}
    request = {"EndpointName": "e", "EndpointConfigName": "c", "DeploymentConfig": config}
    assert faults("sagemaker", "UpdateEndpoint", request) == []


@pytest.mark.parametrize("count", range(2, 30))
def test_a_step_is_never_more_than_half_nor_less_than_sagemaker_takes(count):
    """UpdateEndpoint refuses a canary above 50 % and a linear step outside 10 to 50 %."""
    for percent in (10, 25, 33, 50):
        step = rollout.step_of(settings(instance_count=count, rollout_step=percent))
        assert 0.1 <= step / count <= 0.5


@pytest.mark.parametrize("kind", ["canary", "linear", "rolling"])
def test_a_linear_step_below_what_sagemaker_takes_is_told(kind):
    """5 % is 1 of 10 instances, too; of 11 a linear step is too small, and a batch or a canary is not."""
    sizes = list(itertools.product((2, 3, 10, 11, 19, 20, 21, 44), (5, 9, 10, 50)))
    refused = {
        (count, percent)
        for count, percent in sizes
        if rollout.is_too_small(settings(rollout=kind, instance_count=count, rollout_step=percent))
    }
    least = {"canary": 0.0, "linear": 0.1, "rolling": 0.05}[kind]
    for count, percent in sizes:
        step = rollout.step_of(settings(instance_count=count, rollout_step=percent))
        assert ((count, percent) in refused) == (step / count < least)
    assert ((10, 5) in refused, (11, 5) in refused) == (False, kind == "linear")


def test_the_alarms_of_a_roll_out_watch_the_new_version_alone(aws, launch, served):
    """They are made before the update; the next one keeps roll-out and thresholds, and turns them to its version."""
    served("--instance-count=2")
    last = {"AutoRollbackConfiguration": ROLL_BACK, "BlueGreenUpdatePolicy": {}}
    with aws.answering(UpdateEndpoint=updating(aws)) as here:
        ended = launch("deploy", *WITH_MODEL, "--rollout=canary", "--max-p99=200", here=here)
    assert ended.code == 0, ended.err
    config = aws.requests("CreateEndpointConfig")[-1]["EndpointConfigName"]
    where = [
        {"Name": "EndpointName", "Value": "bert-classifier"},
        {"Name": "VariantName", "Value": "AllTraffic"},
        {"Name": "EndpointConfigName", "Value": config},
    ]
    errors, latency = aws.requests("PutMetricAlarm")
    assert errors == {
        "AlarmName": NAMES[0],
        "AlarmDescription": "more than 5.00% of requests are answered with 5xx",
        "Namespace": "AWS/SageMaker",
        "MetricName": "Invocation5XXErrors",
        "Statistic": "Average",
        "Dimensions": where,
        "Period": 60,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2,
        "Threshold": 0.05,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "Tags": [OWN_TAG],
    }
    assert {name: latency[name] for name in ("AlarmName", "MetricName", "ExtendedStatistic", "Threshold")} == {
        "AlarmName": NAMES[1], "MetricName": "ModelLatency", "ExtendedStatistic": "p99", "Threshold": 200_000.0,
    }  # fmt: skip
    assert [faults("cloudwatch", "PutMetricAlarm", alarm) for alarm in (errors, latency)] == [[], []]
    update = only(aws.requests("UpdateEndpoint"))
    assert update["RetainAllVariantProperties"] is True
    assert update["DeploymentConfig"]["AutoRollbackConfiguration"] == ROLL_BACK
    assert left(aws) == (1, 1, 1)
    aws.client("cloudwatch").set_alarm_state(AlarmName=NAMES[0], StateValue="ALARM", StateReason="a test")
    serving = described("InService", config, LastDeploymentConfig=last, EndpointArn="arn")
    with aws.answering(UpdateEndpoint=updating(aws), DescribeEndpoint=serving) as here:
        launch("deploy", *WITH_MODEL, "--no-wait", here=here)
    assert aws.requests("UpdateEndpoint")[-1]["RetainDeploymentConfig"] is True
    assert only(aws.requests("DeleteAlarms"))["AlarmNames"] == [
        NAMES[0]
    ]  # else the update would be rolled back
    again = aws.requests("PutMetricAlarm")[-1]
    assert again["Threshold"] == 200_000.0
    assert again["Dimensions"][-1]["Value"] == aws.requests("CreateEndpointConfig")[-1]["EndpointConfigName"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--rollout=canary",), "one instance cannot be replaced in parts, as ROLLOUT=canary does. Give"),
        (("--rollout=all", "--alarm=none of mine"), "there is no alarm none of mine in us-east-1. Correct ALARM"),
        (("--rollout=all", "--alarm=raised"), "raised is in ALARM now, so SageMaker would roll the update back"),
        (("--rollout=all", "--rollout-wait=600", "--rollout-timeout=600"), "it waits 720 s in all"),
        (("--rollout=all", "--rollout-step=10"), "ROLLOUT_STEP would do nothing: ROLLOUT=all is one step"),
        (
            ("--rollout=linear", "--rollout-step=5", "--instance-count=20"),
            "ROLLOUT=linear takes steps of 10 % or more, and ROLLOUT_STEP=5 of 20 instances is 1. Give ROLLOUT_STEP=10",
        ),
        (("--alarm=raised",), "ALARM would do nothing: it is for ROLLOUT=all, canary, linear or rolling"),
    ],
)  # fmt: skip
def test_what_cannot_be_rolled_out_is_refused(aws, launch, served, arguments, expected):
    """In one sentence, and nothing is made."""
    served()
    alarm = {"AlarmName": "raised", "MetricName": "m", "Namespace": "n", "Period": 60, "EvaluationPeriods": 1,
             "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum"}  # fmt: skip
    aws.client("cloudwatch").put_metric_alarm(**alarm)
    aws.client("cloudwatch").set_alarm_state(AlarmName="raised", StateValue="ALARM", StateReason="a test")
    ended = launch("deploy", *WITH_MODEL, *arguments)
    assert (ended.code, expected in " ".join(ended.err.split())) == (2, True), ended.err
    assert left(aws) == (1, 1, 1)


def test_where_no_traffic_is_taken_over_a_roll_out_is_refused(aws, launch, served):
    """A first deployment and a serverless endpoint; from a file it is a note, since that serves all endpoints."""
    served("--mode=serverless", "--endpoint=small")
    ended = launch("deploy", *WITH_MODEL, "--endpoint=small", "--rollout=canary")
    assert (ended.code, "a serverless endpoint has no instances to take over from" in ended.err) == (2, True)
    ended = launch("deploy", *WITH_MODEL, "--rollout=canary")
    assert (ended.code, "there is no endpoint bert-classifier yet" in ended.err) == (2, True)
    ended = launch("deploy", *WITH_MODEL, LAUNCHER_ROLLOUT="canary")
    assert (ended.code, "ROLLOUT=canary is ignored: there is no endpoint" in ended.err) == (0, True)


@pytest.mark.parametrize(
    ("answers", "code", "expected"),
    [
        ({"PutMetricAlarm": Answer.refusal("AccessDeniedException")}, 2, "You may not call PutMetricAlarm"),
        ({"UpdateEndpoint": Answer.refusal("ResourceLimitExceeded")}, 2, "Your quota does not allow this"),
        ({"UpdateEndpoint": Answer.refusal("ExpiredTokenException")}, 2, "The AWS credentials have expired."),
    ],
)
def test_a_roll_out_that_cannot_begin_leaves_nothing(aws, launch, served, answers, code, expected):
    """Neither model nor configuration nor alarms."""
    served()
    with aws.answering(**answers) as here:
        ended = launch("deploy", *WITH_MODEL, "--rollout=all", here=here)
    assert (ended.code, expected in ended.err) == (code, True), ended.err
    assert left(aws) == (1, 1, 1)
    assert aws.client("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_a_roll_back_says_why_and_removes_the_new_version(aws, launch, served):
    """SageMaker has returned to the former one; the alarms of this roll-out go, too."""
    former = served()
    back = described("InService", former, FailureReason="Alarm bert-classifier-rollout-5xx was in ALARM")
    with aws.answering(UpdateEndpoint=Answer.json({}), DescribeEndpoint=back) as here:
        ended = launch("deploy", *WITH_MODEL, "--rollout=all", here=here)
    assert (ended.code, "did not come up: Alarm bert-classifier-rollout-5xx was in ALARM." in ended.err) == (
        3,
        True,
    )
    assert left(aws) == (1, 1, 1)
    assert aws.client("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_requests_and_answers_are_captured_readable(aws, launch, served):
    """By percentage, encrypted, below the endpoint's own folder; 0 ends it; metrics as chosen."""
    served("--capture=20", "--output-kms-key=key-1", "--s3-prefix=s3://a-bucket/mine", "--metrics=instances",
           "--metrics-interval=10")  # fmt: skip
    config = only(aws.requests("CreateEndpointConfig"))
    assert config["DataCaptureConfig"] == {
        "EnableCapture": True,
        "InitialSamplingPercentage": 20,
        "DestinationS3Uri": "s3://a-bucket/mine/capture/bert-classifier/",
        "KmsKeyId": "key-1",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {
            "JsonContentTypes": [
                "application/json", "application/jsonlines", "application/x-jsonlines", "application/x-ndjson",
            ],
            "CsvContentTypes": ["text/csv", "text/plain"],
        },
    }  # fmt: skip
    assert config["MetricsConfig"] == {
        "EnableDetailedObservability": True,
        "EnableEnhancedMetrics": True,
        "MetricPublishFrequencyInSeconds": 10,
    }
    assert faults("sagemaker", "CreateEndpointConfig", config) == []
    with aws.answering(UpdateEndpoint=updating(aws)) as here:
        ended = launch("deploy", *WITH_MODEL, "--capture=0", here=here)
    assert ended.code == 0, ended.err
    assert "DataCaptureConfig" not in aws.requests("CreateEndpointConfig")[-1]
    excluded = aws.requests("UpdateEndpoint")[-1]["ExcludeRetainedVariantProperties"]
    assert excluded == [{"VariantPropertyType": "DataCaptureConfig"}]
    ended = launch("deploy", *WITH_MODEL, "--endpoint=a", "--mode=async", "--capture=5")
    assert (ended.code, "CAPTURE would do nothing: an asynchronous endpoint has" in ended.err) == (2, True)
    ended = launch("deploy", *WITH_MODEL, "--endpoint=s", "--mode=serverless", "--capture=5")
    assert (ended.code, "a serverless endpoint has no data capture" in ended.err) == (2, True)
