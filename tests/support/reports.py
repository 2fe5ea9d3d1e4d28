"""A report's context with everything in it, and names and texts that are hostile to HTML and spreadsheets."""

import dataclasses

import numpy as np

from bert_classifier.data.class_words import class_words
from bert_classifier.data.examples import Records
from bert_classifier.data.understood import channel_understood
from bert_classifier.evaluation.calibration import Temperature
from bert_classifier.evaluation.floor import Floor, FloorScore
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.occlusion import Influence, Occlusion
from bert_classifier.evaluation.report.context import ABOUT, LearningCurve, ReportContext
from bert_classifier.evaluation.result import EvaluationResult
from bert_classifier.evaluation.several_runs import CrossValidation, SeedScore, SeedScores

HOSTILE = ("=HYPERLINK(A1)", "<script>alert(1)</script>", 'ä "quoted", $x$ ${body}')
DATA = {
    "channels": {
        name: {
            "texts": 40, "empty": 1, "duplicates": 2, "conflicting": 0, "encoding": 0,
            "classes": dict.fromkeys(HOSTILE, 10),
            "tokens": {
                "mean": 12.5, "p50": 12, "p90": 20, "p99": 30, "max": 90, "truncated_share": 0.02,
                "histogram": {"edges": [0, 8, 16, 24, 91], "counts": [3, 20, 15, 2]},
            },
        }
        for name in ("train", "validation")
    },
    "leakage": {"validation": 3},
    "max_seq_length": 16,
    "recommended_max_seq_length": 32, "recommended_whole_share": 0.99, "longest_max_seq_length": 512,
    "findings": [
        {"code": "leakage", "severity": "warning", "message": "<b>3</b> texts",
         "remedy": "Remove.", "places": ["a.csv line 1"]}
    ],
}  # fmt: skip

_FILE = {
    "form": "CSV", "compression": "gzip", "encoding": "UTF-8", "delimiter": ";", "header": True,
    "columns": {"label": "<b>label</b>", "text": "review", "title": "subject"}, "title_joined": True,
    "ignored": [f"column <{number}>" for number in range(12)],
    "notes": ["it is gzip, although its name says otherwise"], "left_out": {"without a text": 1, "without a label": 2},
}  # fmt: skip
UNDERSTOOD = {
    "train": channel_understood(
        [{**_FILE, "file": f"<i>year 2026/part-{number:05d}-of-00100.csv", "rows": 40} for number in range(100)],
        [], 0, {**dict.fromkeys(HOSTILE, 1000), **{f"class-{number}": number for number in range(20)}},
    ),
    "validation": channel_understood([], ["validation.txt"], 3, dict.fromkeys(HOSTILE, 20)),
}  # fmt: skip


def report_context(classes: int = 3, count: int = 60, **changes: object) -> ReportContext:
    """Return what is reported of a model with random predictions, hostile names and hostile texts."""
    rng = np.random.default_rng(0)
    result = Evaluation(
        rng.standard_normal((count, classes)).astype(np.float32), rng.integers(0, classes, count)
    )
    labels = (HOSTILE + tuple(f"class-{number}" for number in range(classes)))[:classes]
    records = Records(
        [f"=cmd.csv line {n}" for n in range(count)],
        [f"</td><img src=x onerror=1> {n} \u2028" for n in range(count)],
    )
    context = ReportContext(
        title="<i>Report</i>",
        labels=labels,
        positive=None,
        evaluation=EvaluationResult({"validation": result}, Temperature(1.5), 0.4),
        records=records,
        curve=LearningCurve([(1.0, 2.0), (2.0, 1.0)], [[1, 1.5, 0.5, 0.4], [2, 1.2, 0.6, 0.5]], 2),
        data=DATA,
        understood=UNDERSTOOD,
        facts={"Run": {"seed": 1, "job": "<u>"}},
    )
    return dataclasses.replace(context, **changes)  # type: ignore[arg-type]


def full_report_context(classes: int = 3, count: int = 60, **changes: object) -> ReportContext:
    """Return report_context with all that a report may hold besides, hostile where it quotes."""
    context = report_context(classes, count)
    targets, indices = context.result.targets, np.arange(0, count, 2)
    floor = FloorScore.of(indices, np.zeros(len(indices), dtype=np.int64), targets[indices], classes)
    validated = CrossValidation(2, count, [0.5, 0.25])
    worst = context.mistakes[0].index
    full = dataclasses.replace(
        context,
        evaluation=dataclasses.replace(context.evaluation, cross_validation=validated),
        curve=LearningCurve(
            [(1.0, 2.0), (2.0, 1.0)], [[1, 1.5, 0.5, 0.4], [2, 1.2, 0.6, 0.5]], 2,
            [(1.0, 1e-5), (2.0, 2e-5)], [(1.0, 3.0), (2.0, 30.0)],
        ),
        throughput=[(1.0, 900.0), (2.0, 1100.0)],
        floor=Floor(40, 1.5, {"validation": floor}),
        seeds=SeedScores("accuracy", [SeedScore(7, 0.5, 1.25, is_exported=True), SeedScore(9, 0.25, 2.5, True)], 3),
        words=class_words([f"<u>word{target}</u> and more" for target in targets], targets, classes),
        occlusions={worst: Occlusion(worst, [Influence(0, 5, 12.5, 0.4), Influence(6, 10, 1.1, 0.01)])},
        warnings=["<em>Hardly</em> moved. Change learning_rate."],
        facts={
            ABOUT: {"encoder": "<s>bert</s>", "settings set by hand": "seed=1, " * 20},
            "Run": {"seed": 1, "job": "<u>"},
            "Settings left at their defaults": {f"setting_{number}": number for number in range(30)},
        },
    )  # fmt: skip
    return dataclasses.replace(full, **changes)  # type: ignore[arg-type]
