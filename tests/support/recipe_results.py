"""What the recipe benchmark has measured: a file of JSON lines that a broken-off run goes on from, and its tables."""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

GRID = "grid"


@dataclasses.dataclass(frozen=True, order=True)
class Run:
    """What a result is the result of.

    Attributes:
        size: training rows per class.
        setting: what differs from the contender's defaults, as sorted JSON.
    """

    encoder: str
    data: str
    size: int
    seed: int
    contender: str
    setting: str = "{}"

    @property
    def place(self) -> tuple[str, str, int]:
        """The row of the table."""
        return self.encoder, self.data, self.size

    @property
    def title(self) -> str:
        """The column of the table: all settings of the grid share one."""
        setting = {} if self.contender == GRID else json.loads(self.setting)
        return " ".join([self.contender, *(f"{name}={value}" for name, value in setting.items())])


@dataclasses.dataclass(frozen=True)
class Score:
    """Test accuracy and CPU seconds of a run."""

    accuracy: float
    cpu_seconds: float


class Results:
    """The results in a file.

    Args:
        path: need not exist. A line that broke off is passed over.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.scores: dict[Run, Score] = {}
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        self._starts_line = not text or text.endswith("\n")
        for line in text.splitlines():
            self._read(line)

    def _read(self, line: str) -> None:
        try:
            facts = json.loads(line)
        except ValueError:
            return
        run = Run(**{field.name: facts[field.name] for field in dataclasses.fields(Run)})
        self.scores[run] = Score(facts["accuracy"], facts["cpu_seconds"])

    def add(self, run: Run, answer: Mapping[str, Any]) -> None:
        """Keep a result, at once."""
        self.scores[run] = Score(answer["accuracy"], answer["cpu_seconds"])
        line = json.dumps({**dataclasses.asdict(run), **answer}) + "\n"
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line if self._starts_line else f"\n{line}")
        self._starts_line = True


Scores = Mapping[Run, Score]
Cells = dict[tuple[str, str, int], dict[str, dict[int, Score]]]


def cells(scores: Scores) -> Cells:
    """Return for each row and column of the table the score of each seed; of the grid's settings, the best on the test.

    The grid is thereby as strong as it can be: nobody can choose by test texts. Its CPU seconds are those of all its
    settings.
    """
    runs: dict[tuple[tuple[str, str, int], str, int], list[Score]] = defaultdict(list)
    for run, score in scores.items():
        runs[run.place, run.title, run.seed].append(score)
    found: Cells = defaultdict(lambda: defaultdict(dict))
    for (place, title, seed), several in runs.items():
        best = max(score.accuracy for score in several)
        found[place][title][seed] = Score(best, sum(score.cpu_seconds for score in several))
    return found


def score_table(scores: Scores, order: Sequence[str]) -> str:
    """Return for each data set and size the mean accuracy over the seeds, the lowest and highest, and CPU seconds.

    Args:
        order: contenders, in the order of their columns.
    """
    found = cells(scores)
    titles = _titles(found, order)
    lines = [_line(["encoder", "data", "rows per class", *titles]), _line(["---"] * (3 + len(titles)))]
    for (encoder, data, size), columns in sorted(found.items()):
        written = [_written(list(columns.get(title, {}).values())) for title in titles]
        lines.append(_line([encoder, data, str(size), *written]))
    return "\n".join(lines)


def difference_table(scores: Scores, order: Sequence[str], beside: str = GRID) -> str:
    """Return by how many points each contender is right more often than `beside`, on the mean and at worst.

    The mean is over rows of the table, each the mean over the seeds that both have; the worst is the worst row. Empty
    without anything to compare.
    """
    found = cells(scores)
    lines = [_line(["beside " + beside, "rows of the table", "mean", "worst", "where"]), _line(["---"] * 5)]
    for title in _titles(found, order):
        differences = {
            f"{data} {size}": difference
            for (_, data, size), columns in found.items()
            if (difference := _difference(columns.get(title, {}), columns.get(beside, {}))) is not None
        }
        if title != beside and differences:
            worst = min(differences, key=differences.__getitem__)
            mean = _mean(differences.values())
            lines.append(
                _line([title, str(len(differences)), _points(mean), _points(differences[worst]), worst])
            )
    return "\n".join(lines) if lines[2:] else ""


def _difference(ours: Mapping[int, Score], theirs: Mapping[int, Score]) -> float | None:
    """Return the mean difference in accuracy over the seeds that both have; None without one."""
    shared = ours.keys() & theirs.keys()
    return _mean(ours[seed].accuracy - theirs[seed].accuracy for seed in shared) if shared else None


def _titles(found: Cells, order: Sequence[str]) -> list[str]:
    titles = {title for columns in found.values() for title in columns}

    def place(title: str) -> tuple[int, str]:
        return order.index(title.partition(" ")[0]), title

    return sorted(titles, key=place)


def _written(several: Sequence[Score]) -> str:
    if not several:
        return "–"
    accuracies = [100 * score.accuracy for score in several]
    spread = f" ({min(accuracies):.1f}–{max(accuracies):.1f})" if len(several) > 1 else ""
    return f"{_mean(accuracies):.1f}{spread}, {_mean(score.cpu_seconds for score in several):.0f} s"


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}"


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)


def _line(columns: Sequence[str]) -> str:
    return f"| {' | '.join(columns)} |"
