"""`watch`: alarms on an endpoint's errors, latency and abstentions."""

import contextlib
from typing import Any

from bert_classifier.errors import UserError
from launcher import interrupts
from launcher.aws import alarms, endpoint
from launcher.aws.account import Account
from launcher.aws.dry_run import HeldRequests
from launcher.aws.errors import AWS_ERRORS, explain
from launcher.command import Command, say
from launcher.settings.watching import WatchSettings


def run(settings: WatchSettings, account: Account) -> int:
    """Make or change the alarms, print their states; return 0.

    Raises:
        UserError: when there is no such endpoint, or its container's metrics are off and an alarm needs them.
    """
    held = HeldRequests(account.session) if settings.dry_run else None
    found = endpoint.find(account, settings.endpoint)
    if found is None:
        raise UserError(
            f"There is no endpoint {settings.endpoint} in {account.region}.", "Correct ENDPOINT or REGION."
        )
    names = alarms.names_of(settings.endpoint)
    if settings.off:
        say(_removed(alarms.remove(account, names.values())))
    else:
        config = account.client("sagemaker").describe_endpoint_config(
            EndpointConfigName=found["EndpointConfigName"]
        )
        requests = requests_of(settings, config)
        _make(account, requests)
    if held is not None:
        print(held)
        return 0
    for name, state in alarms.states(account, names.values()).items():
        print(f"{name}: {state}")
    return 0


def _make(account: Account, requests: list[dict[str, Any]]) -> None:
    """Make the alarms; if not all of them can be made, none of the new ones stays."""
    with contextlib.ExitStack() as undo, interrupts.held() as typed:
        there = alarms.states(account, [request["AlarmName"] for request in requests])
        for request in requests:
            typed.stop_here()
            if request["AlarmName"] not in there:
                undo.callback(alarms.remove, account, [request["AlarmName"]])
            alarms.put(account, request)
        typed.stop_here()
        undo.pop_all()


def requests_of(settings: WatchSettings, config: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the requests of the alarms.

    Args:
        config: SageMaker's description of the endpoint's configuration.
    """
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
            f"Switch them on: make deploy ENDPOINT={settings.endpoint} METRICS=container.",
        )  # fmt: skip
    return [
        *requests,
        alarms.abstentions(names["abstained"], settings.endpoint, settings.max_abstained, topics),
    ]


def remove(account: Account, name: str) -> None:
    """Remove all alarms that the launcher has made for an endpoint that is gone; say why if that fails."""
    try:
        removed = alarms.remove(account, alarms.all_names(name))
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
