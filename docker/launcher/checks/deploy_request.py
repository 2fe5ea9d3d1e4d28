"""Fields of REQUEST that join the requests of `deploy`, checked against botocore's own model of the API."""

from collections.abc import Mapping
from typing import Any

from botocore import xform_name
from botocore.model import ServiceModel

from bert_classifier.errors import UserError
from launcher.aws.live_endpoint import SETTING_OF
from launcher.aws.request_fields import at, joined, read, refuse_extra, wrong_fields
from launcher.checks.whole_requests import check_requests
from launcher.findings import refuse_failures

OPERATIONS = ("CreateModel", "CreateEndpointConfig", "CreateEndpoint", "UpdateEndpoint")
_VARIANTS = "ProductionVariants"
# The settings that fields belong to.
_OF_NAMES = {"EndpointName": "ENDPOINT", "EndpointConfigName": "ENDPOINT"}
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "CreateModel": {
        "ModelName": "ENDPOINT",
        "Containers": "the launcher, whose models have one container",
        "PrimaryContainer.Image": "IMAGE_URI",
        "PrimaryContainer.ModelDataUrl": "MODEL_DATA",
        "PrimaryContainer.Environment": "ENVIRONMENT",
        "ExecutionRoleArn": "ROLE",
        "VpcConfig": "SUBNETS",
        "EnableNetworkIsolation": "NETWORK_ISOLATION",
    },
    "CreateEndpointConfig": {
        **_OF_NAMES,
        "KmsKeyId": "VOLUME_KMS_KEY",
        "DataCaptureConfig.InitialSamplingPercentage": "CAPTURE",
        "AsyncInferenceConfig.OutputConfig.S3OutputPath": "S3_PREFIX",
    },
    "CreateEndpoint": _OF_NAMES,
    "UpdateEndpoint": {**_OF_NAMES, "DeploymentConfig": "ROLLOUT"},
}
_OF_VARIANT = {
    **{field: setting.upper() for field, setting in SETTING_OF.items()},
    "VariantName": "ENDPOINT",
    "ModelName": "ENDPOINT",
    "InferenceAmiVersion": "INFERENCE_AMI_VERSION",
    "ServerlessConfig.MemorySizeInMB": "MEMORY_SIZE",
    "ServerlessConfig.MaxConcurrency": "MAX_CONCURRENCY",
}
_OF_MODE = "ServerlessConfig"  # a variant has it, or instances


def with_extra(
    requests: Mapping[str, dict[str, Any]], path: str, model: ServiceModel
) -> dict[str, dict[str, Any]]:
    """Return the requests joined by the fields of a file, all as the API takes them.

    Args:
        requests: by the client's methods.
        path: of the file; "" for none.
        model: botocore's, of SageMaker.
    Raises:
        UserError: when the file cannot be read, a field cannot join its request, or the API would refuse a request.
    """
    whole = _with_file(requests, path, model)
    by_operation = {name: whole[xform_name(name)] for name in OPERATIONS if xform_name(name) in whole}
    refuse_failures(list(check_requests(by_operation, model)))
    return whole


def _with_file(
    requests: Mapping[str, dict[str, Any]], path: str, model: ServiceModel
) -> dict[str, dict[str, Any]]:
    whole = dict(requests)
    for operation, extra in read(path, OPERATIONS).items():
        method = xform_name(operation)
        if method not in requests:
            there = "exists already" if operation == "CreateEndpoint" else "does not exist yet"
            raise UserError(
                f"REQUEST: there is no {operation} to join, because the endpoint {there}.",
                f"Name one of {', '.join(name for name in OPERATIONS if xform_name(name) in requests)}.",
            )
        whole[method] = _joined(requests[method], extra, operation, model)
    return whole


def _joined(
    fields: dict[str, Any], extra: dict[str, Any], operation: str, model: ServiceModel
) -> dict[str, Any]:
    if _VARIANTS in extra:
        extra = {**extra, _VARIANTS: _variants(fields[_VARIANTS], extra[_VARIANTS])}
    refuse_extra(model, operation, fields, extra, SETTINGS[operation])
    lists = {name: extra[name] for name in (_VARIANTS,) if name in extra}
    request = {**joined(fields, {name: one for name, one in extra.items() if name not in lists}), **lists}
    wrong = list(wrong_fields(model, operation, request, SETTINGS[operation]))
    if wrong:
        raise UserError(
            f"REQUEST: {'; '.join(wrong)}.", "Correct it, or the setting that the field belongs to."
        )
    return request


def _variants(now: list[dict[str, Any]], extra: Any) -> list[dict[str, Any]]:
    """Return the one variant with further fields."""
    if not isinstance(extra, list) or len(extra) != 1 or not isinstance(extra[0], dict):
        raise UserError(
            f"REQUEST: {_VARIANTS} must be a list of one object.", "Deploy makes endpoints of one variant."
        )
    (variant,), (more,) = now, extra
    of_mode = {} if _OF_MODE in variant else {_OF_MODE: "MODE"}
    for path, setting in {**of_mode, **_OF_VARIANT}.items():
        if at(more, path) not in (None, at(variant, path)):
            raise UserError(
                f"REQUEST: {_VARIANTS}[0].{path} belongs to {setting}.",
                "Give the setting instead, and leave the field out.",
            )
    return [joined(variant, more)]
