"""`scale`: the requests of autoscaling, what is refused, and what is left when a request fails."""

import pytest

from launcher.aws import scaling
from support.aws_stand_in import Answer
from support.hosting import WITH_MODEL, described, only

RESOURCE = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/bert-classifier/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}


def test_invocations_are_aimed_at(aws, launch, served):
    """One target, one policy; what there is comes back, and a second call changes only what it names."""
    served()
    ended = launch("scale", "--min=1", "--max=4", "--target=1500", "--hourly-price=0.5")
    assert ended.code == 0, ended.err
    assert only(aws.requests("RegisterScalableTarget")) == {**RESOURCE, "MinCapacity": 1, "MaxCapacity": 4}
    assert only(aws.requests("PutScalingPolicy")) == {
        "PolicyName": "bert-classifier-target-tracking",
        **RESOURCE,
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 1500.0,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
            },
            "ScaleOutCooldown": 60,
            "ScaleInCooldown": 300,
        },
    }
    assert "bert-classifier: 1 to 4 × ml.m5.xlarge" in ended.out
    assert "aims at 1500 invocations per instance and minute (METRIC=invocations)" in ended.out
    assert "it costs about $0.50 to $2.00 per hour" in ended.out
    assert launch("scale", "--max=6", "--scale-in-cooldown=600").code == 0
    assert aws.requests("RegisterScalableTarget")[-1]["MaxCapacity"] == 6
    changed = aws.requests("PutScalingPolicy")[-1]["TargetTrackingScalingPolicyConfiguration"]
    assert (changed["TargetValue"], changed["ScaleOutCooldown"], changed["ScaleInCooldown"]) == (
        1500,
        60,
        600,
    )
    before = len(aws.recorded())
    assert "1 to 6 × ml.m5.xlarge" in launch("scale").out
    assert not {"RegisterScalableTarget", "PutScalingPolicy"} & set(aws.operations()[before:])


@pytest.mark.parametrize(
    ("metric", "instance", "expected"),
    [
        ("cpu", "ml.m5.2xlarge", ("CPUUtilization", 60 * 8)),
        ("gpu", "ml.g5.12xlarge", ("GPUUtilization", 60 * 4)),
    ],
)
def test_a_share_of_the_instance_is_what_sagemaker_counts_per_cpu_or_gpu(metric, instance, expected):
    """CloudWatch's metric is the sum over all CPUs or GPUs."""
    now = scaling.Scaling("e", "v")
    wanted = scaling.Wanted(1, 4, metric, 60.0, 60, 300)
    policy = scaling.policy_request(now, wanted, instance)["TargetTrackingScalingPolicyConfiguration"]
    name, value = expected
    assert policy["TargetValue"] == value
    assert policy["CustomizedMetricSpecification"] == {
        "MetricName": name,
        "Namespace": "/aws/sagemaker/Endpoints",
        "Dimensions": [{"Name": "EndpointName", "Value": "e"}, {"Name": "VariantName", "Value": "v"}],
        "Statistic": "Average",
    }
    tracking = {
        "PolicyName": "e-target-tracking",
        "TargetTrackingScalingPolicyConfiguration": policy,
    }
    registered = scaling.Scaling("e", "v", {"MinCapacity": 1, "MaxCapacity": 4}, (tracking,))
    assert registered.wanted(instance) == wanted


def test_an_asynchronous_endpoint_scales_to_zero_and_starts_when_requests_wait(aws, launch, served):
    """The backlog per instance for many, a step and its alarm for the first one; with MIN=1 they go."""
    served("--mode=async", "--s3-prefix=s3://a-bucket/mine")
    assert launch("scale", "--min=0", "--max=3").code == 0
    tracking, step = aws.requests("PutScalingPolicy")
    configuration = tracking["TargetTrackingScalingPolicyConfiguration"]
    assert configuration["TargetValue"] == 5.0
    assert configuration["CustomizedMetricSpecification"] == {
        "MetricName": "ApproximateBacklogSizePerInstance",
        "Namespace": "AWS/SageMaker",
        "Dimensions": [{"Name": "EndpointName", "Value": "bert-classifier"}],
        "Statistic": "Average",
    }
    assert (step["PolicyName"], step["PolicyType"]) == ("bert-classifier-from-zero", "StepScaling")
    assert step["StepScalingPolicyConfiguration"] == {
        "AdjustmentType": "ChangeInCapacity",
        "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
        "Cooldown": 300,
        "MetricAggregationType": "Average",
    }
    alarm = only(aws.requests("PutMetricAlarm"))
    policies = aws.client("application-autoscaling").describe_scaling_policies(ServiceNamespace="sagemaker")
    arns = {policy["PolicyName"]: policy["PolicyARN"] for policy in policies["ScalingPolicies"]}
    assert (alarm["MetricName"], alarm["Dimensions"], alarm["Threshold"], alarm["EvaluationPeriods"]) == (
        "HasBacklogWithoutCapacity", [{"Name": "EndpointName", "Value": "bert-classifier"}], 1.0, 2,
    )  # fmt: skip
    assert alarm["AlarmActions"] == [arns["bert-classifier-from-zero"]]
    assert launch("scale", "--min=1").code == 0
    assert only(aws.requests("DeleteScalingPolicy"))["PolicyName"] == "bert-classifier-from-zero"
    assert only(aws.requests("DeleteAlarms"))["AlarmNames"] == ["bert-classifier-from-zero"]


def test_burstable_instances_are_changed_by_a_whole_command(aws, launch, served):
    """The one that the remedy names changes this endpoint: model and image are in it, and without them it is none."""
    served("--instance-type=ml.t2.medium")
    ended = launch("scale", "--max=2", "--metric=cpu")
    assert ended.code == 2
    assert (
        "make deploy ENDPOINT=bert-classifier MODEL_DATA=… INSTANCE_TYPE=ml.m5.large (or JOB=…" in ended.err
    )
    change = ("deploy", "--endpoint=bert-classifier", "--instance-type=ml.m5.large", "--dry-run")
    model, image = (next(word for word in WITH_MODEL if name in word) for name in ("model-data", "image-tag"))
    assert launch(*change, image).code == 2
    assert launch(*change, model, image).code == 0


def test_off_and_a_fixed_number_end_it(aws, launch, served):
    """OFF leaves the instances; MIN=MAX has that many."""
    served()
    assert launch("scale", "--max=4", "--target=100").code == 0
    assert "no autoscaling" in launch("scale", "--off").out
    assert only(aws.requests("DeregisterScalableTarget")) == RESOURCE
    with aws.answering(UpdateEndpointWeightsAndCapacities=Answer.json({"EndpointArn": "arn"})) as here:
        assert launch("scale", "--min=3", "--max=3", here=here).code == 0
    assert only(aws.requests("UpdateEndpointWeightsAndCapacities")) == {
        "EndpointName": "bert-classifier",
        "DesiredWeightsAndCapacities": [{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}],
    }
    assert len(aws.requests("RegisterScalableTarget")) == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("--min=0", "--max=2", "--target=1"),
            "answers at once, so it cannot scale to 0 instances. Give MIN=1",
        ),
        (("--target=100",), "MAX is not set. Give the most instances"),
        (("--min=5", "--max=2"), "MIN=5 is above MAX=2."),
        (("--max=2",), "TARGET is not set: the invocations per instance and minute to aim at. Take 60 %"),
        (("--max=2", "--metric=gpu"), "ml.m5.xlarge has no GPU."),
        (("--max=2", "--metric=backlog"), "METRIC=backlog is for MODE=async"),
        (("--max=2", "--metric=cpu", "--target=150"), "TARGET=150 is more than 100 % of an instance."),
    ],
)
def test_what_cannot_be_is_one_sentence(aws, launch, served, arguments, expected):
    """And nothing is registered."""
    served()
    ended = launch("scale", *arguments)
    assert ended.code == 2
    assert expected in " ".join(ended.err.split())
    assert not aws.requests("RegisterScalableTarget")


def test_other_endpoints_are_left_to_what_scales_them(aws, launch, served):
    """None, a serverless one, one that changes just now, and one that another tool scales."""
    ended = launch("scale", "--max=2")
    assert (ended.code, "There is no endpoint bert-classifier in us-east-1." in ended.err) == (2, True)
    served("--mode=serverless", "--endpoint=small")
    ended = launch("scale", "--endpoint=small", "--max=2")
    assert (ended.code, "scales by itself, up to 5 requests at a time" in ended.err) == (2, True)
    assert (
        "make deploy ENDPOINT=small MODEL_DATA=… MAX_CONCURRENCY=… (or JOB=…: the model is named" in ended.err
    )
    config = served()
    with aws.answering(DescribeEndpoint=described("Updating", config)) as here:
        ended = launch("scale", "--max=2", "--target=5", here=here)
    assert (ended.code, "The endpoint bert-classifier is Updating. Wait" in ended.err) == (2, True)
    client = aws.client("application-autoscaling")
    client.register_scalable_target(**RESOURCE, MinCapacity=1, MaxCapacity=2)
    client.put_scaling_policy(
        **RESOURCE, PolicyName="theirs", PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 1.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        },
    )  # fmt: skip
    ended = launch("scale", "--max=3", "--target=5")
    assert (ended.code, "is scaled by theirs, which make scale has not made" in ended.err) == (2, True)
    assert "not made by make scale: theirs" in launch("scale").out


@pytest.mark.parametrize(
    ("operation", "code", "exit_code", "expected"),
    [
        ("RegisterScalableTarget", "ThrottlingException", 3, "AWS did not answer RegisterScalableTarget"),
        ("PutScalingPolicy", "ValidationException", 2, "AWS refused PutScalingPolicy"),
        ("PutScalingPolicy", "ExpiredTokenException", 2, "The AWS credentials have expired."),
        ("PutMetricAlarm", "AccessDeniedException", 2, "You may not call PutMetricAlarm"),
    ],
)
def test_a_request_that_fails_leaves_no_half_of_it(aws, launch, served, operation, code, exit_code, expected):
    """The endpoint has no autoscaling, as before: instances that nothing ends would cost money."""
    served("--mode=async", "--s3-prefix=s3://a-bucket/mine")
    with aws.answering(**{operation: Answer.refusal(code)}) as here:
        ended = launch("scale", "--min=0", "--max=3", here=here)
    assert (ended.code, expected in ended.err) == (exit_code, True), ended.err
    client = aws.client("application-autoscaling")
    assert client.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []
    assert aws.client("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_a_change_that_fails_restores_what_there_was(aws, launch, served):
    """With its limits and its target."""
    served()
    assert launch("scale", "--max=4", "--target=100").code == 0
    refusals = [Answer.refusal("ValidationException"), lambda request: None]
    with aws.answering(PutScalingPolicy=refusals) as here:
        ended = launch("scale", "--max=9", "--target=200", here=here)
    assert (ended.code, "the autoscaling is as it was" in ended.err) == (2, True), ended.err
    assert "1 to 4 × ml.m5.xlarge" in launch("scale").out
    assert (
        aws.requests("PutScalingPolicy")[-1]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 100
    )


def test_a_dry_run_shows_the_requests_and_sends_none(aws, launch, served):
    """All that change something."""
    served()
    ended = launch("scale", "--max=4", "--target=100", "--dry-run")
    assert ended.code == 0, ended.err
    assert '"RegisterScalableTarget"' in ended.out
    assert '"PutScalingPolicy"' in ended.out
    assert not aws.requests("RegisterScalableTarget")


@pytest.mark.parametrize(
    ("busy", "expected"),
    [
        (140.0, "900 invocations at 35% load, p99 40 ms: METRIC=invocations TARGET=1542 would aim at 60%"),
        (20.0, "at 5% load, p99 40 ms: too little to tell a target"),
    ],
)  # fmt: skip
def test_the_target_follows_from_the_busiest_minute(aws, launch, served, busy, expected):
    """Invocations by the busy share of four CPUs, whose sum CloudWatch has; the busiest minute, not the latest."""
    served()
    minutes = [1_790_000_000, 1_790_000_060]
    values = {"invocations": [900.0, 100.0], "p99": [40_000.0, 9000.0], "busy": [busy, 300.0]}
    results = [{"Id": name, "Timestamps": minutes, "Values": found} for name, found in values.items()]
    load = Answer.json({"MetricDataResults": results})
    with aws.answering(GetMetricData=load) as here:
        shown = launch("scale", here=here)
        refused = launch("scale", "--max=4", here=here)
    assert (shown.code, expected in shown.out) == (0, True), shown.out
    assert (refused.code, expected in refused.err) == (2, True), refused.err
    queries = {
        query["Id"]: query["MetricStat"] for query in aws.requests("GetMetricData")[0]["MetricDataQueries"]
    }
    assert (queries["busy"]["Metric"]["MetricName"], queries["p99"]["Stat"]) == ("CPUUtilization", "p99")
    denied = Answer.refusal("AccessDeniedException")
    with aws.answering(GetMetricData=denied) as here:
        ended = launch("scale", here=here)
    assert (ended.code, "its load could not be read: You may not call GetMetricData" in ended.err) == (
        0,
        True,
    )
