"""What the plots of the report show."""

import re

import pytest

from bert_classifier.evaluation.report import plots
from bert_classifier.evaluation.report.context import LearningCurve


@pytest.mark.parametrize("score", [0.4, 0.99, 1.0])
def test_scores_have_no_tick_above_all(score):
    """The axis of shares ends at 100 %, also where every score is that."""
    curve = LearningCurve([(1.0, 2.0)], [[1, 1.5, score, score], [2, 1.2, 1.0, 1.0]], 2)
    ticks = [float(tick) for tick in re.findall(r">([0-9.]+) ?%<", str(plots.learning_curve(curve)[1]))]
    assert len(ticks) > 1
    assert max(ticks) == 100
