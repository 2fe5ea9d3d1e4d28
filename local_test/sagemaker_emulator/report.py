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
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sagemaker_emulator.checks import CHECKS, GROUPS, Check
from sagemaker_emulator.level import Level


class Outcome(enum.StrEnum):
    """How a check ended: FAIL where SageMaker refuses or it costs, WARN against good practice."""

    PASS = "PASS"  # noqa: S105 - no password
    FAIL = "FAIL"
    WARN = "WARN"
    SKIP = "SKIP"


@dataclass(frozen=True)
class Finding:
    """One row of the table: how a check ended, what was seen, and what a failure of that kind means."""

    check: Check
    outcome: Outcome
    seen: str
    level: Level

    @property
    def is_fault(self) -> bool:
        """Whether the check failed, at whichever level."""
        return self.outcome in (Outcome.FAIL, Outcome.WARN)


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

    def wants(self, names: Iterable[str]) -> bool:
        """Return whether one of these checks is in the wanted groups."""
        return not {check.name for check in self._wanted}.isdisjoint(names)

    def judge(self, name: str, holds: bool | None, seen: str, level: Level | None = None) -> None:
        """Record whether a check holds, and what was seen; None = what it is about did not happen.

        Args:
            level: of this fault, where it is another than the check's.
        """
        if holds is None:
            self.skip(name, seen)
            return
        check = CHECKS[name]
        level = check.level if holds or level is None else level
        failed = Outcome.WARN if level is Level.PRACTICE else Outcome.FAIL
        self._add(Finding(check, Outcome.PASS if holds else failed, seen, level))

    def skip(self, name: str, reason: str) -> None:
        """Record that a check could not be made here, and why."""
        self._add(Finding(CHECKS[name], Outcome.SKIP, reason, CHECKS[name].level))

    def skip_rest(self, names: Iterable[str], reason: str) -> None:
        """Skip those of `names` that nothing was recorded for."""
        for name in names:
            if name not in self._found:
                self.skip(name, reason)

    def close(self, names: Iterable[str], reason: str) -> None:
        """Record a failure for those of `names` that nothing was recorded for."""
        for name in names:
            if name not in self._found:
                self._add(_unknown(CHECKS[name], reason))

    def silence(self) -> None:
        """Print no more findings: the rehearsal is being ended."""
        self._is_talkative = False

    def findings(self) -> list[Finding]:
        """Return a row for each wanted check, in the catalogue's order."""
        missing = "not reached: the rehearsal was ended before"
        return [self._found.get(check.name, _unknown(check, missing)) for check in self._wanted]

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


def _unknown(check: Check, reason: str) -> Finding:
    """Return the finding of a check that broke, which speaks for no image."""
    outcome = Outcome.WARN if check.level is Level.PRACTICE else Outcome.FAIL
    return Finding(check, outcome, reason, check.level)


def worst(findings: Iterable[Finding]) -> Level | None:
    """Return the gravest level that something failed at, None where nothing did."""
    failed = {finding.level for finding in findings if finding.is_fault}
    return next((level for level in Level if level in failed), None)


def is_sound(outcomes: Collection[Outcome]) -> bool:
    """Return whether outcomes speak for an image: none failed, and not all were skipped."""
    return Outcome.FAIL not in outcomes and Outcome.PASS in outcomes


def as_table(findings: Iterable[Finding], width: int | None = None) -> str:
    """Return the table, a part for each level: outcome, check, what SageMaker does, what was seen, remedies."""
    width = width or shutil.get_terminal_size((120, 24)).columns
    rows = list(findings)
    parts = [_part(level, [row for row in rows if row.level is level], width) for level in Level]
    end = textwrap.wrap(verdict(rows), width)
    return "\n".join([*(line for part in parts for line in part), summary(rows), *end])


def _part(level: Level, rows: Sequence[Finding], width: int) -> list[str]:
    """Return the lines of a level, its faults first."""
    if not rows:
        return []
    name_width = max(len(name) for name in CHECKS)
    rest = max(width - 6 - name_width - 4, 40)
    left = rest // 2
    faults = sum(row.is_fault for row in rows)
    title = f"{level.heading.upper()}: {faults or 'none'} of {len(rows)}"
    lines = [title, f"{'':4}  {'check':{name_width}}  {'SageMaker …':{left}}  seen"]
    indent = " " * (8 + name_width)
    for row in sorted(rows, key=lambda row: not row.is_fault):
        lines += _row(row, name_width, left, rest - left)
        if row.is_fault:
            lines += textwrap.wrap(
                f"→ {row.check.remedy}", rest, initial_indent=indent, subsequent_indent=indent + "  "
            )
    return [*lines, ""]


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


def verdict(findings: Iterable[Finding]) -> str:
    """Return the sentence at the end: what the gravest faults mean, and which checks show them."""
    found = list(findings)
    level = worst(found)
    names = ", ".join(row.check.name for row in found if row.is_fault and row.level is level)
    match level:
        case Level.REFUSES:
            return f"SageMaker refuses this image, or part of it: {names}."
        case Level.COSTS:
            return f"SageMaker runs this image, but it will cost you: {names}."
        case Level.PRACTICE:
            return f"SageMaker runs this image. Against good practice: {names}."
    return "SageMaker runs this image." if is_sound([row.outcome for row in found]) else "Nothing was seen."


def as_json(image: str, findings: Iterable[Finding]) -> str:
    """Return the findings as a JSON document."""
    found = list(findings)
    rows = [
        {
            "check": row.check.name,
            "level": row.level,
            "outcome": row.outcome,
            "required": row.level is not Level.PRACTICE,
            "sagemaker": row.check.platform,
            "seen": row.seen,
            "remedy": row.check.remedy,
        }
        for row in found
    ]
    is_conformant = is_sound([finding.outcome for finding in found])
    document = {"image": image, "conformant": is_conformant, "worst": worst(found), "checks": rows}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
