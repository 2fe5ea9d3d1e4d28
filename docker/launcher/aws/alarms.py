"""Alarms in CloudWatch: of an endpoint, of the version that an update brings, and of waiting requests."""

from collections.abc import Iterable, Mapping
from typing import Any

from launcher.aws.account import Account
from launcher.settings.own_tag import with_own

_NAMESPACE = "AWS/SageMaker"
_MICROSECONDS = 1000  # per millisecond: the unit of ModelLatency
_MINUTES, _OF_MINUTES = 2, 3  # bad ones, of the last ones
_WINDOW, _FEWEST = "15m", 20  # for abstentions: texts in this time below which a share says nothing
WATCHED = ("5xx", "p99", "abstained")


def names_of(endpoint: str) -> dict[str, str]:
    """Return the names of the alarms of `watch`, by what they watch."""
    return {kind: f"{endpoint}-{kind}" for kind in WATCHED}


def rollout_names(endpoint: str) -> dict[str, str]:
    """Return the names of the alarms of an endpoint's next version, by what they watch."""
    return {kind: f"{endpoint}-rollout-{kind}" for kind in WATCHED[:2]}


def all_names(endpoint: str) -> list[str]:
    """Return the names of all alarms that the launcher makes for an endpoint."""
    return [*names_of(endpoint).values(), *rollout_names(endpoint).values(), f"{endpoint}-from-zero"]


def errors(name: str, where: Mapping[str, str], share: float, topics: Iterable[str] = ()) -> dict[str, Any]:
    """Return the request of an alarm on the share of requests answered with 5xx: SageMaker counts 0 or 1 for each.

    Args:
        where: dimensions of the metric.
    """
    text = f"more than {share:.2%} of requests are answered with 5xx"
    return {**_of_variant(name, where, text, topics), "MetricName": "Invocation5XXErrors", "Statistic": "Average",
            "Threshold": share}  # fmt: skip


def latency(
    name: str, where: Mapping[str, str], milliseconds: int, topics: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the request of an alarm on the 99th percentile of the model's latency."""
    text = f"1 % of requests take the model longer than {milliseconds} ms"
    return {**_of_variant(name, where, text, topics), "MetricName": "ModelLatency", "ExtendedStatistic": "p99",
            "Threshold": float(milliseconds * _MICROSECONDS)}  # fmt: skip


def _of_variant(name: str, where: Mapping[str, str], text: str, topics: Iterable[str]) -> dict[str, Any]:
    return {
        **_common(name, text, topics),
        "Namespace": _NAMESPACE,
        "Dimensions": [{"Name": key, "Value": value} for key, value in where.items()],
        "Period": 60,
        "EvaluationPeriods": _OF_MINUTES,
        "DatapointsToAlarm": _MINUTES,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }


def _common(name: str, text: str, topics: Iterable[str]) -> dict[str, Any]:
    actions = list(topics)
    return {
        "AlarmName": name,
        "AlarmDescription": text,
        **({"AlarmActions": actions, "OKActions": actions} if actions else {}),
        "Tags": with_own([]),
    }


def abstentions(name: str, endpoint: str, share: float, topics: Iterable[str] = ()) -> dict[str, Any]:
    """Return the request of an alarm on the share of texts without a label, which the container's /metrics counts.

    Detailed observability publishes them as OpenTelemetry's, which CloudWatch queries with PromQL.
    """
    at = f'"@resource.aws.sagemaker.endpoint.name"="{endpoint}"'
    abstained = f'sum(increase({{"bert_records_total",{at},"outcome"="abstained"}}[{_WINDOW}]))'
    answered = f'sum(increase({{"bert_records_total",{at},"outcome"=~"classified|abstained"}}[{_WINDOW}]))'
    query = f"{abstained} / ({answered} >= {_FEWEST}) > {share:g}"
    return {
        **_common(name, f"more than {share:.2%} of texts get no label", topics),
        "EvaluationCriteria": {
            "PromQLCriteria": {"Query": query, "PendingPeriod": 300, "RecoveryPeriod": 300}
        },
        "EvaluationInterval": 60,
    }


def backlog(endpoint: str, name: str, policy_arn: str) -> dict[str, Any]:
    """Return the request of the alarm that starts the first instance: requests wait, and there is none."""
    return {
        **_common(name, "requests wait, and there is no instance", ()),
        "AlarmActions": [policy_arn],
        "Namespace": _NAMESPACE,
        "MetricName": "HasBacklogWithoutCapacity",
        "Statistic": "Average",
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint}],
        "Period": 60,
        "EvaluationPeriods": 2,
        "DatapointsToAlarm": 2,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "missing",
    }


def put(account: Account, request: Mapping[str, Any]) -> None:
    """Make or change an alarm."""
    account.client("cloudwatch").put_metric_alarm(**request)


def renew(account: Account, requests: Iterable[Mapping[str, Any]], there: Mapping[str, str]) -> None:
    """Make alarms that are not in ALARM, as they would stay if they were only changed.

    Args:
        there: states of those that there are.
    """
    raised = [name for name, state in there.items() if state == "ALARM"]
    if raised:
        account.client("cloudwatch").delete_alarms(AlarmNames=raised)
    for request in requests:
        put(account, request)


def thresholds(account: Account, names: Iterable[str]) -> dict[str, float]:
    """Return the threshold of each of these alarms that there is."""
    found = account.client("cloudwatch").describe_alarms(AlarmNames=list(names))["MetricAlarms"]
    return {alarm["AlarmName"]: float(alarm["Threshold"]) for alarm in found if "Threshold" in alarm}


def states(account: Account, names: Iterable[str]) -> dict[str, str]:
    """Return the state of each alarm that there is: OK, ALARM or INSUFFICIENT_DATA."""
    wanted = list(names)
    if not wanted:
        return {}
    found = account.client("cloudwatch").describe_alarms(
        AlarmNames=wanted, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    alarms = [*found.get("MetricAlarms", ()), *found.get("CompositeAlarms", ())]
    return {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms}


def remove(account: Account, names: Iterable[str]) -> list[str]:
    """Delete those alarms that there are; return their names."""
    there = list(states(account, names))
    if there:
        account.client("cloudwatch").delete_alarms(AlarmNames=there)
    return there
