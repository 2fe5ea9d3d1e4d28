"""Autoscaling of an endpoint's variant by Application Auto Scaling: what there is, and the requests that change it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from launcher.aws import alarms
from launcher.aws.account import Account
from launcher.aws.errors import code_of
from launcher.settings.instances import num_cpus, num_gpus

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
_DEFAULT_TARGETS = {"cpu": 60.0, "gpu": 60.0, "backlog": 5.0}
_TRACKING = "TargetTrackingScalingPolicyConfiguration"
_PREDEFINED = {
    "invocations": "SageMakerVariantInvocationsPerInstance",
    "concurrency": "SageMakerVariantConcurrentRequestsPerModelHighResolution",
}
_IN_CLOUDWATCH = {
    "cpu": "CPUUtilization",
    "gpu": "GPUUtilization",
    "backlog": "ApproximateBacklogSizePerInstance",
}
UNITS = {
    "invocations": "invocations per instance and minute",
    "concurrency": "requests under way per instance",
    "cpu": "% of an instance's CPUs",
    "gpu": "% of an instance's GPUs",
    "backlog": "waiting requests per instance",
}


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Autoscaling as it shall be.

    Attributes:
        target: of the metric per instance; cpu and gpu in percent of the whole instance.
        no_scale_in: whether instances are only added, as somebody has set by hand.
        suspended: what of the autoscaling somebody has suspended, as Application Auto Scaling names it.
    """

    least: int
    most: int
    metric: str
    target: float
    scale_out_cooldown: int
    scale_in_cooldown: int
    no_scale_in: bool = False
    suspended: Mapping[str, bool] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Scaling:
    """What is registered for a variant of an endpoint.

    Attributes:
        target: as Application Auto Scaling describes it; None without autoscaling.
        policies: as it describes them.
        schedules: names of scheduled actions.
    """

    endpoint: str
    variant: str
    target: dict[str, Any] | None = None
    policies: tuple[dict[str, Any], ...] = ()
    schedules: tuple[str, ...] = ()

    @property
    def key(self) -> dict[str, str]:
        """What names it in every request."""
        resource = f"endpoint/{self.endpoint}/variant/{self.variant}"
        return {"ServiceNamespace": "sagemaker", "ResourceId": resource, "ScalableDimension": DIMENSION}

    @property
    def tracking_name(self) -> str:
        """The name of the policy that `scale` makes."""
        return f"{self.endpoint}-target-tracking"

    @property
    def from_zero_name(self) -> str:
        """The name of the policy that starts the first instance, and of its alarm."""
        return f"{self.endpoint}-from-zero"

    @property
    def foreign(self) -> list[str]:
        """Names of policies and scheduled actions that `scale` has not made."""
        own = [self.from_zero_name, *([self.tracking_name] if self.tracking else [])]
        return [*(p["PolicyName"] for p in self.policies if p["PolicyName"] not in own), *self.schedules]

    @property
    def tracking(self) -> dict[str, Any] | None:
        """The policy that `scale` has made; None where somebody has changed its metric."""
        named = [policy for policy in self.policies if policy["PolicyName"] == self.tracking_name]
        return next((policy for policy in named if _metric_of(policy[_TRACKING])), None)

    @property
    def is_from_zero(self) -> bool:
        """Whether a policy starts the first instance."""
        return any(policy["PolicyName"] == self.from_zero_name for policy in self.policies)

    def wanted(self, instance_type: str) -> Wanted | None:
        """Return what `scale` has been asked for; None where it has not made this."""
        if self.target is None or self.tracking is None:
            return None
        policy = self.tracking[_TRACKING]
        metric = _metric_of(policy)
        return Wanted(
            self.target["MinCapacity"],
            self.target["MaxCapacity"],
            metric,
            policy["TargetValue"] / _units_of(metric, instance_type),
            policy.get("ScaleOutCooldown", 300),
            policy.get("ScaleInCooldown", 300),
            bool(policy.get("DisableScaleIn")),
            {name: True for name, value in self.target.get("SuspendedState", {}).items() if value},
        )


def describe(account: Account, endpoint: str, variant: str) -> Scaling:
    """Return what is registered for a variant."""
    client, empty = account.client("application-autoscaling"), Scaling(endpoint, variant)
    key = {name: value for name, value in empty.key.items() if name != "ResourceId"}
    targets = client.describe_scalable_targets(**key, ResourceIds=[empty.key["ResourceId"]])[
        "ScalableTargets"
    ]
    if not targets:
        return empty
    policies = client.describe_scaling_policies(**empty.key)["ScalingPolicies"]
    actions = client.describe_scheduled_actions(**empty.key)["ScheduledActions"]
    schedules = tuple(action["ScheduledActionName"] for action in actions)
    return Scaling(endpoint, variant, targets[0], tuple(policies), schedules)


def default_target(metric: str) -> float | None:
    """Return the target of a metric that needs no measurement; None where only a measurement can tell."""
    return _DEFAULT_TARGETS.get(metric)


def _metric_of(policy: dict[str, Any]) -> str:
    """Return the metric of a policy, as the setting names it; "" for another one."""
    names = {name: metric for metric, name in {**_PREDEFINED, **_IN_CLOUDWATCH}.items()}
    predefined = policy.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
    return names.get(predefined or policy.get("CustomizedMetricSpecification", {}).get("MetricName", ""), "")


def _units_of(metric: str, instance_type: str) -> int:
    """Return what SageMaker counts as 100 %: one CPU or one GPU, not the instance."""
    return {"cpu": num_cpus, "gpu": num_gpus}[metric](instance_type) if metric in ("cpu", "gpu") else 1


def target_request(scaling: Scaling, wanted: Wanted) -> dict[str, Any]:
    """Return the request that registers the variant."""
    suspended = {"SuspendedState": dict(wanted.suspended)} if wanted.suspended else {}
    return {**scaling.key, "MinCapacity": wanted.least, "MaxCapacity": wanted.most, **suspended}


def policy_request(scaling: Scaling, wanted: Wanted, instance_type: str) -> dict[str, Any]:
    """Return the request of the policy that aims at the target."""
    configuration = {
        "TargetValue": wanted.target * _units_of(wanted.metric, instance_type),
        **_specification(scaling, wanted.metric),
        "ScaleOutCooldown": wanted.scale_out_cooldown,
        "ScaleInCooldown": wanted.scale_in_cooldown,
        **({"DisableScaleIn": True} if wanted.no_scale_in else {}),
    }
    return {
        "PolicyName": scaling.tracking_name,
        **scaling.key,
        "PolicyType": "TargetTrackingScaling",
        _TRACKING: configuration,
    }


def _specification(scaling: Scaling, metric: str) -> dict[str, Any]:
    if metric in _PREDEFINED:
        return {"PredefinedMetricSpecification": {"PredefinedMetricType": _PREDEFINED[metric]}}
    dimensions = [{"Name": "EndpointName", "Value": scaling.endpoint}]
    if metric != "backlog":
        dimensions.append({"Name": "VariantName", "Value": scaling.variant})
    namespace = "AWS/SageMaker" if metric == "backlog" else "/aws/sagemaker/Endpoints"
    specification = {
        "MetricName": _IN_CLOUDWATCH[metric],
        "Namespace": namespace,
        "Dimensions": dimensions,
        "Statistic": "Average",
    }
    return {"CustomizedMetricSpecification": specification}


def from_zero_request(scaling: Scaling) -> dict[str, Any]:
    """Return the request of the policy that starts an instance where requests wait and there is none.

    The backlog per instance says nothing without instances: SageMaker Developer Guide, "Autoscale an asynchronous
    endpoint".
    """
    step = {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}
    return {
        "PolicyName": scaling.from_zero_name,
        **scaling.key,
        "PolicyType": "StepScaling",
        "StepScalingPolicyConfiguration": {
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [step],
            "Cooldown": 300,
            "MetricAggregationType": "Average",
        },
    }


def put(account: Account, scaling: Scaling, wanted: Wanted, instance_type: str) -> None:
    """Register the variant and put its policies; with the least of 0 also the one that starts the first instance.

    Raises:
        UserError: when there is an alarm by the name of its own that the launcher has not made.
    """
    if wanted.least == 0 and not scaling.is_from_zero:
        alarms.changeable(account, scaling.endpoint, [scaling.from_zero_name])
    client = account.client("application-autoscaling")
    client.register_scalable_target(**target_request(scaling, wanted))
    client.put_scaling_policy(**policy_request(scaling, wanted, instance_type))
    if wanted.least == 0:
        policy = client.put_scaling_policy(**from_zero_request(scaling))
        alarms.put(
            account, alarms.backlog(scaling.endpoint, scaling.from_zero_name, policy.get("PolicyARN", ""))
        )
    elif scaling.is_from_zero:
        client.delete_scaling_policy(PolicyName=scaling.from_zero_name, **scaling.key)
        alarms.remove(account, scaling.endpoint, [scaling.from_zero_name])


def restore(account: Account, former: Scaling, instance_type: str) -> None:
    """Register what was registered before, or nothing."""
    wanted, target = former.wanted(instance_type), former.target
    if wanted:
        put(account, former, wanted, instance_type)
    elif target:
        names = ("MinCapacity", "MaxCapacity", "SuspendedState")
        kept = {name: target[name] for name in names if target.get(name) is not None}
        account.client("application-autoscaling").register_scalable_target(**former.key, **kept)
    else:
        remove(account, former)
        alarms.remove(account, former.endpoint, [former.from_zero_name])


def remove(account: Account, scaling: Scaling) -> None:
    """End autoscaling: its policies go along with what is registered, the alarm of the first instance after them."""
    try:
        account.client("application-autoscaling").deregister_scalable_target(**scaling.key)
    except ClientError as error:
        if code_of(error) != "ObjectNotFoundException":  # it has gone along with its endpoint
            raise
    if scaling.is_from_zero:
        alarms.remove(account, scaling.endpoint, [scaling.from_zero_name])
