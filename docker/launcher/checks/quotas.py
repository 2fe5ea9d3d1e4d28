"""Whether the account may run that many instances: new accounts often may run none of the larger types."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.aws.refusals import code_of
from launcher.findings import Finding, fail, ok, warn
from launcher.settings.training import TrainSettings


def check_quotas(account: Account, settings: TrainSettings) -> Iterator[Finding]:
    """Yield what the account's quotas say about the instances, as spot instances and at full price."""
    wanted = {
        "spot": f"{settings.instance_type} for spot training job usage",
        "full price": f"{settings.instance_type} for training job usage",
    }
    found: dict[str, float] = {}
    for page in (
        account.client("service-quotas")
        .get_paginator("list_service_quotas")
        .paginate(ServiceCode="sagemaker")
    ):
        found |= {quota["QuotaName"]: quota["Value"] for quota in page["Quotas"]}
        if found.keys() >= set(wanted.values()):
            break
    for kind, name in wanted.items():
        if name not in found:
            yield warn("quota", f"Service Quotas does not list “{name}”")
        elif found[name] < settings.instance_count:
            told = f"{kind}: {found[name]:.0f} of {settings.instance_count} × {settings.instance_type}"
            yield fail("quota", told, f"Ask for more of “{name}” in Service Quotas (SageMaker).")
        else:
            yield ok("quota", f"{kind}: {found[name]:.0f} × {settings.instance_type}")


def refuse_for_quota(error: ClientError, quota: str) -> None:
    """Raise what a refusal means that comes from a quota; nothing is said of another.

    Args:
        quota: its name in Service Quotas.
    Raises:
        UserError: when the quota does not allow the request.
    """
    if code_of(error) == "ResourceLimitExceeded":
        raise UserError(
            f"Your quota does not allow it: {error.response['Error']['Message'].rstrip('.')}.",
            f"Ask for more of “{quota}” in Service Quotas, or take another INSTANCE_TYPE.",
        ) from error
