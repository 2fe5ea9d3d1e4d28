"""What is said of evaluations during training: everything to metric services, to a person not a line per step."""

import logging

import pytest

from bert_classifier.log import METRICS, PEOPLE
from bert_classifier.training.evaluation_lines import EvaluationLines
from bert_classifier.training.train_state import TrainState
from support.evaluations import evaluation_of

FEW, MANY = (evaluation_of([(0, 0), (1, 0)] * pairs, classes=2) for pairs in (1, 20))


def told(caplog: pytest.LogCaptureFixture, reader: dict[str, str]) -> list[str]:
    """Return what one kind of reader gets."""
    return [
        record.getMessage() for record in caplog.records if getattr(record, "reader", "") == reader["reader"]
    ]


@pytest.mark.parametrize(("total", "every", "lines"), [(120, 1, 21), (3, 1, 3), (100, 10, 10)])
def test_people_get_a_line_per_twentieth_of_the_steps(caplog, total, every, lines):
    """The first and the last evaluation among them."""
    evaluations = EvaluationLines(total, None)
    state = TrainState(token_budget=1, num_gradient_groups=1)
    with caplog.at_level(logging.INFO, "bert_classifier"):
        for step in range(every, total + 1, every):
            state.step = state.best_step = step
            evaluations.log(state, FEW, is_last=step == total)
    assert len(told(caplog, METRICS)) == total // every
    shown = told(caplog, PEOPLE)
    assert len(shown) == lines
    assert shown[0].startswith(f"step {every} of {total}: 1 of 2 validation texts right, loss ")
    assert shown[-1].startswith(f"step {total} of {total}: ")


def test_early_stopping_is_the_last(caplog):
    """However soon after the last line."""
    evaluations = EvaluationLines(1000, None, "seed 2")
    state = TrainState(token_budget=1, num_gradient_groups=1)
    with caplog.at_level(logging.INFO, "bert_classifier"):
        for step in (1, 2, 3):
            state.step = step
            evaluations.log(state, MANY, is_last=step == 3)
    shown = told(caplog, PEOPLE)
    assert [line.split(" of ")[0] for line in shown] == ["seed 2, step 1", "seed 2, step 3"]
    assert "50 % of 40 validation texts right" in shown[0]
