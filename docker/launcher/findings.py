"""What checks find: each finding with its severity, a message and a remedy."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from botocore.exceptions import ClientError

from bert_classifier.errors import ContainerError, PlatformError, UserError
from bert_classifier.job.findings import Severity
from launcher.aws.errors import AWS_ERRORS, explain, is_denied
from launcher.command import say

T = TypeVar("T")
_LABELS = {Severity.OK: "OK", Severity.INFO: "INFO", Severity.WARNING: "WARN", Severity.ERROR: "FAIL"}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One finding about a subject, such as the role.

    Attributes:
        is_news: whether to show it before a job starts, though all is well.
    """

    severity: Severity
    subject: str
    message: str
    remedy: str = ""
    is_news: bool = False

    @property
    def label(self) -> str:
        """How the table shows its severity."""
        return _LABELS[self.severity]


def ok(subject: str, message: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(Severity.OK, subject, message)


def told(finding: Finding) -> Finding:
    """Return the finding as one to show before a job starts."""
    return dataclasses.replace(finding, is_news=True)


def warn(subject: str, message: str, remedy: str = "") -> Finding:
    """Return a doubt: it stops nothing."""
    return Finding(Severity.WARNING, subject, message, remedy)


def fail(subject: str, message: str, remedy: str) -> Finding:
    """Return a failure: nothing is started."""
    return Finding(Severity.ERROR, subject, message, remedy)


def examine(subject: str, check: Callable[[], Iterable[Finding]], needed: str = "") -> list[Finding]:
    """Run a check; turn its errors into findings.

    An error is a failure, but a doubt where AWS could not be reached or did not permit the question.

    Args:
        needed: remedy where the request depends on the answer, so that a doubt is a failure too.
    """
    found: list[Finding] = []
    try:
        for finding in check():
            found.append(finding)  # one by one: a later step of the check may raise
    except ContainerError as error:
        found.append(fail(subject, error.cause, error.remedy))
    except AWS_ERRORS as error:
        meaning = explain(error)
        if meaning is None:
            raise
        denied = isinstance(error, ClientError) and is_denied(error)
        if not denied and not isinstance(meaning, PlatformError):
            return [*found, fail(subject, meaning.cause, meaning.remedy)]
        reason = f"you may not call {error.operation_name}" if denied else meaning.cause
        remedy = "" if denied else meaning.remedy
        message = f"could not be checked: {reason}"
        found.append(
            fail(subject, message, f"{remedy} {needed}".strip()) if needed else warn(subject, message, remedy)
        )
    return found


def obtain(subject: str, get: Callable[[], T], needed: str) -> tuple[T | None, list[Finding]]:
    """Return what a request depends on, or None and the failure that kept it from being found.

    Args:
        needed: as for `examine`.
    """
    obtained: list[T] = []

    def check() -> Iterable[Finding]:
        obtained.append(get())
        return ()

    findings = examine(subject, check, needed)
    return next(iter(obtained), None), findings


def table(findings: Sequence[Finding]) -> str:
    """Return one line per finding, its remedy below."""
    width = max((len(finding.subject) for finding in findings), default=0)
    lines = []
    for finding in findings:
        lines.append(f"{finding.label:<5} {finding.subject:<{width}}  {finding.message}")
        if finding.remedy:
            lines.append(f"{'':<5} {'':<{width}}  → {finding.remedy}")
    return "\n".join(lines)


def refuse_failures(findings: Sequence[Finding]) -> None:
    """Raise one UserError that names every failure and its remedy.

    Raises:
        UserError: when there is a failure.
    """
    failures = [finding for finding in findings if finding.severity is Severity.ERROR]
    if failures:
        listed = [f"{f.subject}: {f.message.rstrip('.')}. {f.remedy}".strip() for f in failures]
        count = "One check" if len(failures) == 1 else f"{len(failures)} checks"
        raise UserError("\n  ".join([f"{count} failed, so nothing was started:", *listed]))


def say_doubts(findings: Sequence[Finding]) -> None:
    """Show the findings that stop nothing but should be known."""
    doubts = [finding for finding in findings if finding.severity is Severity.WARNING or finding.is_news]
    if doubts:
        say(table(doubts))
