"""SageMaker's Model Registry: groups of model packages, their versions, and who may be deployed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.aws.errors import code_of
from launcher.settings.package_names import group_and_version

APPROVED, REJECTED, PENDING = "Approved", "Rejected", "PendingManualApproval"
_ABSENT = ("ResourceNotFound", "ValidationException")


def short(package: Mapping[str, Any]) -> str:
    """Return the name of a model package as MODEL_PACKAGE takes it."""
    return f"{package['ModelPackageGroupName']}:{package['ModelPackageVersion']}"


def find_group(account: Account, name: str) -> dict[str, Any] | None:
    """Return SageMaker's description of a group, or None when there is none."""
    try:
        return dict(account.client("sagemaker").describe_model_package_group(ModelPackageGroupName=name))
    except ClientError as error:
        if code_of(error) in _ABSENT:
            return None
        raise


def versions_of(account: Account, group: str, status: str = "") -> Iterator[dict[str, Any]]:
    """Yield the summaries of a group's versions, the newest first.

    Args:
        status: of approval; "" for any.
    Raises:
        UserError: when there is no such group.
    """
    only = {"ModelApprovalStatus": status} if status else {}
    paginator, found = account.client("sagemaker").get_paginator("list_model_packages"), False
    order = {"SortBy": "CreationTime", "SortOrder": "Descending"}
    try:
        for page in paginator.paginate(ModelPackageGroupName=group, **order, **only):
            for package in page["ModelPackageSummaryList"]:
                found = True
                yield dict(package)
    except ClientError as error:
        if code_of(error) not in _ABSENT:
            raise
    if not found and find_group(account, group) is None:
        raise UserError(
            f"There is no model package group {group} in {account.region}.",
            "Correct MODEL_PACKAGE or REGION, or register a model: make register JOB=….",
        )


def find(account: Account, name: str, *, latest_approved: bool = False) -> dict[str, Any]:
    """Return SageMaker's description of the version that a name means.

    Args:
        name: group, group:version or an ARN.
        latest_approved: whether a group alone means its newest approved version; else a version must be named.
    Raises:
        UserError: when there is none, or the name does not say which.
    """
    client = account.client("sagemaker")
    if name.startswith("arn:") and group_and_version(name)[1]:
        return _describe(account, name)
    group, version = group_and_version(name)
    if version is None and latest_approved:
        newest = next(versions_of(account, group, APPROVED), None)
        if newest is None:
            raise UserError(
                f"No version of {group} is approved.", f"See them: make status MODEL_PACKAGE={group}."
            )
    elif version is None:
        newest = next(versions_of(account, group), None)
        such = f"MODEL_PACKAGE={short(newest)}" if newest else "MODEL_PACKAGE=group:version"
        raise UserError(f"{group} is a group, not a version of it.", f"Name the version, such as {such}.")
    else:
        newest = next((p for p in versions_of(account, group) if p["ModelPackageVersion"] == version), None)
        if newest is None:
            raise UserError(
                f"{group} has no version {version}.", f"See its versions: make status MODEL_PACKAGE={group}."
            )
    return dict(client.describe_model_package(ModelPackageName=newest["ModelPackageArn"]))


def _describe(account: Account, arn: str) -> dict[str, Any]:
    try:
        return dict(account.client("sagemaker").describe_model_package(ModelPackageName=arn))
    except ClientError as error:
        if code_of(error) in _ABSENT:
            raise UserError(
                f"There is no model package {arn}.", "Correct MODEL_PACKAGE, or REGION."
            ) from error
        raise


def group_lines(group: str, packages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line per version of a group."""
    yield f"{group}: {len(packages)} version(s)"
    for one in packages:
        text = f"  {one.get('ModelPackageDescription', '')}".rstrip()
        yield f"  {short(one)}  {one.get('ModelApprovalStatus', '–')}  {one['CreationTime']:%Y-%m-%d %H:%M}{text}"


def lines(package: Mapping[str, Any]) -> Iterator[str]:
    """Yield the report of a model package, line by line."""
    yield f"{short(package)}: {package.get('ModelApprovalStatus', '–')}"
    remark = package.get("ApprovalDescription")
    if remark:
        yield f"  {remark}"
    if package.get("ModelPackageDescription"):
        yield f"  {package['ModelPackageDescription']}"
    container = package["InferenceSpecification"]["Containers"][0]
    yield f"  image: {container['Image']}"
    yield f"  model: {container.get('ModelDataUrl', '–')}"
    quality = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {}).get("S3Uri")
    if quality:
        yield f"  quality: {quality}"
    for name, value in sorted(package.get("CustomerMetadataProperties", {}).items()):
        yield f"  {name}: {value}"
    yield f"  {package['ModelPackageArn']}"
