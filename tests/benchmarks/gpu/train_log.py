"""The log of the `train` program with the time of each line: phases, speed, scores. Standard library only."""

import dataclasses
import re
from collections.abc import Iterable, Sequence

# The line with which each phase begins; a phase ends where the next one begins, in whatever order they come.
_BEGINS = {
    "reading": re.compile(r"reading the data$"),
    "tokenising": re.compile(r"tokenising the texts"),
    "examining the data": re.compile(r"examining the data$"),
    "loading the model": re.compile(r"data: \S+ findings?, "),
    "training": re.compile(r"training [\d.]+ M parameters"),
    "evaluating on validation": re.compile(r"step=(\d+) total_steps=\1 "),
    "evaluating on test, exporting": re.compile(r"step=\d+ eval_loss="),
    "writing reports": re.compile(r"the model has the weights of"),
}
_PAIR = re.compile(r"\b([a-z]\w*)=(-?[\d.]+)(?=\s|$)")
_DONE = re.compile(r"done in \d+ s: ")


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of the log, and the seconds from the start of the program until it was written."""

    seconds: float
    text: str


def phases_of(lines: Sequence[Line], end: float) -> dict[str, float]:
    """Return the seconds of each phase that the log shows, in the order of their beginnings.

    What precedes the first is `starting`. Phases whose line is missing are not there: another one includes their time.

    Args:
        end: seconds until the program ended.
    """
    begins = {"starting": 0.0}
    for line in lines:
        found = (name for name, pattern in _BEGINS.items() if pattern.search(line.text))
        begins.update((name, line.seconds) for name in found if name not in begins)
    ordered = sorted(begins.items(), key=lambda item: item[1])
    ends = [*(seconds for _, seconds in ordered[1:]), end]
    return {name: until - begin for (name, begin), until in zip(ordered, ends, strict=True)}


def values_of(lines: Iterable[Line], name: str) -> list[float]:
    """Return the numbers that the log gives under a name, as in test_accuracy=0.99, in order."""
    pairs = (pair for line in lines for pair in _PAIR.findall(line.text))
    return [float(value) for found, value in pairs if found == name]


def is_done(lines: Iterable[Line]) -> bool:
    """Return whether the program says that the model is complete."""
    return any(_DONE.search(line.text) for line in lines)
