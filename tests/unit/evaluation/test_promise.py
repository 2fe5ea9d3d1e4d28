"""Whether a promised accuracy holds on other texts: the interval decides."""

import pytest

from bert_classifier.evaluation.promise import promise_kept


@pytest.mark.parametrize(
    ("right", "answered", "verdict"),
    [
        (500, 500, "The promise holds here."),
        (48, 50, "The promise is kept on these texts, which are too few to show more."),
        (94, 100, "That is below the promise, by no more than chance explains."),
        (
            80,
            100,
            "The promise does not hold here: these texts or their labels differ from those of validation.",
        ),
    ],
)
def test_a_promise_is_judged_by_its_interval(right: int, answered: int, verdict: str) -> None:
    """Of a target of 0.95: above it, at it, below it by chance, and below it."""
    assert promise_kept(0.95, right, answered, 2 * answered).endswith(f" {verdict}")


def test_the_numbers_are_told() -> None:
    """How many texts got a label, and how many of these are right."""
    assert promise_kept(0.9, 44, 48, 60).startswith(
        "target_accuracy=0.9 is promised for the texts that get a label: 48 of 60 texts here, 92 % of them right"
        " (95 % interval 80–97 %). "
    )


def test_no_label_is_no_accuracy() -> None:
    """Where no text gets a label, nothing is judged."""
    assert promise_kept(0.9, 0, 0, 60).endswith(": here, none of 60 texts does.")
