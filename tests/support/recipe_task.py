"""What a contender of the recipe benchmark gets and gives: a file with its texts, and a line of JSON.

Standard library only: contenders also run in environments without this project's requirements.
"""

import dataclasses
import json
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

Row = tuple[str, str]  # label, text


@dataclasses.dataclass(frozen=True)
class Draw:
    """Rows to train, validate and test on.

    Attributes:
        labels: the classes, sorted.
        validation: texts beside the training rows, for who can use them.
    """

    labels: list[str]
    train: list[Row]
    validation: list[Row]
    test: list[Row]

    def targets(self, rows: Sequence[Row]) -> list[int]:
        """Return the class number of each row."""
        number = {label: index for index, label in enumerate(self.labels)}
        return [number[label] for label, _ in rows]


@dataclasses.dataclass(frozen=True)
class Task(Draw):
    """A training to do.

    Attributes:
        encoder: folder of the pretrained encoder, a sentence-transformers checkpoint if SetFit is to train it.
        setting: what differs from the contender's defaults.
    """

    encoder: str
    seed: int
    threads: int
    setting: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write the task for `given`."""
        path.write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")

    @classmethod
    def given(cls) -> Self:
        """Return the task in the file that the command line names."""
        return cls(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))


def texts(rows: Sequence[Row]) -> list[str]:
    """Return the texts of the rows."""
    return [text for _, text in rows]


class Stopwatch:
    """CPU seconds of this process and of those that it has waited for, from now on."""

    def __init__(self) -> None:
        self._started = _cpu_seconds()

    def answer(self, accuracy: float, **facts: Any) -> None:
        """Print the test accuracy, the CPU seconds so far and other facts as the benchmark reads them."""
        seconds = round(_cpu_seconds() - self._started, 1)
        answer = {"accuracy": accuracy, "cpu_seconds": seconds, **facts}
        sys.stdout.write(f"\n{json.dumps(answer)}\n")


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def share_right(predicted: Sequence[Any], expected: Sequence[Any]) -> float:
    """Return the accuracy."""
    return sum(a == b for a, b in zip(predicted, expected, strict=True)) / len(expected)


def answer_in(output: str) -> Mapping[str, Any]:
    """Return what `Stopwatch.answer` printed last; raises ValueError when it did not."""
    lines = [line for line in output.splitlines() if line.startswith('{"accuracy"')]
    if not lines:
        raise ValueError("no answer")
    return dict(json.loads(lines[-1]))
