"""The severity of a finding: one scale for the data doctor and the launcher."""

import enum


class Severity(enum.StrEnum):
    """How serious a finding is, most serious first."""

    ERROR = "error"  # it would waste the run, so nothing starts
    WARNING = "warning"
    INFO = "info"
    OK = "ok"

    @property
    def rank(self) -> int:
        """Position on the scale, to sort by; 0 is the most serious."""
        return list(Severity).index(self)
