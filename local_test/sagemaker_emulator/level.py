"""The three levels of checks."""

import enum


class Level(enum.StrEnum):
    """What a failed check means; the value is for programs, the heading for people."""

    REFUSES = "refuses"
    COSTS = "costs"
    PRACTICE = "practice"

    @property
    def heading(self) -> str:
        """What stands above the checks of this level."""
        return _HEADINGS[self]


_HEADINGS = {
    Level.REFUSES: "SageMaker refuses",
    Level.COSTS: "It will cost you",
    Level.PRACTICE: "Good practice",
}
