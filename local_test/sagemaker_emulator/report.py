"""The findings: one row per check, as a table for people and as JSON for programs.

A check ends in an outcome of its own scale, not in a Severity of bert_classifier: it may pass or be skipped, and this
command knows nothing of the image's program, so that it runs for any image without it.
"""

import enum
import json
import shutil
import sys
import textwrap
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sagemaker_emulator.checks import CHECKS, GROUPS, Check


class Outcome(enum.StrEnum):
    """How a check ended; only FAIL counts against the image."""

    PASS = "PASS"  # noqa: S105 - no password
    FAIL = "FAIL"
    WARN = "WARN"
    SKIP = "SKIP"


@dataclass(frozen=True)
class Finding:
    """One row of the table: how a check ended, and what was seen."""

    check: Check
    outcome: Outcome
    seen: str


class Report:
    """Collect findings from all threads.

    Args:
        groups: of the wanted checks; findings of others are dropped.
        is_talkative: whether to print each finding on stderr as it comes.
    """

    def __init__(self, groups: Iterable[str] = GROUPS, *, is_talkative: bool = False) -> None:
        self._wanted = [check for check in CHECKS.values() if check.group in set(groups)]
        self._found: dict[str, Finding] = {}
        self._lock = threading.Lock()
        self._is_talkative = is_talkative

    def judge(self, name: str, holds: bool | None, seen: str) -> None:
        """Record whether a check holds, and what was seen; None = what it is about did not happen."""
        if holds is None:
            self.skip(name, seen)
            return
        check = CHECKS[name]
        failed = Outcome.FAIL if check.is_required else Outcome.WARN
        self._add(Finding(check, Outcome.PASS if holds else failed, seen))

    def skip(self, name: str, reason: str) -> None:
        """Record that a check could not be made here, and why."""
        self._add(Finding(CHECKS[name], Outcome.SKIP, reason))

    def skip_rest(self, names: Iterable[str], reason: str) -> None:
        """Skip those of `names` that nothing was recorded for."""
        for name in names:
            if name not in self._found:
                self.skip(name, reason)

    def close(self, names: Iterable[str], reason: str) -> None:
        """Record a failure for those of `names` that nothing was recorded for."""
        for name in names:
            if name not in self._found:
                self._add(Finding(CHECKS[name], Outcome.FAIL, reason))

    def silence(self) -> None:
        """Print no more findings: the rehearsal is being ended."""
        self._is_talkative = False

    def findings(self) -> list[Finding]:
        """Return a row for each wanted check, in the catalogue's order."""
        missing = "not reached: the rehearsal was ended before"
        return [self._found.get(c.name, Finding(c, Outcome.FAIL, missing)) for c in self._wanted]

    def is_conformant(self, *, is_strict: bool = False) -> bool:
        """Return whether something passed and nothing failed; strictly, whether everything passed."""
        outcomes = {finding.outcome for finding in self.findings()}
        return outcomes == {Outcome.PASS} if is_strict else is_sound(outcomes)

    def is_empty(self) -> bool:
        """Return whether nothing was found out: every check was skipped."""
        return {finding.outcome for finding in self.findings()} <= {Outcome.SKIP}

    def _add(self, finding: Finding) -> None:
        with self._lock:
            self._found[finding.check.name] = finding
            if self._is_talkative and finding.check in self._wanted:
                print(f"  {finding.outcome}  {finding.check.name}", file=sys.stderr, flush=True)


def is_sound(outcomes: Collection[Outcome]) -> bool:
    """Return whether outcomes speak for an image: none failed, and not all were skipped."""
    return Outcome.FAIL not in outcomes and Outcome.PASS in outcomes


def as_table(findings: Iterable[Finding], width: int | None = None) -> str:
    """Return the table: outcome, check, what SageMaker does, what was seen; below a failure its remedy."""
    width = width or shutil.get_terminal_size((120, 24)).columns
    name_width = max(len(name) for name in CHECKS)
    rest = max(width - 6 - name_width - 4, 40)
    left = rest // 2
    lines = [f"{'':4}  {'check':{name_width}}  {'SageMaker …':{left}}  seen"]
    indent = " " * (8 + name_width)
    rows = list(findings)
    for row in rows:
        lines += _row(row, name_width, left, rest - left)
        if row.outcome in (Outcome.FAIL, Outcome.WARN):
            lines += textwrap.wrap(
                f"→ {row.check.remedy}", rest, initial_indent=indent, subsequent_indent=indent + "  "
            )
    return "\n".join([*lines, "", summary(rows)])


def _row(row: Finding, name_width: int, left: int, right: int) -> list[str]:
    platform = textwrap.wrap(row.check.platform, left)
    seen = textwrap.wrap(row.seen, right) or [""]
    height = max(len(platform), len(seen))
    platform += [""] * (height - len(platform))
    seen += [""] * (height - len(seen))
    heads = [f"{row.outcome:4}  {row.check.name:{name_width}}"] + [" " * (6 + name_width)] * (height - 1)
    return [f"{head}  {a:{left}}  {b}".rstrip() for head, a, b in zip(heads, platform, seen, strict=True)]


def summary(findings: Iterable[Finding]) -> str:
    """Return the counts in one line."""
    outcomes = [finding.outcome for finding in findings]
    return ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in Outcome)


def as_json(image: str, findings: Iterable[Finding]) -> str:
    """Return the findings as a JSON document."""
    found = list(findings)
    rows = [
        {
            "check": row.check.name,
            "outcome": row.outcome,
            "required": row.check.is_required,
            "sagemaker": row.check.platform,
            "seen": row.seen,
            "remedy": row.check.remedy,
        }
        for row in found
    ]
    is_conformant = is_sound([finding.outcome for finding in found])
    document = {"image": image, "conformant": is_conformant, "checks": rows}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
