"""An endpoint as it will be requested, and everything that is checked before."""

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any

from botocore.model import ServiceModel

from launcher.aws import endpoint, endpoint_update, rollout
from launcher.aws.account import Account, role_arn
from launcher.aws.ecr import image_uri
from launcher.aws.live_endpoint import LiveEndpoint
from launcher.aws.model import Model, stamp, without_unset
from launcher.aws.s3 import Location, prefix_of
from launcher.checks.account import Needs, check_access
from launcher.checks.chosen_model import choose
from launcher.checks.deploy_request import with_extra
from launcher.checks.endpoint import check_mode, check_name, check_scaling
from launcher.checks.model import check_ami, check_common, endpoint_driver, find_artifact
from launcher.checks.rollout import check_rollout
from launcher.checks.unused import check_deploy_settings, without_unusable
from launcher.checks.workload import check_instance
from launcher.findings import Finding, examine, refuse_failures
from launcher.settings.inference import LONGEST_ANSWER, DeploySettings

_SPARE_S = 60  # the server gives up a little later than SageMaker, which tells the caller why
Requests = dict[str, dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Deployment:
    """An endpoint as it will be requested.

    Attributes:
        name: of model and configuration.
        requests: by the client's methods, in order.
        alarms: requests of the alarms that may roll the update back.
    """

    settings: DeploySettings
    name: str
    requests: Requests
    alarms: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def plan(
    settings: DeploySettings, account: Account, live: LiveEndpoint | None
) -> tuple[Deployment, list[Finding]]:
    """Return the endpoint that the settings describe, and all findings about it.

    Args:
        live: the endpoint, if it exists.
    Raises:
        UserError: naming all failures.
    """
    settings, of_choice = choose(settings, account)
    tags = settings.given_tags  # those of the existing endpoint join below
    settings = live.keep(settings) if live else settings
    refuse_failures(list(check_mode(live, settings.mode) if live else ()))
    settings, findings = without_unusable(settings)
    data, of_model = find_artifact(settings, account)
    name = stamp(settings.endpoint)
    model = Model(settings, name, image_uri(settings, account), data, environment_of(settings))
    folder = live.async_folder(settings) if live else None
    folder = folder or prefix_of(settings, account).below("async", settings.endpoint)
    capture = (live.capture_folder(settings) if live else None) if settings.capture else None
    if settings.capture and capture is None:
        capture = prefix_of(settings, account).below("capture", settings.endpoint)
    findings += examine("alarm", partial(check_rollout, account, settings, live), "Or leave ROLLOUT out.")
    settings = rolled_out(settings, live)
    findings += [
        *of_choice,
        *of_model,
        *([] if live else examine("endpoint", partial(check_name, account, settings.endpoint))),
        *check_settings(settings, model.environment, account),
        *check_access(
            account,
            model.image_uri,
            settings,
            needs_of(settings, data, folder, capture),
            endpoint_driver(settings),
        ),
    ]
    refuse_failures(findings)
    request = model.request(role_arn(settings.role, account))
    config = endpoint.config_request(settings, name, folder, capture)
    if not live:
        last = {"EndpointName": settings.endpoint, "EndpointConfigName": name, "Tags": settings.tag_list}
        requests = {
            "create_model": request, "create_endpoint_config": config, "create_endpoint": without_unset(last),
        }  # fmt: skip
        return Deployment(settings, name, with_extra(requests, settings.request, model_of(account))), findings
    requests = _update_requests(live, settings, request, config)
    requests = with_extra(requests, settings.request, model_of(account))
    if tags:
        requests["add_tags"] = {"ResourceArn": live.endpoint["EndpointArn"], "Tags": tags}
    (variant,) = requests["create_endpoint_config"]["ProductionVariants"]
    findings += examine("scaling", partial(check_scaling, account, live, variant, waits=settings.wait))
    return Deployment(
        settings, name, requests, rollout.alarm_requests(account, settings, live, name)
    ), findings


def model_of(account: Account) -> ServiceModel:
    """Return botocore's model of SageMaker."""
    model: ServiceModel = account.client("sagemaker").meta.service_model
    return model


def rolled_out(settings: DeploySettings, live: LiveEndpoint | None) -> DeploySettings:
    """Return the settings without a roll-out where there is no traffic to take over."""
    is_possible = live is not None and not settings.is_serverless
    return settings if is_possible else dataclasses.replace(settings, rollout="keep")


def _update_requests(
    live: LiveEndpoint, settings: DeploySettings, model: dict[str, Any], config: dict[str, Any]
) -> Requests:
    container = endpoint_update.next_container(live.container, model["PrimaryContainer"])
    return {
        "create_model": {**model, "PrimaryContainer": container},
        "create_endpoint_config": endpoint_update.next_config(live, settings, config),
        "update_endpoint": endpoint_update.update_request(live, settings, config["EndpointConfigName"]),
    }


def environment_of(settings: DeploySettings) -> dict[str, str]:
    """Return the container's environment; async mode allows long and large requests unless the user set limits."""
    if settings.mode != "async":
        return dict(settings.environment)
    longest = min(settings.invocation_timeout + _SPARE_S, LONGEST_ANSWER)
    own = {
        "SAGEMAKER_MODEL_SERVER_TIMEOUT": str(longest),
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "100",
        "SERVING_MAX_RECORDS": "1000000",
    }
    return {**own, **dict(settings.environment)}


def needs_of(
    settings: DeploySettings, data: str, async_folder: Location, capture_folder: Location | None = None
) -> Needs:
    """Return what the endpoint's role must be permitted.

    Args:
        data: URI of the model; "" when it could not be found.
    """
    reads = [Location.of(data)] if data else []
    if settings.mode != "async":
        return Needs("serving-role.json", reads, [capture_folder] if capture_folder else [])
    writes = [async_folder.below("output"), async_folder.below("failures")]
    return Needs("serving-role.json", [*reads, async_folder.below("input")], writes)


def check_settings(
    settings: DeploySettings, environment: Mapping[str, str], account: Account
) -> list[Finding]:
    """Check an endpoint's settings without asking AWS."""
    findings = [*check_deploy_settings(settings), *check_common(settings, environment)]
    if settings.is_serverless:
        return findings
    api = model_of(account)
    types = api.shape_for("ProductionVariantInstanceType").enum
    amis = api.shape_for("ProductionVariantInferenceAmiVersion").enum
    return [*findings, *check_instance(settings, types, "endpoints"), *check_ami(settings, amis)]
