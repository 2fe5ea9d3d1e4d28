"""`doctor`: everything that a training job rests on, looked at in turn, with a remedy for what is not in order."""

import importlib.metadata
import sys
from collections.abc import Iterator

from bert_classifier.errors import ContainerError
from launcher.aws.account import Account
from launcher.checks.account_checks import check_identity
from launcher.checks.preflight import plan
from launcher.checks.quotas import check_quotas
from launcher.command import Command, say
from launcher.commands.push import REPOSITORY_FOLDER, head_of
from launcher.engine import Engine
from launcher.findings import Finding, Level, examine, fail, ok, table, warn
from launcher.settings.training import TrainSettings

_PYTHONS = ((3, 11), (3, 12))


def run(settings: TrainSettings, account: Account) -> int:
    """Print what is found, a line each; return 0 when nothing is wrong, else 2."""
    findings = [*check_tools(account), *examine("credentials", lambda: check_identity(account))]
    if not _has_failed(findings):
        findings += _check_job(settings, account)
    print(table(findings))
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    say(f"{counts[Level.OK]} in order, {counts[Level.WARN]} doubtful, {counts[Level.FAIL]} wrong")
    return 2 if _has_failed(findings) else 0


def check_tools(account: Account) -> Iterator[Finding]:
    """Yield what is found about the programs on this machine."""
    version = f"Python {sys.version.split()[0]}"
    sdk = importlib.metadata.version("sagemaker")
    if sys.version_info[:2] in _PYTHONS and sdk.startswith("2."):
        yield ok("tools", f"{version}, sagemaker {sdk}")
    else:
        yield fail(
            "tools",
            f"{version}, sagemaker {sdk}: tried with Python 3.11 and 3.12 and sagemaker 2",
            "make clean",
        )
    try:
        with Engine(account.environ) as engine:
            found = engine.run(
                "version", "--format", "{{.Server.Version}} {{.Server.Os}}/{{.Server.Arch}}"
            ).strip()
            yield ok("docker", found)
    except ContainerError as error:
        yield warn(
            "docker", f"{error.cause} It builds and pushes the image; jobs do not need it.", error.remedy
        )
    revision = head_of(REPOSITORY_FOLDER)
    if revision.endswith("-dirty"):
        yield warn(
            "revision", f"{revision}: some files are not committed", "Commit them before make build and push."
        )
    elif revision:
        yield ok("revision", revision)
    else:
        yield warn(
            "revision", "this folder is no git repository", "Name the image yourself: IMAGE_TAG or IMAGE_URI."
        )


def _check_job(settings: TrainSettings, account: Account) -> list[Finding]:
    findings = plan(settings, account, spot=True)[1]
    if not (settings.train or settings.s3_data):
        # Without data there is nothing to train on, but what else there is can be looked at.
        findings = [finding for finding in findings if finding.subject != "data"]
        findings.append(warn("data", "none given, so none looked at", "Give TRAIN=… or S3_DATA=…."))
    return [*findings, *examine("quota", lambda: check_quotas(account, settings))]


def _has_failed(findings: list[Finding]) -> bool:
    return any(finding.level is Level.FAIL for finding in findings)


COMMANDS = (Command("doctor", "look at everything that a job rests on, with remedies", TrainSettings, run),)
