"""How much something that a check found matters: one scale for the data doctor, the launcher and the emulator."""

import enum


class Severity(enum.StrEnum):
    """The gravest first."""

    ERROR = "error"  # it would waste the run, so nothing starts
    WARNING = "warning"
    INFO = "info"
    OK = "ok"

    @property
    def rank(self) -> int:
        """Position on the scale, to sort by; 0 is the gravest."""
        return list(Severity).index(self)
