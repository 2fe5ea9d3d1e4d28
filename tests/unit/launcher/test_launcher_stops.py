"""Ctrl-C at each request of `scale`, `watch` and a roll-out: nothing half made stays, and the exit code is 130."""

import os
import signal
from typing import Any

import pytest

from launcher.main import INTERRUPTED
from support.aws_stand_in import Answer
from support.hosting import WITH_MODEL, left

ASYNCHRONOUS = ("--mode=async", "--s3-prefix=s3://a-bucket/mine")


def typing(aws: Any, operation: str, reply: Answer | None = None) -> Any:
    """Return a context in which Ctrl-C is typed while an operation is under way."""

    def interrupt(_: dict[str, Any]) -> Answer | None:
        os.kill(os.getpid(), signal.SIGINT)
        return reply

    return aws.answering(**{operation: interrupt})


def alarms_of(aws: Any) -> list[str]:
    """Return the names of all alarms."""
    return [alarm["AlarmName"] for alarm in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]]


@pytest.mark.parametrize("operation", ["RegisterScalableTarget", "PutScalingPolicy", "PutMetricAlarm"])
def test_autoscaling_is_whole_or_not_there(aws, launch, served, operation):
    """It was not there before, so it is not there after."""
    served(*ASYNCHRONOUS)
    with typing(aws, operation) as here:
        ended = launch("scale", "--min=0", "--max=3", here=here)
    assert (ended.code, "the endpoint has no autoscaling, as before" in ended.err) == (INTERRUPTED, True), (
        ended.err
    )
    scaled = aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    assert (scaled["ScalableTargets"], alarms_of(aws)) == ([], [])


def test_alarms_are_all_made_or_none(aws, launch, served):
    """Each costs money; one that was there stays."""
    served()
    with typing(aws, "PutMetricAlarm") as here:
        assert launch("watch", here=here).code == INTERRUPTED
    assert alarms_of(aws) == []
    assert launch("watch").code == 0
    with typing(aws, "PutMetricAlarm") as here:
        assert launch("watch", "--max-p99=5", here=here).code == INTERRUPTED
    assert sorted(alarms_of(aws)) == ["bert-classifier-5xx", "bert-classifier-p99"]


@pytest.mark.parametrize("operation", ["CreateModel", "CreateEndpointConfig", "PutMetricAlarm"])
def test_a_roll_out_that_is_stopped_before_the_update_leaves_nothing(aws, launch, served, operation):
    """Neither model nor configuration nor alarms of the new version."""
    served()
    with typing(aws, operation) as here:
        ended = launch("deploy", *WITH_MODEL, "--rollout=all", here=here)
    assert ended.code == INTERRUPTED, ended.err
    assert (left(aws), alarms_of(aws)) == ((1, 1, 1), [])
    assert not aws.requests("UpdateEndpoint")


def test_a_roll_out_that_has_begun_goes_on(aws, launch, served):
    """SageMaker has accepted it: its parts and alarms stay, and the message says so."""
    served()
    with typing(aws, "UpdateEndpoint", Answer.json({"EndpointArn": "arn"})) as here:
        ended = launch("deploy", *WITH_MODEL, "--rollout=all", here=here)
    assert (ended.code, "It continues without you." in ended.err) == (INTERRUPTED, True), ended.err
    assert left(aws) == (1, 2, 2)
    assert sorted(alarms_of(aws)) == ["bert-classifier-rollout-5xx", "bert-classifier-rollout-p99"]
