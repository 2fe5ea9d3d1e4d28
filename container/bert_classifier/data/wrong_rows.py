"""The rows that cannot be used: named in one error, however many there are.

Standard library only.
"""

from bert_classifier.errors import UserError
from bert_classifier.job.wording import counted

_MOST_REASONS = 20  # named in one message
_MOST_PLACES = 3  # of rows with the same reason


class WrongRows:
    """Collects rows that cannot be used: counts all of them, and remembers the first of each reason.

    Attributes:
        count: rows added.
    """

    def __init__(self) -> None:
        self.count = 0
        self._counts: dict[str, int] = {}
        self._places: dict[str, list[str]] = {}

    @property
    def reasons(self) -> list[str]:
        """The different reasons, in the order of their first row; at most one more than a message names."""
        return [*self._counts]

    def add(self, place: str, reason: str) -> None:
        """Add a row, or another reason for the same one."""
        self.count += 1
        if reason not in self._counts and len(self._counts) > _MOST_REASONS:
            return  # there is one reason more than the message names already
        self._counts[reason] = self._counts.get(reason, 0) + 1
        places = self._places.setdefault(reason, [])
        if place and len(places) < _MOST_PLACES:
            places.append(place)

    def refuse(self, hint: str = "") -> None:
        """Raise one UserError for all rows, if there are any.

        Args:
            hint: appended to the remedy.
        """
        if not self.count:
            return
        raise UserError(
            f"{counted(self.count, 'row')} of the data cannot be used: {self.summary}.",
            f"Correct or remove these rows.{hint}",
        )

    @property
    def summary(self) -> str:
        """The first places of each reason, such as "line 2, line 5: the text is empty"."""
        reasons = [f"{self._first_of(reason)}{reason}" for reason in self.reasons]
        rest = "; …" if len(reasons) > _MOST_REASONS else ""
        return f"{'; '.join(reasons[:_MOST_REASONS])}{rest}"

    def _first_of(self, reason: str) -> str:
        places = self._places[reason]
        more = self._counts[reason] - _MOST_PLACES
        named = ", ".join(places)
        return (f"{named} and {more} more: " if more > 0 else f"{named}: ") if named else ""
