"""`watch`: alarms on an endpoint's errors, latency and abstentions."""

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from bert_classifier.errors import UserError
from launcher import interrupts
from launcher.aws import alarms, endpoint
from launcher.aws.account import Account
from launcher.aws.dry_run import HeldRequests
from launcher.aws.errors import AWS_ERRORS, explain
from launcher.checks.unused import check_unused
from launcher.command import Command, say
from launcher.findings import refuse_failures
from launcher.settings.watching import WatchSettings

_CHANGES = ("max_errors", "max_p99", "max_abstained", "notify")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def run(settings: WatchSettings, account: Account) -> int:
    """Make the alarms, change what is given of those that there are, print their states; return 0.

    Raises:
        UserError: when there is no such endpoint, its container's metrics are off and an alarm needs them, or an
            alarm by such a name is somebody else's.
    """
    if settings.off:
        refuse_failures(list(check_unused(settings, dict.fromkeys(_CHANGES, "OFF=true removes the alarms"))))
    held = HeldRequests(account.session) if settings.dry_run else None
    found = endpoint.find(account, settings.endpoint)
    if found is None:
        raise UserError(
            f"There is no endpoint {settings.endpoint} in {account.region}.", "Correct ENDPOINT or REGION."
        )
    names = alarms.names_of(settings.endpoint)
    if settings.off:
        say(_removed(alarms.remove(account, settings.endpoint, names.values())))
    else:
        _change(settings, account, found)
    if held is not None:
        print(held)
        return 0
    for name, alarm in alarms.own(account, settings.endpoint, names.values()).items():
        print(f"{name}: {alarm['StateValue']}")
    return 0


def _refuse_other_regions(topics: Iterable[str], region: str) -> None:
    """Raise for topics that CloudWatch refuses: PutMetricAlarm takes those of the alarm's region alone.

    Args:
        topics: by their ARNs.
    """
    for topic in topics:
        there = topic.split(":")[3]
        if there != region:
            raise UserError(
                f"NOTIFY has a topic in {there}, and CloudWatch's alarms in {region} tell topics in {region} alone: "
                f"{topic}.",
                f"Give NOTIFY a topic in {region}, or correct REGION.",
            )


def _change(settings: WatchSettings, account: Account, found: Mapping[str, Any]) -> None:
    """Make or change the alarms; those that there are stay as they are when nothing is typed."""
    now = alarms.changeable(account, settings.endpoint, alarms.names_of(settings.endpoint).values())
    if now and not settings.typed & set(_CHANGES):
        return
    _refuse_other_regions(settings.notify, account.region)
    config = account.client("sagemaker").describe_endpoint_config(
        EndpointConfigName=found["EndpointConfigName"]
    )
    _make(account, settings.endpoint, requests_of(settings, config, now), now)


def _make(
    account: Account, name: str, requests: list[dict[str, Any]], there: Mapping[str, Mapping[str, Any]]
) -> None:
    """Make the alarms; if not all of them can be made, none of the new ones stays."""
    with contextlib.ExitStack() as undo, interrupts.held() as typed:
        for request in requests:
            typed.stop_here()
            if request["AlarmName"] not in there:
                undo.callback(alarms.remove, account, name, [request["AlarmName"]])
            alarms.put(account, request)
        typed.stop_here()
        undo.pop_all()


def requests_of(
    settings: WatchSettings, config: dict[str, Any], now: Mapping[str, Mapping[str, Any]] = _NOTHING
) -> list[dict[str, Any]]:
    """Return the requests of the alarms: what is not given is as at the present ones.

    Args:
        config: SageMaker's description of the endpoint's configuration.
        now: the present alarms, by name.
    """
    requests = _anew(_with_present(settings, now), config)
    keeps_topics = "notify" not in settings.given
    return [
        alarms.tuned(request, now.get(request["AlarmName"], _NOTHING), keeps_topics=keeps_topics)
        for request in requests
    ]


def _with_present(settings: WatchSettings, now: Mapping[str, Mapping[str, Any]]) -> WatchSettings:
    """Return the settings with the values of the present alarms where none is given."""
    names = alarms.names_of(settings.endpoint)
    kept: dict[str, Any] = {
        "max_errors": now.get(names["5xx"], _NOTHING).get("Threshold"),
        "max_p99": alarms.milliseconds_of(now[names["p99"]]) if names["p99"] in now else None,
        "max_abstained": alarms.share_of_abstentions(now.get(names["abstained"], _NOTHING)),
        "notify": next((tuple(a["AlarmActions"]) for a in now.values() if a.get("AlarmActions")), None),
    }
    new = {name: value for name, value in kept.items() if name not in settings.given and value is not None}
    return dataclasses.replace(settings, **new)


def _anew(settings: WatchSettings, config: dict[str, Any]) -> list[dict[str, Any]]:
    names, topics = alarms.names_of(settings.endpoint), settings.notify
    requests = []
    for variant in config["ProductionVariants"][:1]:
        where = {"EndpointName": settings.endpoint, "VariantName": variant["VariantName"]}
        requests = [
            alarms.errors(names["5xx"], where, settings.max_errors, topics),
            alarms.latency(names["p99"], where, settings.max_p99, topics),
        ]
    if settings.max_abstained is None:
        return requests
    metrics = config.get("MetricsConfig") or {}
    is_serverless = "ServerlessConfig" in config["ProductionVariants"][0]
    if is_serverless or metrics.get("EnableDetailedObservability") is False:
        cause = "A serverless endpoint" if is_serverless else f"The endpoint {settings.endpoint}"
        raise UserError(
            f"{cause} does not publish the metrics of its container, which count abstentions.",
            "Leave MAX_ABSTAINED out." if is_serverless else
            f"Switch them on: {endpoint.update_command(settings.endpoint, 'METRICS=container')}.",
        )  # fmt: skip
    return [
        *requests,
        alarms.abstentions(names["abstained"], settings.endpoint, settings.max_abstained, topics),
    ]


def remove(account: Account, name: str) -> None:
    """Remove all alarms that the launcher has made for an endpoint that is gone; say why if that fails."""
    try:
        removed = alarms.remove(account, name, alarms.all_names(name))
    except AWS_ERRORS as error:
        say(f"alarms of {name}, if there are any, stay: {explain(error) or error}")
    else:
        if removed:
            say(_removed(removed))


def _removed(names: list[str]) -> str:
    return f"removed alarms {', '.join(names)}" if names else "there are no alarms of make watch"


COMMANDS = (
    Command(
        "watch",
        "make alarms on an endpoint's errors, latency and abstentions",
        WatchSettings,
        run,
        "endpoint",
    ),
)
