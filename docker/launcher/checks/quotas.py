"""Whether the account's quotas allow the instances: those of new accounts often exclude larger types."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.aws.errors import code_of
from launcher.findings import Finding, fail, ok, warn
from launcher.settings.training import TrainSettings


def check_quotas(account: Account, settings: TrainSettings) -> Iterator[Finding]:
    """Check the account's quotas for spot and for on-demand instances."""
    wanted = {
        "spot": f"{settings.instance_type} for spot training job usage",
        "on demand": f"{settings.instance_type} for training job usage",
    }
    found: dict[str, float] = {}
    paginator = account.client("service-quotas").get_paginator("list_service_quotas")
    for page in paginator.paginate(ServiceCode="sagemaker"):
        found |= {quota["QuotaName"]: quota["Value"] for quota in page["Quotas"]}
        if found.keys() >= set(wanted.values()):
            break
    for kind, name in wanted.items():
        if name not in found:
            yield warn("quota", f"Service Quotas does not list “{name}”")
        elif found[name] < settings.instance_count:
            message = f"{kind}: {found[name]:.0f} of {settings.instance_count} × {settings.instance_type}"
            yield fail("quota", message, f"Request more of “{name}” in Service Quotas (SageMaker).")
        else:
            yield ok("quota", f"{kind}: {found[name]:.0f} × {settings.instance_type}")


def refuse_for_quota(error: ClientError, quota: str) -> None:
    """Raise if AWS has refused a request because of a quota.

    Args:
        quota: its name in Service Quotas.
    Raises:
        UserError: when the quota does not allow the request.
    """
    if code_of(error) == "ResourceLimitExceeded":
        raise UserError(
            f"Your quota does not allow this: {error.response['Error']['Message'].rstrip('.')}.",
            f"Request more of “{quota}” in Service Quotas, or use another INSTANCE_TYPE.",
        ) from error
