"""What a terminal shows of the characters written to it, as far as programs here use it."""

import dataclasses
import re

_PIECES = re.compile(r"\x1b\[(\d*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


@dataclasses.dataclass
class _Screen:
    """The lines of a terminal of so many columns, which never scrolls, and its cursor."""

    columns: int
    lines: list[str] = dataclasses.field(default_factory=lambda: [""])
    row: int = 0
    column: int = 0

    def move(self, control: str) -> None:
        """Go to the start of the line, or of the next."""
        self.column = 0
        self.row += control == "\n"
        self.lines += [""] * (self.row + 1 - len(self.lines))

    def obey(self, command: str, count: int) -> None:
        """Follow a control sequence: K clears the rest of the line, A goes up."""
        assert command in ("K", "A"), f"unknown control sequence: {command}"
        if command == "K":
            self.lines[self.row] = self.lines[self.row][: self.column]
        else:
            self.row = max(0, self.row - count)

    def show(self, text: str) -> None:
        """Write over what is there; the character after the last column goes to the next line."""
        for character in text:
            if self.column == self.columns:
                self.move("\n")
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1


def screen_of(written: str, columns: int) -> list[str]:
    """Return all lines, wrapped at `columns`, without blanks at their ends and without empty ones at the end.

    Raises:
        AssertionError: for a control sequence that it does not know.
    """
    screen = _Screen(columns)
    for count, command, control, text in _PIECES.findall(written):
        if command:
            screen.obey(command, int(count or 1))
        elif control:
            screen.move(control)
        else:
            screen.show(text)
    return "\n".join(line.rstrip() for line in screen.lines).rstrip("\n").split("\n")
