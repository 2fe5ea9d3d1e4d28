"""What checks find: each finding good, doubtful or wrong, with a remedy."""

import dataclasses
import enum
from collections.abc import Callable, Iterable, Sequence

from botocore.exceptions import ClientError

from bert_classifier.errors import ContainerError, PlatformError, UserError
from launcher.aws.refusals import AWS_ERRORS, explain, is_denied


class Level(enum.StrEnum):
    """How a finding counts."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One finding about a subject, such as the role."""

    level: Level
    subject: str
    told: str
    remedy: str = ""


def ok(subject: str, told: str) -> Finding:
    """Return a good finding."""
    return Finding(Level.OK, subject, told)


def warn(subject: str, told: str, remedy: str = "") -> Finding:
    """Return a doubtful finding: it stops nothing."""
    return Finding(Level.WARN, subject, told, remedy)


def fail(subject: str, told: str, remedy: str) -> Finding:
    """Return a wrong finding: nothing is started with it."""
    return Finding(Level.FAIL, subject, told, remedy)


def examine(subject: str, check: Callable[[], Iterable[Finding]], needed: str = "") -> list[Finding]:
    """Return what a check finds; what nobody answers or permits is doubtful, what AWS refuses otherwise is wrong.

    Args:
        needed: what to give instead, where the request is made of the answer: without one nothing can be started then.
    """
    found: list[Finding] = []
    try:
        for finding in check():
            found.append(finding)  # one by one: a later step of the check may raise
    except ContainerError as error:
        found.append(fail(subject, error.cause, error.remedy))
    except AWS_ERRORS as error:
        told = explain(error)
        if told is None:
            raise
        denied = isinstance(error, ClientError) and is_denied(error)
        if not denied and not isinstance(told, PlatformError):
            return [*found, fail(subject, told.cause, told.remedy)]
        why = f"you may not call {error.operation_name}" if denied else told.cause
        remedy = "" if denied else told.remedy
        doubt = f"could not be checked: {why}"
        found.append(
            fail(subject, doubt, f"{remedy} {needed}".strip()) if needed else warn(subject, doubt, remedy)
        )
    return found


def table(findings: Sequence[Finding]) -> str:
    """Return the findings a line each, the remedy below what is not in order."""
    width = max((len(finding.subject) for finding in findings), default=0)
    lines = []
    for finding in findings:
        lines.append(f"{finding.level:<5} {finding.subject:<{width}}  {finding.told}")
        if finding.remedy:
            lines.append(f"{'':<5} {'':<{width}}  → {finding.remedy}")
    return "\n".join(lines)


def refuse_failures(findings: Sequence[Finding]) -> None:
    """Raise one UserError with everything that is wrong, each with its remedy; nothing is said when nothing is.

    Raises:
        UserError: when a finding is FAIL.
    """
    wrong = [finding for finding in findings if finding.level is Level.FAIL]
    if wrong:
        listed = [f"{f.subject}: {f.told.rstrip('.')}. {f.remedy}".strip() for f in wrong]
        count = "One thing is" if len(wrong) == 1 else f"{len(wrong)} things are"
        raise UserError("\n  ".join([f"{count} not in order, so nothing was started:", *listed]))
