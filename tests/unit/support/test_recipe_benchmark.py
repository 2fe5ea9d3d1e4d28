"""The recipe benchmark: what it draws, what it keeps, and what its tables say."""

import csv
import json
from collections import Counter

import pytest

from support.recipe_data import DataSet, read_rows
from support.recipe_results import Results, Run, Score, difference_table, score_table
from support.recipe_task import Draw, answer_in

ORDER = ["project", "grid", "setfit"]
TRAIN = [(label, f"{label} {number}") for label in "ba" for number in range(40)] + [("c", "c 0")]
DATA = DataSet("toy", TRAIN, [("a", f"test {number}") for number in range(30)], 20)


def rows_by_label(draw: Draw):
    """Return how many training rows a draw has of each class."""
    return Counter(label for label, _ in draw.train)


def test_a_draw_has_as_many_rows_of_each_class_or_all_there_are() -> None:
    """Class c has a single row."""
    draw = DATA.draw(8, seed=0)
    assert rows_by_label(draw) == {"a": 8, "b": 8, "c": 1}
    assert draw.labels == ["a", "b", "c"]
    assert draw.targets(draw.train) == [0] * 8 + [1] * 8 + [2]


def test_no_row_is_drawn_twice() -> None:
    """Validation takes what training left, at most 64 rows."""
    draw = DATA.draw(8, seed=0)
    assert len(draw.validation) == 64
    assert len({*draw.train, *draw.validation}) == 17 + 64


def test_seeds_draw_other_training_rows_and_the_same_test_rows() -> None:
    """The same seed draws the same."""
    first, again, other = DATA.draw(8, 0), DATA.draw(8, 0), DATA.draw(8, 1)
    assert first == again
    assert set(first.train) != set(other.train)
    assert first.test == other.test
    assert len(set(first.test)) == 20


@pytest.mark.parametrize(("size", "expected"), [(40, True), (41, False)])
def test_a_size_needs_most_classes_to_have_as_many(size, expected) -> None:
    """Two of the three classes have 40 rows."""
    assert DATA.has(size) is expected


@pytest.mark.parametrize("header", [[], [["label", "title", "text"]]])
def test_rows_are_first_and_last_column(tmp_path, header) -> None:
    """With and without a header."""
    path = tmp_path / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([*header, ["1", "", 'a "b",\nc'], ["2", "d", "e"]])
    assert read_rows(path) == [("1", 'a "b",\nc'), ("2", "e")]


def run(contender: str, seed: int = 0, size: int = 8, **setting) -> Run:
    """Return a run on the toy data."""
    return Run("bert", "toy", size, seed, contender, json.dumps(setting))


def test_results_are_found_again_and_a_torn_line_is_not(tmp_path) -> None:
    """What is added after a torn line stands on a line of its own."""
    path = tmp_path / "results.jsonl"
    kept = Results(path)
    kept.add(run("project"), {"accuracy": 0.5, "cpu_seconds": 3.0, "steps": 120})
    with path.open("a", encoding="utf-8") as file:
        file.write('{"encoder": "be')
    resumed = Results(path)
    assert resumed.scores == {run("project"): Score(0.5, 3.0)}
    resumed.add(run("grid", steps=60), {"accuracy": 0.75, "cpu_seconds": 1.0})
    assert Results(path).scores == {**resumed.scores, run("grid", steps=60): Score(0.75, 1.0)}


SCORES = {
    run("project", 0): Score(0.80, 10),
    run("project", 1): Score(0.90, 20),
    run("grid", 0, steps=60): Score(0.85, 1),
    run("grid", 0, steps=120): Score(0.70, 2),
    run("grid", 1, steps=60): Score(0.60, 1),
    run("grid", 1, steps=120): Score(0.95, 2),
    run("project", 0, size=32): Score(0.97, 10),
    run("grid", 0, size=32, steps=60): Score(0.96, 10),
    run("setfit", 0, num_iterations=20): Score(0.5, 7),
}


def test_the_table_has_mean_spread_and_seconds_and_of_the_grid_the_best_of_each_draw() -> None:
    """Worked out by hand; the grid's seconds are those of all its settings."""
    assert score_table(SCORES, ORDER).splitlines()[2:] == [
        "| bert | toy | 8 | 85.0 (80.0–90.0), 15 s | 90.0 (85.0–95.0), 3 s | 50.0, 7 s |",
        "| bert | toy | 32 | 97.0, 10 s | 96.0, 10 s | – |",
    ]


def test_settings_stand_in_the_heading_but_those_of_the_grid() -> None:
    """The grid's are many."""
    heading = score_table(SCORES, ORDER).splitlines()[0]
    assert heading == "| encoder | data | rows per class | project | grid | setfit num_iterations=20 |"


def test_differences_are_over_the_draws_that_both_have() -> None:
    """Project: −5 and −5 points at 8 rows, +1 at 32; SetFit has one draw, where the grid has 85 %."""
    assert difference_table(SCORES, ORDER).splitlines()[2:] == [
        "| project | 2 | -2.0 | -5.0 | toy 8 |",
        "| setfit num_iterations=20 | 1 | -35.0 | -35.0 | toy 8 |",
    ]


def test_an_answer_is_the_last_line_of_its_form() -> None:
    """Whatever a library prints around it."""
    output = 'loss {"accuracy": 1}\n{"accuracy": 0.5, "cpu_seconds": 1}\nbye\n'
    assert answer_in(output) == {"accuracy": 0.5, "cpu_seconds": 1}
    with pytest.raises(ValueError, match="no answer"):
        answer_in("bye\n")
