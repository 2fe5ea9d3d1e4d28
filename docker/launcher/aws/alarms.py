"""Alarms in CloudWatch: of an endpoint, of the version that an update brings, and of waiting requests."""

from collections.abc import Iterable, Mapping
from typing import Any

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.settings.own_tag import KEY, has_own, with_own

_NAMESPACE = "AWS/SageMaker"
_MICROSECONDS = 1000  # per millisecond: the unit of ModelLatency
_MINUTES, _OF_MINUTES = 2, 3  # bad ones, of the last ones
_WINDOW, _FEWEST = "15m", 20  # for abstentions: texts in this time below which a share says nothing
WATCHED = ("5xx", "p99", "abstained")
_KEPT = ("Period", "EvaluationPeriods", "DatapointsToAlarm", "TreatMissingData")
_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")


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


def tuned(request: Mapping[str, Any], now: Mapping[str, Any], *, keeps_topics: bool) -> dict[str, Any]:
    """Return the request of an alarm with what somebody has tuned at the present one, threshold apart.

    Args:
        now: the present one, as CloudWatch describes it; empty for a new one.
    """
    names = [name for name in _KEPT if name in request] + [
        *(_ACTIONS if keeps_topics else ()),
        "ActionsEnabled",
    ]
    return {**request, **{name: now[name] for name in names if now.get(name) not in (None, "", [])}}


def milliseconds_of(alarm: Mapping[str, Any]) -> int:
    """Return the latency above which an alarm of `latency` is raised."""
    return round(float(alarm["Threshold"]) / _MICROSECONDS)


def share_of_abstentions(alarm: Mapping[str, Any]) -> float | None:
    """Return the share above which an alarm of `abstentions` is raised; None where it cannot be read."""
    query = alarm.get("EvaluationCriteria", {}).get("PromQLCriteria", {}).get("Query", "")
    try:
        return float(query.rpartition(" > ")[2])
    except ValueError:
        return None


def states(account: Account, names: Iterable[str]) -> dict[str, str]:
    """Return the state of each alarm that there is: OK, ALARM or INSUFFICIENT_DATA."""
    return {alarm["AlarmName"]: alarm["StateValue"] for alarm in _described(account, names)}


def _described(account: Account, names: Iterable[str]) -> list[dict[str, Any]]:
    wanted = list(names)
    if not wanted:
        return []
    found = account.client("cloudwatch").describe_alarms(
        AlarmNames=wanted, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    return [*found.get("MetricAlarms", ()), *found.get("CompositeAlarms", ())]


def own(account: Account, endpoint: str, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return those alarms that the launcher has made for the endpoint, as CloudWatch describes them, by name."""
    found = {alarm["AlarmName"]: alarm for alarm in _described(account, names)}
    return {name: alarm for name, alarm in found.items() if not _foreign(account, endpoint, alarm)}


def changeable(account: Account, endpoint: str, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what `own` does, where the launcher may make or change all of these alarms.

    Raises:
        UserError: when one of them is somebody else's, or another endpoint's.
    """
    found = _described(account, names)
    for alarm in found:
        reason = _foreign(account, endpoint, alarm)
        if reason:
            raise UserError(
                f"There is an alarm {alarm['AlarmName']} already, {reason}.",
                "Delete it if nobody needs it, or make it anew by another name.",
            )
    return {alarm["AlarmName"]: alarm for alarm in found}


def _foreign(account: Account, endpoint: str, alarm: Mapping[str, Any]) -> str:
    """Return why an alarm is not the launcher's for this endpoint; "" for its own.

    The endpoint `x-rollout` has alarms by the same names as the roll-outs of `x`.
    """
    tags = account.client("cloudwatch").list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
    if not has_own(tags):
        return f"which the launcher has not made: it has no tag {KEY}"
    dimensions = {one["Name"]: one["Value"] for one in alarm.get("Dimensions", ())}
    watched = dimensions.get("EndpointName", endpoint)
    return "" if watched == endpoint else f"which watches the endpoint {watched}"


def remove(account: Account, endpoint: str, names: Iterable[str]) -> list[str]:
    """Delete those alarms that the launcher has made for the endpoint; return their names."""
    there = list(own(account, endpoint, names))
    if there:
        account.client("cloudwatch").delete_alarms(AlarmNames=there)
    return there
