"""`doctor`: check everything that a training job needs, with a remedy for what fails."""

import collections
import importlib.metadata
import sys
from collections.abc import Iterator
from functools import partial

import boto3

from bert_classifier.errors import ContainerError
from bert_classifier.job.findings import Severity
from bert_classifier.job.wording import counted
from launcher.aws.account import Account
from launcher.checks.account import check_identity
from launcher.checks.quotas import check_quotas
from launcher.checks.training import check_without_aws, plan
from launcher.command import Command, say
from launcher.commands.sending import sdk_version
from launcher.engine import Engine
from launcher.findings import Finding, examine, fail, obtain, ok, table, warn
from launcher.revision import head_of
from launcher.settings.training import TrainSettings

_PYTHONS = ((3, 11), (3, 12))


def run(settings: TrainSettings, account: Account) -> int:
    """Print one line per finding; return 0 when nothing fails, else 2."""
    findings = [*check_tools(account), *examine("credentials", lambda: check_identity(account))]
    findings += (_check_without_aws if _has_failed(findings) else _check_job)(settings, account)
    print(table(findings))
    say(in_numbers(findings))
    return 2 if _has_failed(findings) else 0


def in_numbers(findings: list[Finding]) -> str:
    """Return how many findings there are of each severity, such as "5 OK, 0 warnings, 1 failure"."""
    counts = collections.Counter(finding.severity for finding in findings)
    doubts, failures = (
        counted(counts[Severity.WARNING], "warning"),
        counted(counts[Severity.ERROR], "failure"),
    )
    return f"{counts[Severity.OK]} OK, {doubts}, {failures}"


def check_tools(account: Account) -> Iterator[Finding]:
    """Check the programs on this machine."""
    programs = f"Python {sys.version.split()[0]}, boto3 {boto3.__version__}, {_sdk()}"
    if sys.version_info[:2] in _PYTHONS:
        yield ok("tools", programs)
    else:
        yield fail("tools", f"{programs}: tested with Python 3.11 and 3.12", "make clean")
    try:
        with Engine(account.environ) as engine:
            server = engine.run("version", "--format", "{{.Server.Version}} {{.Server.Os}}/{{.Server.Arch}}")
            yield ok("docker", server.strip())
    except ContainerError as error:
        message = f"{error.cause} Docker builds and pushes the image; jobs do not need it."
        yield warn("docker", message, error.remedy)
    revision = head_of()
    if revision.endswith("-dirty"):
        message = f"{revision}: there are uncommitted changes"
        yield warn("revision", message, "Commit them before make build and push.")
    elif revision:
        yield ok("revision", revision)
    else:
        message = "this folder is not a git repository"
        yield warn("revision", message, "Give the image yourself: IMAGE_TAG or IMAGE_URI.")


def _sdk() -> str:
    """Return which SageMaker SDK would send a job."""
    version = sdk_version()
    package = {2: "sagemaker", 3: "sagemaker-train"}.get(version)
    return f"{package} {importlib.metadata.version(package)}" if package else "no SageMaker SDK"


def _check_job(settings: TrainSettings, account: Account) -> list[Finding]:
    planned, failures = obtain("account", partial(plan, settings, account, spot=True), "Then run it again.")
    if planned is None:
        return [*failures, *_check_without_aws(settings, account)]
    findings = planned[1]
    if not (settings.train or settings.s3_data):
        # A job would fail without data, but everything else can be checked.
        findings = [finding for finding in findings if finding.subject != "data"]
        findings.append(warn("data", "none given, so none checked", "Give TRAIN=… or S3_DATA=…."))
    return [*findings, *examine("quota", lambda: check_quotas(account, settings))]


def _check_without_aws(settings: TrainSettings, account: Account) -> list[Finding]:
    return check_without_aws(settings, account, spot=True)


def _has_failed(findings: list[Finding]) -> bool:
    return any(finding.severity is Severity.ERROR for finding in findings)


COMMANDS = (Command("doctor", "check everything that a job needs, with remedies", TrainSettings, run),)
