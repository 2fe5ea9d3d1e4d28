"""How an update reaches an endpoint: SageMaker's deployment guardrails, and the alarms of the new version."""

import math
from typing import Any

from launcher.aws import alarms
from launcher.aws.account import Account
from launcher.aws.live_endpoint import LiveEndpoint
from launcher.settings.inference import DeploySettings

LONGEST_S, SHORTEST_S = 28_800, 600  # MaximumExecutionTimeoutInSeconds
_PROVISIONING_S = 1800  # to start instances, of a fleet or of a batch
_TYPES = {"all": "ALL_AT_ONCE", "canary": "CANARY", "linear": "LINEAR"}
IN_PARTS = ("canary", "linear", "rolling")
_LEAST_OF_LINEAR = 10  # percent of the instances; LinearStepSize of TrafficRoutingConfig: 10 to 50


def step_of(settings: DeploySettings) -> int:
    """Return the instances of a step: at least one, at most half of them."""
    count = settings.instance_count
    return max(1, min(math.ceil(count * settings.rollout_step / 100), count // 2))


def is_too_small(settings: DeploySettings) -> bool:
    """Return whether SageMaker refuses the step, which it does for linear alone: others may have fewer instances."""
    is_linear = settings.rollout == "linear"
    return is_linear and 100 * step_of(settings) < _LEAST_OF_LINEAR * settings.instance_count


def waits_of(settings: DeploySettings) -> int:
    """Return the seconds that an update waits for alarms and before it ends the former instances."""
    in_steps = math.ceil(settings.instance_count / step_of(settings))
    steps = {"all": 1, "canary": 2}.get(settings.rollout, in_steps)
    last = 0 if settings.rollout == "rolling" else settings.termination_wait
    return steps * settings.rollout_wait + last


def timeout_of(settings: DeploySettings) -> int:
    """Return the seconds after which SageMaker rolls an update back."""
    if settings.rollout_timeout is not None:
        return settings.rollout_timeout
    batches = math.ceil(settings.instance_count / step_of(settings)) if settings.rollout == "rolling" else 1
    return min(max(waits_of(settings) + batches * _PROVISIONING_S, SHORTEST_S), LONGEST_S)


def deployment_config(settings: DeploySettings) -> dict[str, Any]:
    """Return the request's DeploymentConfig; the number of instances is that of the settings."""
    names = settings.alarm or tuple(alarms.rollout_names(settings.endpoint).values())
    size = {"Type": "INSTANCE_COUNT", "Value": step_of(settings)}
    wait = {"WaitIntervalInSeconds": settings.rollout_wait}
    timeout = {"MaximumExecutionTimeoutInSeconds": timeout_of(settings)}
    rollback = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in names]}}
    if settings.rollout == "rolling":
        return {"RollingUpdatePolicy": {"MaximumBatchSize": size, **wait, **timeout}, **rollback}
    part = {"canary": {"CanarySize": size}, "linear": {"LinearStepSize": size}}.get(settings.rollout, {})
    routing = {"Type": _TYPES[settings.rollout], **wait, **part}
    policy = {
        "TrafficRoutingConfiguration": routing,
        "TerminationWaitInSeconds": settings.termination_wait,
        **timeout,
    }
    return {"BlueGreenUpdatePolicy": policy, **rollback}


def alarm_requests(
    account: Account, settings: DeploySettings, live: LiveEndpoint, config: str
) -> list[dict[str, Any]]:
    """Return the requests of the alarms of the next version: of its own requests only, by its configuration.

    An update that is rolled out as the last one renews those that the last one has made, with their thresholds.

    Args:
        config: name of the next configuration.
    Raises:
        UserError: when there is an alarm by one of their names that the launcher has not made.
    """
    names = alarms.rollout_names(settings.endpoint)
    last = (
        live.endpoint.get("LastDeploymentConfig", {}).get("AutoRollbackConfiguration", {}).get("Alarms", ())
    )
    own = {alarm["AlarmName"] for alarm in last} & set(names.values())
    wanted = not settings.alarm if settings.rollout != "keep" else bool(own)
    if not wanted:
        return []
    now = alarms.changeable(account, settings.endpoint, names.values())
    share, latency = settings.max_errors, settings.max_p99
    if "max_errors" not in settings.given:
        share = now.get(names["5xx"], {}).get("Threshold", share)
    if "max_p99" not in settings.given and names["p99"] in now:
        latency = alarms.milliseconds_of(now[names["p99"]])
    where = {
        "EndpointName": settings.endpoint,
        "VariantName": live.variant["VariantName"],
        "EndpointConfigName": config,
    }
    return [alarms.errors(names["5xx"], where, share), alarms.latency(names["p99"], where, latency)]


def longest_wait(settings: DeploySettings, live: LiveEndpoint | None) -> int:
    """Return the seconds that the roll-out may add to an update."""
    if settings.rollout != "keep":
        return timeout_of(settings)
    last = (live.endpoint.get("LastDeploymentConfig") or {}) if live else {}
    policy = last.get("BlueGreenUpdatePolicy") or last.get("RollingUpdatePolicy") or {}
    return int(policy.get("MaximumExecutionTimeoutInSeconds", LONGEST_S if policy else 0))
