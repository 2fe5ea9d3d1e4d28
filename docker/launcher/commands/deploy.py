"""`deploy`: serve a trained model at an endpoint, new or existing."""

import contextlib
from collections.abc import Mapping
from typing import Any

from launcher import interrupts
from launcher.aws import alarms, endpoint, endpoint_update, rollout
from launcher.aws.account import Account
from launcher.aws.dry_run import HeldRequests
from launcher.aws.errors import AWS_ERRORS, explain
from launcher.aws.live_endpoint import LiveEndpoint
from launcher.aws.model import delete
from launcher.aws.prices import hourly_price
from launcher.checks.deployment import Deployment, plan
from launcher.command import Command, say
from launcher.commands.last_request import last_request
from launcher.commands.moved_scaling import moved_scaling
from launcher.findings import refuse_failures, say_doubts
from launcher.settings.inference import DeploySettings

_PROVISIONING_S = 1800  # to provision hosts and switch versions, in addition to download and start


def run(settings: DeploySettings, account: Account) -> int:
    """Deploy the model; return 0 once it serves, or with WAIT=false once it is starting.

    Raises:
        ContainerError: when something is wrong; what was created by then is removed again.
    """
    held = HeldRequests(account.session) if settings.dry_run else None
    former = endpoint.find(account, settings.endpoint)
    if former:
        endpoint.refuse_if_busy(former)
    live = LiveEndpoint.of(account, former) if former else None
    deployment, findings = plan(settings, account, live)
    refuse_failures(findings)
    say_doubts(findings)
    if live:
        say(_changes(live, deployment.requests))
    config = former["EndpointConfigName"] if former else ""
    remove_former = endpoint.parts_of(account, settings.endpoint, config) if former else None
    with moved_scaling(account, live, deployment):
        with contextlib.ExitStack() as undo, interrupts.held() as typed:
            created = _create(deployment, account, typed, undo)
            _add_tags(deployment.requests, account)
        if settings.wait and held is None:
            _wait_until_up(deployment, account, typed, created, live)
    if held is not None:
        print(held)
        return 0
    if remove_former and settings.wait:
        remove_former()
    elif remove_former:
        say(f"the former configuration {config} stays, with its model")
    _say_next_steps(deployment.settings, account)
    print(settings.endpoint)
    return 0


def _changes(live: LiveEndpoint, requests: Mapping[str, Mapping[str, Any]]) -> str:
    name = live.endpoint["EndpointName"]
    rows = endpoint_update.changes(live, requests["create_model"], requests["create_endpoint_config"])
    if not rows:
        return f"nothing changes at {name}"
    rows = [("setting", "now", "new"), *rows]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows]
    return "\n".join([f"changes to {name}; everything else stays as it is:", *lines])


def _create(
    deployment: Deployment, account: Account, typed: interrupts.Interrupts, undo: contextlib.ExitStack
) -> contextlib.ExitStack:
    """Request model, configuration and endpoint; return what removes them if the endpoint does not come up."""
    requests, client, name = deployment.requests, account.client("sagemaker"), deployment.settings.endpoint
    for method in ("create_model", "create_endpoint_config"):
        typed.stop_here()
        getattr(client, method)(**requests[method])
        undo.callback(delete, account, method.removeprefix("create_"), deployment.name)
    if deployment.alarms:
        typed.stop_here()
        there = alarms.states(account, [request["AlarmName"] for request in deployment.alarms])
        new = [request["AlarmName"] for request in deployment.alarms if request["AlarmName"] not in there]
        undo.callback(alarms.remove, account, name, new)
        alarms.renew(account, deployment.alarms, there)
    typed.stop_here()
    stays = f"model and configuration {deployment.name} stay"
    with last_request(
        undo, "endpoint", name, stays, f"{deployment.settings.instance_type} for endpoint usage"
    ):
        if "update_endpoint" in requests:
            client.update_endpoint(**requests["update_endpoint"])
            return undo.pop_all()  # they are in use from now on
        client.create_endpoint(**requests["create_endpoint"])
        created = undo.pop_all()
    created.callback(delete, account, "endpoint", name)
    return created


def _add_tags(requests: Mapping[str, Mapping[str, Any]], account: Account) -> None:
    """Tag the endpoint; if that fails, its update continues."""
    if "add_tags" not in requests:
        return
    try:
        account.client("sagemaker").add_tags(**requests["add_tags"])
    except AWS_ERRORS as error:
        say(f"the endpoint has no new tags, but its configuration has: {explain(error) or error}")


def _wait_until_up(
    deployment: Deployment,
    account: Account,
    typed: interrupts.Interrupts,
    created: contextlib.ExitStack,
    live: LiveEndpoint | None,
) -> None:
    settings = deployment.settings
    longest = settings.download_timeout + settings.startup_timeout + _PROVISIONING_S
    longest += rollout.longest_wait(settings, live)
    say(f"starting {settings.endpoint}; this takes some minutes")
    try:
        typed.stop_here()
        endpoint.wait_until_up(account, settings.endpoint, deployment.name, longest)
    except endpoint.FailedError as error:
        if live is None or error.in_use != deployment.name:  # else an update that could not be rolled back
            created.close()
        raise
    except BaseException:
        say(f"It continues without you. To remove it: make delete-endpoint ENDPOINT={settings.endpoint}")
        raise


def _say_next_steps(settings: DeploySettings, account: Account) -> None:
    name = settings.endpoint
    say(f'try it: make invoke ENDPOINT={name} TEXT="…"')
    if not settings.is_serverless:
        price = settings.hourly_price or hourly_price(account, settings.instance_type, "Hosting")
        cost = (
            f"about ${price * settings.instance_count:.2f} per hour" if price else "money (see HOURLY_PRICE)"
        )
        say(f"it costs {cost} until make delete-endpoint ENDPOINT={name}")


COMMANDS = (
    Command("deploy", "serve a model at an endpoint: real-time, serverless or async", DeploySettings, run),
)
