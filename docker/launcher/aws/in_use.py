"""Who uses a configuration, a model or objects in S3: endpoints, models and model packages of the whole account."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from launcher.aws import endpoint
from launcher.aws.account import Account
from launcher.aws.errors import code_of

_ABSENT = ("ValidationException", "ResourceNotFound")


def endpoints(account: Account, without: Collection[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the name of every endpoint of the account but some, and what it uses."""
    for summary in _pages(account, "list_endpoints", "Endpoints"):
        name = summary["EndpointName"]
        found = None if name in without else endpoint.find(account, name)
        if found is not None:
            yield name, of_endpoint(account, found)


def of_endpoint(account: Account, found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of configurations and models that an endpoint has or changes to, and URIs in S3.

    Args:
        found: SageMaker's description of the endpoint.
    """
    pending = found.get("PendingDeploymentSummary", {})
    configs = {one["EndpointConfigName"] for one in (found, pending) if one.get("EndpointConfigName")}
    return tuple(part for config in sorted(configs) for part in (config, *_of_config(account, config)))


def _of_config(account: Account, name: str) -> Iterator[str]:
    config = _described(account.client("sagemaker").describe_endpoint_config, EndpointConfigName=name)
    for kind in ("ProductionVariants", "ShadowProductionVariants"):
        for variant in config.get(kind, ()):
            if model := variant.get("ModelName"):
                yield model
                yield from _of_model(account, model)
    outputs = config.get("AsyncInferenceConfig", {}).get("OutputConfig", {})
    places = (outputs.get("S3OutputPath"), outputs.get("S3FailurePath"),
              config.get("DataCaptureConfig", {}).get("DestinationS3Uri"))  # fmt: skip
    yield from filter(None, places)


def models(account: Account, without: Collection[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the name of every model of the account but some, and the URIs of its artifacts."""
    for summary in _pages(account, "list_models", "Models"):
        if summary["ModelName"] not in without:
            yield summary["ModelName"], tuple(_of_model(account, summary["ModelName"]))


def _of_model(account: Account, name: str) -> Iterator[str]:
    model = _described(account.client("sagemaker").describe_model, ModelName=name)
    return _artifacts([model.get("PrimaryContainer", {}), *model.get("Containers", ())])


def packages(account: Account) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the short name of every model package of the account, and the URIs of its artifacts."""
    describe = account.client("sagemaker").describe_model_package
    for summary in _pages(account, "list_model_packages", "ModelPackageSummaryList", ModelPackageType="Both"):
        arn = summary["ModelPackageArn"]
        package = _described(describe, ModelPackageName=arn)
        specifications = [package.get("InferenceSpecification", {}),
                          *package.get("AdditionalInferenceSpecifications", ())]  # fmt: skip
        containers = [one for specification in specifications for one in specification.get("Containers", ())]
        yield arn.partition("/")[2].replace("/", ":"), tuple(_artifacts(containers))


def _artifacts(containers: list[dict[str, Any]]) -> Iterator[str]:
    for container in containers:
        source = container.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri")
        yield from filter(None, (container.get("ModelDataUrl"), source))


def _described(describe: Callable[..., Mapping[str, Any]], **name: str) -> Mapping[str, Any]:
    """Return a description; {} of what is gone by now."""
    try:
        return describe(**name)
    except ClientError as error:
        if code_of(error) in _ABSENT:
            return {}
        raise


def _pages(account: Account, operation: str, key: str, **more: str) -> Iterator[dict[str, Any]]:
    for page in account.client("sagemaker").get_paginator(operation).paginate(**more):
        yield from page[key]
