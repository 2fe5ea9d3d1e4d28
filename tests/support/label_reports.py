"""A context of a report on several labels per text, with everything in it, hostile where it quotes."""

import dataclasses
from typing import Any

import numpy as np

from bert_classifier.data.class_words import class_words
from bert_classifier.data.examples import Records
from bert_classifier.evaluation.assessment import assess
from bert_classifier.evaluation.multi_label.floor import LabelFloor, LabelFloorScore
from bert_classifier.evaluation.multi_label.result import MultiLabelResult
from bert_classifier.evaluation.report.context import ABOUT, LearningCurve
from bert_classifier.evaluation.report.multi_label.context import MultiLabelContext
from bert_classifier.evaluation.several_runs import SeedScore, SeedScores
from support.label_sets import drawn_labels
from support.reports import DATA, HOSTILE, UNDERSTOOD


def label_context(classes: int = 4, count: int = 80, **settings: Any) -> MultiLabelContext:
    """Return what is reported of a model of so many labels on validation texts.

    Args:
        settings: of assess.
    """
    result = drawn_labels(count, classes)
    labels = (HOSTILE + tuple(f"class-{number}" for number in range(classes)))[:classes]
    evaluation = assess({"validation": result}, labels, **settings)
    assert isinstance(evaluation, MultiLabelResult)
    records = Records(
        [f"=cmd.csv line {n}" for n in range(count)],
        [f"</td><img src=x onerror=1> {n} \u2028" for n in range(count)],
    )
    return MultiLabelContext(title="<i>Report</i>", labels=labels, evaluation=evaluation, records=records)


def full_label_context(classes: int = 4, count: int = 80, **settings: Any) -> MultiLabelContext:
    """Return label_context with all that a report may hold besides."""
    context = label_context(classes, count, **settings)
    targets = context.result.targets
    floor = LabelFloorScore.of(np.arange(count), np.zeros(targets.shape, dtype=bool), targets)
    firsts = np.random.default_rng(0).integers(0, classes, count)
    return dataclasses.replace(
        context,
        curve=LearningCurve(
            [(1.0, 2.0), (2.0, 1.0)], [[1, 1.5, 0.5, 0.4], [2, 1.2, 0.6, 0.5]], 2,
            [(1.0, 1e-5), (2.0, 2e-5)], [(1.0, 3.0), (2.0, 30.0)], "micro-F1",
        ),
        data=DATA,
        understood=UNDERSTOOD,
        facts={ABOUT: {"encoder": "<s>bert</s>"}, "Run": {"seed": 1, "job": "<u>"}},
        warnings=["<em>Hardly</em> moved. Change learning_rate."],
        throughput=[(1.0, 900.0), (2.0, 1100.0)],
        seeds=SeedScores("micro-F1", [SeedScore(7, 0.5, 1.25, is_exported=True), SeedScore(9, 0.25, 2.5, True)], 3),
        words=class_words([f"<u>word{first}</u> and more" for first in firsts], firsts, classes),
        floor=LabelFloor(40, 1.5, {"validation": floor}),
        notes=["A note of 5 %."],
    )  # fmt: skip
