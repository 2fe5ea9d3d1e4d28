"""`scale` and `deploy` keep the autoscaling that there is: of other tools, set by hand, and where a request fails."""

import pytest

from support.aws_stand_in import Answer
from support.hosting import WITH_MODEL, updating

KEY = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/bert-classifier/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
TRACKING = "TargetTrackingScalingPolicyConfiguration"


def test_a_fixed_number_that_fails_leaves_autoscaling(aws, launch, served):
    """It has ended by then, and comes back."""
    served()
    assert launch("scale", "--max=4", "--target=100").code == 0
    refusal = Answer.refusal("ResourceLimitExceeded")
    with aws.answering(UpdateEndpointWeightsAndCapacities=refusal) as here:
        ended = launch("scale", "--min=3", "--max=3", here=here)
    assert (ended.code, "the autoscaling is as it was" in ended.err) == (2, True), ended.err
    assert "1 to 4 × ml.m5.xlarge" in launch("scale").out
    assert aws.requests("DeregisterScalableTarget")


def test_limits_without_a_policy_come_back_too(aws, launch, served):
    """Somebody has registered them; `scale` did not."""
    served()
    client = aws.client("application-autoscaling")
    client.register_scalable_target(**KEY, MinCapacity=1, MaxCapacity=7)
    with aws.answering(PutScalingPolicy=Answer.refusal("ValidationException")) as here:
        assert launch("scale", "--max=4", "--target=100", here=here).code == 2
    (target,) = client.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 7)


def test_a_fixed_number_does_not_end_what_another_tool_scales(aws, launch, served):
    """Only OFF=true does."""
    served()
    client = aws.client("application-autoscaling")
    client.register_scalable_target(**KEY, MinCapacity=1, MaxCapacity=2)
    policy = {
        "TargetValue": 1.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    }
    client.put_scaling_policy(
        **KEY, PolicyName="theirs", PolicyType="TargetTrackingScaling", **{TRACKING: policy}
    )
    ended = launch("scale", "--min=3", "--max=3")
    assert (ended.code, "is scaled by theirs, which make scale has not made" in ended.err) == (2, True)
    assert not aws.requests("DeregisterScalableTarget")
    ended = launch("scale", "--off")
    assert (ended.code, "with it go theirs" in ended.err) == (0, True), ended.err


@pytest.mark.parametrize("limit", ["--min=4", "--max=1"])
def test_limits_that_meet_by_chance_do_not_end_autoscaling(aws, launch, served, limit):
    """One of them is as it was, so nobody has asked for a fixed number; the remedy's command does."""
    served()
    assert launch("scale", "--max=4", "--metric=cpu").code == 0
    ended = launch("scale", limit)
    count, other = limit[-1], "MAX" if "min" in limit else "MIN"
    assert (ended.code, f"would both be {count} ({other}={count} is registered), which would end" in ended.err) == (
        2, True,
    ), ended.err  # fmt: skip
    assert f"give both: make scale ENDPOINT=bert-classifier MIN={count} MAX={count}." in " ".join(
        ended.err.split()
    )
    assert not aws.requests("DeregisterScalableTarget")
    moved = Answer.json({"EndpointArn": "arn"})
    with aws.answering(UpdateEndpointWeightsAndCapacities=moved) as here:
        assert launch("scale", f"--min={count}", f"--max={count}", here=here).code == 0
    assert aws.requests("DeregisterScalableTarget")


def test_one_limit_alone_sets_no_fixed_number(aws, launch, served):
    """MIN is 1 by default, and a file serves all endpoints: both are named, and no instance goes."""
    served("--instance-count=3")
    ended = launch("scale", "--max=1")
    assert (ended.code, "(MIN=1 is the default), which would set a number of instances" in ended.err) == (
        2,
        True,
    )
    ended = launch("scale", "--min=2", LAUNCHER_MAX="2")
    assert (ended.code, "(MAX=2 is in file or environment)" in ended.err) == (2, True), ended.err
    assert not aws.requests("UpdateEndpointWeightsAndCapacities")


def test_a_fixed_number_takes_no_settings_of_a_policy(aws, launch, served):
    """There is none; a dry run says what would change, not that it does."""
    served()
    fixed = ("scale", "--min=3", "--max=3", "--dry-run")
    ended = launch(*fixed, "--target=5", "--metric=gpu", "--scale-in-cooldown=9")
    for name in ("TARGET", "METRIC", "SCALE_IN_COOLDOWN"):
        assert f"{name} would do nothing: MIN and MAX are 3, a fixed number without autoscaling" in ended.err
    assert ended.code == 2
    ended = launch(*fixed)
    assert (ended.code, "bert-classifier would change from 1 to 3 instances" in ended.err) == (0, True), (
        ended.err
    )
    assert not aws.requests("UpdateEndpointWeightsAndCapacities")


def test_off_takes_no_other_setting(aws, launch, served):
    """One that does nothing is refused, and nothing ends."""
    served()
    assert launch("scale", "--max=4", "--target=100").code == 0
    ended = launch("scale", "--off", "--max=9")
    assert (ended.code, "MAX would do nothing: OFF=true ends autoscaling" in ended.err) == (2, True)
    assert not aws.requests("DeregisterScalableTarget")


@pytest.mark.parametrize("change", ["scale", "deploy"])
def test_what_is_set_by_hand_stays(aws, launch, served, change):
    """Suspended, and never fewer instances: after a change of the limits, and across another instance type."""
    served()
    assert launch("scale", "--max=4", "--metric=cpu").code == 0
    client = aws.client("application-autoscaling")
    client.register_scalable_target(**KEY, SuspendedState={"DynamicScalingInSuspended": True})
    policy = {**aws.requests("PutScalingPolicy")[-1], "PolicyName": "bert-classifier-target-tracking"}
    client.put_scaling_policy(**{**policy, TRACKING: {**policy[TRACKING], "DisableScaleIn": True}})
    if change == "scale":
        ended = launch("scale", "--max=5")
    else:
        with aws.answering(UpdateEndpoint=updating(aws)) as here:
            ended = launch("deploy", *WITH_MODEL, "--instance-type=ml.m5.2xlarge", here=here)
        assert aws.requests("DeregisterScalableTarget")
    assert ended.code == 0, ended.err
    (target,) = client.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert target["SuspendedState"]["DynamicScalingInSuspended"] is True
    (policy,) = client.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert policy[TRACKING]["DisableScaleIn"] is True
