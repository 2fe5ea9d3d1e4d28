"""`approve` and `reject`: decide whether a version of the Model Registry may be deployed."""

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.aws.dry_run import HeldRequests
from launcher.aws.model_package import APPROVED, REJECTED, find, short
from launcher.command import Command, say
from launcher.settings.registry import DecisionSettings


def approve(settings: DecisionSettings, account: Account) -> int:
    """Approve a version; return 0.

    Raises:
        UserError: when there is no such version.
    """
    return _decide(settings, account, APPROVED)


def reject(settings: DecisionSettings, account: Account) -> int:
    """Reject a version; otherwise as `approve`. Endpoints that serve it go on."""
    return _decide(settings, account, REJECTED)


def _decide(settings: DecisionSettings, account: Account, status: str) -> int:
    if not settings.model_package:
        raise UserError("No model package is given.", "Name the version: MODEL_PACKAGE=bert-classifier:3.")
    held = HeldRequests(account.session) if settings.dry_run else None
    package = find(account, settings.model_package)
    before = package.get("ModelApprovalStatus", "–")
    if before == status and not settings.note:
        say(f"{short(package)} is {status} already")
        return 0
    remark = {"ApprovalDescription": settings.note} if settings.note else {}
    account.client("sagemaker").update_model_package(
        ModelPackageArn=package["ModelPackageArn"], ModelApprovalStatus=status, **remark
    )
    if held is not None:
        print(held)
        return 0
    say(f"{short(package)}: {before} → {status}")
    if status == APPROVED:
        say(f"to deploy it: make deploy MODEL_PACKAGE={short(package)} ROLE=…")
    print(package["ModelPackageArn"])
    return 0


COMMANDS = (
    Command("approve", "approve a version in the Model Registry", DecisionSettings, approve, "model_package"),
    Command("reject", "reject a version in the Model Registry", DecisionSettings, reject, "model_package"),
)
