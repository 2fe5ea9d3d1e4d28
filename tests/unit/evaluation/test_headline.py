"""The sentence that matters first, worked out by hand."""

from typing import Any

import numpy as np
import pytest

from bert_classifier.evaluation.calibration import Temperature
from bert_classifier.evaluation.floor import Floor, FloorScore
from bert_classifier.evaluation.headline import headline, interval_text, most_frequent_mistake, percent
from bert_classifier.evaluation.result import EvaluationResult
from support.evaluations import evaluation_of


def result_of(right: int, wrong: int, channel: str = "test") -> EvaluationResult:
    """Return an evaluation of texts of two classes that take turns, the wrong ones last."""
    pairs = [(n % 2, n % 2) for n in range(right)] + [(n % 2, 1 - n % 2) for n in range(wrong)]
    return EvaluationResult({channel: evaluation_of(pairs, classes=2)}, Temperature(1.0), 0.0)


def floor_of(evaluation: EvaluationResult, right: range, indices: range | None = None) -> Floor:
    """Return a floor, right on some texts of the evaluated channel, and scored on all of them or these."""
    result = evaluation.results[evaluation.channel]
    scored = np.array(range(result.count) if indices is None else indices, dtype=np.int64)
    targets = result.targets[scored]
    predicted = np.where(np.isin(scored, right), targets, 1 - targets)
    score = FloorScore.of(scored, predicted, targets, 2)
    return Floor(30, 1.0, {evaluation.channel: score})


def test_the_sentence_has_the_interval():
    """56 of 60: Wilson's interval is 84.1 to 97.4 %."""
    assert headline(result_of(56, 4)).sentence == "93 % of 60 test texts are right (95 % interval 84–97 %)."


@pytest.mark.parametrize(
    ("right", "count", "share", "interval"),
    [
        (0, 60, "0 %", "0–6 %"),
        (599, 600, "99.8 %", "99.1–100.0 %"),  # not all, so not 100 %
        (600, 600, "100 %", "99–100 %"),
        (1, 900, "0.1 %", "0.0–0.6 %"),
        (4700, 5000, "94.0 %", "93.3–94.6 %"),
        (190_000, 200_000, "95.00 %", "94.90–95.09 %"),
        (99_999, 100_000, "99.999 %", "99.994–100.000 %"),
    ],
)
def test_decimals_follow_from_the_number_of_texts(right: int, count: int, share: str, interval: str):
    """Decimals are shown where so many texts support them, and where rounding would say all or none."""
    assert (percent(right, count), interval_text(right, count)) == (share, interval)


def test_few_texts_are_counted():
    """Below 30 texts there is no percentage but that of the interval."""
    assert headline(result_of(5, 1, "validation")).sentence == (
        "5 of 6 validation texts are right: too few to say more (95 % interval 44–97 %)."
    )
    assert headline(result_of(1, 0)).sentence.startswith("1 of 1 test text is right: too few")


def test_no_texts_are_no_failure():
    """A channel without texts says nothing, and is compared with nothing."""
    for floor in (None, Floor(30, 1.0, {"test": FloorScore([], [], 0, 0.0, 0)})):
        told = headline(result_of(0, 0), floor=floor).text
        assert told == "There are no test texts to say how good the model is."


@pytest.mark.parametrize(
    ("channel", "options", "texts"),
    [
        ("validation", {"is_held_out": True}, "40 held-out texts are right ("),
        ("test", {"is_held_out": True}, "40 test texts are right ("),
        ("reviews.csv", {}, "40 texts of reviews.csv are right ("),
        ("validation", {"seeds": 3}, "40 validation texts are right by the best of 3 seeds ("),
        ("test", {"seeds": 3}, "40 test texts are right ("),  # which did not choose it
        ("validation", {"folds": 5}, "40 training texts are right by 5-fold cross-validation ("),
    ],
)
def test_it_says_which_texts(channel: str, options: dict[str, Any], texts: str):
    """Which texts were predicted, and how, stands beside their number."""
    assert texts in headline(result_of(38, 2, channel), **options).sentence


def test_the_positive_class_has_its_f1():
    """One spam text of four is missed: precision 1, recall 3/4, F1 6/7."""
    pairs = [(0, 0)] * 40 + [(1, 1)] * 30 + [(1, 0)] * 10
    evaluation = EvaluationResult({"test": evaluation_of(pairs, classes=2)}, Temperature(1.0), 0.0)
    told = headline(evaluation, labels=("ham", "spam"), positive=1).sentence
    assert told == "88 % of 80 test texts are right (95 % interval 78–93 %); F1 of class spam is 0.86."
    assert headline(result_of(999, 1), labels=("ham", "x" * 90), positive=1).sentence.endswith(
        f"F1 of class {'x' * 39}… is 0.99."
    )


def test_simpler_answers_are_compared():
    """The commonest class by the interval, here 84 to 97 %; the floor by the texts on which only one is right."""
    result = result_of(56, 4)
    assert headline(result, floor=floor_of(result, range(48))).comparison == (
        "Better than logistic regression on the frozen encoder (80 %) and always predicting the commonest class (50 %)."
    )


@pytest.mark.parametrize(
    ("right", "wrong", "floor", "verdict"),
    [
        (
            56,
            4,
            range(51),
            "Better",
        ),  # 85 % lies in the interval, but the floor is never right alone: p = 0.03
        (90, 10, range(18, 100), "Not clearly better"),  # 82 % lies below it, but 10 against 18 are p = 0.14
        (90, 10, range(95), "Worse"),  # 95 % lies above it: p = 0.03
        (86, 14, range(91), "Worse"),  # 91 % lies in the interval, 78 to 91.5 %: p = 0.03
        (90, 10, range(4, 100), "Not better"),  # 96 % lies above it, but 10 against 4 are p = 0.12
    ],
)
def test_the_floor_is_compared_text_by_text(right: int, wrong: int, floor: range, verdict: str):
    """By McNemar's test, wherever the floor's accuracy lies; the same that decides on a warning."""
    result = result_of(right, wrong)
    told = headline(result, floor=floor_of(result, floor))
    assert told.comparison.startswith(f"{verdict} than logistic regression on the frozen encoder (")
    assert told.comparison.endswith("; better than always predicting the commonest class (50 %).") or (
        verdict == "Better"
    )
    assert told.floor is not None
    assert told.floor.is_model_below == (verdict == "Worse")


def test_a_floor_that_was_scored_on_a_sample_is_compared_on_it():
    """Of the last 40 texts the model has 30, the floor 38; of all 100, the model would have 90 %."""
    result = result_of(90, 10)
    told = headline(result, floor=floor_of(result, range(62, 100), range(60, 100)))
    assert told.comparison == (
        "Worse than logistic regression on the frozen encoder (95 % on 40 of them, this model 75 %); better than always"
        " predicting the commonest class (50 %)."
    )


def test_verdicts_in_common_share_their_words():
    """Two simpler answers with the same verdict are joined."""
    result = result_of(30, 30)
    assert headline(result, floor=floor_of(result, range(30))).comparison == (
        "Not clearly better than logistic regression on the frozen encoder (50 %) or always predicting the commonest"
        " class (50 %)."
    )


def test_an_unknown_floor_is_left_out():
    """Without a floor, the commonest class is the only simpler answer."""
    told = headline(result_of(30, 30))
    assert told.comparison == "Not clearly better than always predicting the commonest class (50 %)."
    assert told.text == f"{told.sentence} {told.comparison}"


def test_the_most_frequent_mistake_is_a_pattern():
    """The largest count off the diagonal, if it is more than one mistake."""
    labels = ("ham", "spam", "other")
    pairs = [(0, 0)] * 5 + [(1, 0)] * 3 + [(0, 2)] * 2 + [(1, 1)] * 4
    assert most_frequent_mistake(evaluation_of(pairs, classes=3), labels) == (
        "Most frequent mistake: 3 of 7 texts of class spam are predicted as ham."
    )
    for single in ([(0, 1), (1, 0)], [(0, 0)], []):
        assert most_frequent_mistake(evaluation_of(single, classes=3), labels) == ""
