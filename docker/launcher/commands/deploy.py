"""`deploy`: a trained model behind an endpoint, new or in the place of the former one."""

import contextlib
import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from launcher import interrupts
from launcher.aws import endpoint
from launcher.aws.account import Account, role_arn
from launcher.aws.dry_run import HeldRequests
from launcher.aws.live_container import next_container
from launcher.aws.live_endpoint import LiveEndpoint
from launcher.aws.model import Model, delete, say_unknown, stamp, told
from launcher.aws.prices import hourly_price
from launcher.aws.refusals import AWS_ERRORS, explain, may_be_taken
from launcher.aws.s3 import Location
from launcher.checks import account_checks, live_checks, model_checks
from launcher.checks.model_checks import find_artifact
from launcher.checks.preflight import doubts, image_uri, prefix_of
from launcher.checks.quotas import refuse_for_quota
from launcher.command import Command, say
from launcher.findings import Finding, examine, refuse_failures, table
from launcher.settings.idle import check_deploy_settings, without_unusable
from launcher.settings.model import LONGEST_ANSWER, DeploySettings

_PROVISIONING_S = 1800  # beside download and start: machines, and the change of versions
_SPARE_S = 60  # the server gives up a little later than SageMaker, which tells the caller why


@dataclasses.dataclass(frozen=True)
class Deployment:
    """An endpoint as it is going to be requested; model and configuration have one name.

    Attributes:
        async_folder: where an asynchronous endpoint reads and writes.
        live: the endpoint that is there already.
    """

    settings: DeploySettings
    model: Model
    async_folder: Location
    live: LiveEndpoint | None = None

    @property
    def name(self) -> str:
        """Name of the model and of the configuration."""
        return self.model.name


def run(settings: DeploySettings, account: Account) -> int:
    """Deploy the model; return 0 once it serves, or comes up and nobody waits for it.

    Raises:
        ContainerError: when something is wrong; what was made by then is removed again.
    """
    held = HeldRequests(account.session) if settings.dry_run else None
    former = endpoint.find(account, settings.endpoint)
    if former:
        endpoint.refuse_if_at_work(former)
    live = LiveEndpoint.of(account, former) if former else None
    deployment, requests = _checked(settings, account, live)
    settings = deployment.settings
    remove_former = (
        endpoint.parts_of(account, settings.endpoint, former["EndpointConfigName"]) if former else None
    )
    with contextlib.ExitStack() as undo, interrupts.held() as typed:
        made = _create(requests, deployment, account, typed, undo)
        _add_tags(requests, account)
    if held is not None:
        print(held)
        return 0
    if settings.wait:
        _see_up(deployment, account, typed, is_new=former is None, made=made)
    if former and remove_former:
        if settings.wait:
            remove_former()
        else:
            say(f"the former configuration {former['EndpointConfigName']} stays, with its model")
    _tell(settings, account)
    return 0


def _checked(
    settings: DeploySettings, account: Account, live: LiveEndpoint | None
) -> tuple[Deployment, dict[str, dict[str, Any]]]:
    """Return the endpoint and its requests, once nothing speaks against them; say what is doubtful, and what changes.

    Raises:
        UserError: naming all that is wrong.
    """
    tags = settings.tag_list
    settings = live.keep(settings) if live else settings
    refuse_failures(list(live_checks.check_mode(live, settings.mode) if live else ()))
    settings, findings = without_unusable(settings)
    deployment, found = plan(settings, account, live)
    refuse_failures(found)
    requests = _requests(deployment, account, tags)
    if live:
        (variant,) = requests["create_endpoint_config"]["ProductionVariants"]
        found += examine("scaling", partial(live_checks.check_scaling, account, live, variant))
        refuse_failures(found)
    if doubts([*findings, *found]):
        say(table(doubts([*findings, *found])))
    if live:
        say(_changes(live, requests))
    return deployment, requests


def plan(
    settings: DeploySettings, account: Account, live: LiveEndpoint | None = None
) -> tuple[Deployment, list[Finding]]:
    """Return the endpoint that settings mean, and what is found about it."""
    data, findings = find_artifact(settings, account)
    prefix = prefix_of(settings, account)
    model = Model(
        settings, stamp(settings.endpoint), image_uri(settings, account), data, environment_of(settings)
    )
    folder = live.async_folder(settings) if live else None
    deployment = Deployment(settings, model, folder or prefix.below("async", settings.endpoint), live)
    return deployment, [
        *findings,
        *check_settings(settings, model.environment, account),
        *_check_account(deployment, account),
    ]


def environment_of(settings: DeploySettings) -> dict[str, str]:
    """Return the container's environment: in async mode a request may be long and large, unless you say otherwise."""
    if settings.mode != "async":
        return dict(settings.environment)
    longest = min(settings.invocation_timeout + _SPARE_S, LONGEST_ANSWER)
    own = {
        "SAGEMAKER_MODEL_SERVER_TIMEOUT": str(longest),
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "100",
        "SERVING_MAX_RECORDS": "1000000",
    }
    return {**own, **dict(settings.environment)}


def check_settings(
    settings: DeploySettings, environment: Mapping[str, str], account: Account
) -> list[Finding]:
    """Return what is found about an endpoint's settings, which needs no answer of AWS."""
    findings = [*check_deploy_settings(settings), *model_checks.check_common(settings, environment)]
    if settings.is_serverless:
        return [*findings, *model_checks.check_serverless(settings)]
    api = account.client("sagemaker").meta.service_model
    types = api.shape_for("ProductionVariantInstanceType").enum
    amis = api.shape_for("ProductionVariantInferenceAmiVersion").enum
    return [
        *findings,
        *model_checks.check_instance(settings, types, "endpoints"),
        *model_checks.check_ami(settings, amis),
    ]


def _check_account(deployment: Deployment, account: Account) -> list[Finding]:
    model, settings = deployment.model, deployment.settings
    driver = model_checks.endpoint_driver(settings)
    data = [Location.of(model.data)] if model.data else []
    folder = deployment.async_folder
    is_async = settings.mode == "async"
    needs = account_checks.Needs(
        "serving-role.json",
        reads=[*data, *([folder.below("input")] if is_async else [])],
        writes=[folder.below("output"), folder.below("failures")] if is_async else [],
    )
    findings = [
        *examine("image", partial(account_checks.check_image, account, model.image_uri, settings, driver)),
        *examine("role", lambda: account_checks.check_role(account, settings.role, needs)),
    ]
    for bucket in dict.fromkeys(location.bucket for location in (*needs.reads, *needs.writes)):
        findings += examine("bucket", partial(account_checks.check_bucket, account, bucket))
    return findings


def _requests(
    deployment: Deployment, account: Account, tags: list[dict[str, str]]
) -> dict[str, dict[str, Any]]:
    """Return the requests by the client's methods, in order.

    Args:
        tags: those that the settings name: an endpoint has others of its own, which stay as they are.
    """
    settings, name, live = deployment.settings, deployment.name, deployment.live
    model = deployment.model.request(role_arn(settings.role, account))
    config = endpoint.config_request(settings, name, deployment.async_folder)
    if live:
        model["PrimaryContainer"] = next_container(live.container, model["PrimaryContainer"])
        config = live.config_request(settings, config)
        update = live.update_request(settings, name)
        requests = {"create_model": model, "create_endpoint_config": config, "update_endpoint": update}
        more = {"add_tags": {"ResourceArn": live.endpoint["EndpointArn"], "Tags": tags}} if tags else {}
        return {**requests, **more}
    last = {"EndpointName": settings.endpoint, "EndpointConfigName": name, "Tags": settings.tag_list}
    return {"create_model": model, "create_endpoint_config": config, "create_endpoint": told(last)}


def _changes(live: LiveEndpoint, requests: Mapping[str, Mapping[str, Any]]) -> str:
    rows = live.changes(requests["create_model"], requests["create_endpoint_config"])
    if not rows:
        return f"{live.endpoint['EndpointName']} stays as it is"
    rows = [("setting", "now", "new"), *rows]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows]
    return "\n".join([f"{live.endpoint['EndpointName']} changes so, and stays as it is otherwise:", *lines])


def _create(
    requests: Mapping[str, Mapping[str, Any]],
    deployment: Deployment,
    account: Account,
    typed: interrupts.Interrupts,
    undo: contextlib.ExitStack,
) -> contextlib.ExitStack:
    """Request model, configuration and endpoint; return what removes them if the endpoint does not come up."""
    settings, client = deployment.settings, account.client("sagemaker")
    for method in ("create_model", "create_endpoint_config"):
        typed.stop_here()
        getattr(client, method)(**requests[method])
        undo.callback(delete, account, method.removeprefix("create_"), deployment.name)
    typed.stop_here()
    try:
        if "update_endpoint" in requests:
            client.update_endpoint(**requests["update_endpoint"])
            return undo.pop_all()  # they are in use from now on
        client.create_endpoint(**requests["create_endpoint"])
        made = undo.pop_all()
    except BaseException as error:
        if may_be_taken(error):
            undo.pop_all()
            say_unknown("endpoint", settings.endpoint, f"model and configuration {deployment.name} stay")
        if isinstance(error, ClientError):
            refuse_for_quota(error, f"{settings.instance_type} for endpoint usage")
        raise
    made.callback(delete, account, "endpoint", settings.endpoint)
    return made


def _add_tags(requests: Mapping[str, Mapping[str, Any]], account: Account) -> None:
    """Give the endpoint the tags that the settings name; its update goes on without them."""
    if "add_tags" not in requests:
        return
    try:
        account.client("sagemaker").add_tags(**requests["add_tags"])
    except AWS_ERRORS as error:
        say(f"the endpoint has no new tags, its configuration has: {explain(error) or error}")


def _see_up(
    deployment: Deployment,
    account: Account,
    typed: interrupts.Interrupts,
    *,
    is_new: bool,
    made: contextlib.ExitStack,
) -> None:
    settings = deployment.settings
    longest = settings.download_timeout + settings.startup_timeout + _PROVISIONING_S
    say(f"{settings.endpoint} comes up; that takes some minutes")
    try:
        typed.stop_here()
        endpoint.wait_until_up(account, settings.endpoint, deployment.name, longest)
    except endpoint.FailedError as error:
        if is_new or error.in_use != deployment.name:  # else an update that could not even be rolled back
            made.close()
        raise
    except BaseException:
        say(f"It goes on without you. To remove it: make delete-endpoint ENDPOINT={settings.endpoint}")
        raise


def _tell(settings: DeploySettings, account: Account) -> None:
    name = settings.endpoint
    say(f'a question: make invoke ENDPOINT={name} TEXT="…"')
    if not settings.is_serverless:
        price = settings.hourly_price or hourly_price(account, settings.instance_type, "Hosting")
        cost = (
            f"about ${price * settings.instance_count:.2f}"
            if price
            else "money (HOURLY_PRICE tells how much)"
        )
        say(f"each hour costs {cost} until make delete-endpoint ENDPOINT={name}")
    print(name)


COMMANDS = (
    Command(
        "deploy",
        "put a trained model behind an endpoint: real-time, serverless or async",
        DeploySettings,
        run,
    ),
)
