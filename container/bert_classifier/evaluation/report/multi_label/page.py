"""report.html: the evaluation of a model that gives texts any number of labels, as a self-contained page."""

from collections.abc import Iterator
from typing import Any

from bert_classifier.evaluation.report.context import ABOUT
from bert_classifier.evaluation.report.data_section import data_section
from bert_classifier.evaluation.report.learning import learning_section
from bert_classifier.evaluation.report.multi_label.calibration import label_calibration_section
from bert_classifier.evaluation.report.multi_label.context import MultiLabelContext
from bert_classifier.evaluation.report.multi_label.sections import (
    curves_section,
    label_confusions_section,
    labels_scores_section,
    thresholds_section,
)
from bert_classifier.evaluation.report.multi_label.texts import label_doubts_section, label_mistakes_section
from bert_classifier.evaluation.report.render import render, unbroken
from bert_classifier.evaluation.report.repeats import repeats_section
from bert_classifier.evaluation.report.run import run_section
from bert_classifier.evaluation.report.section import Section
from bert_classifier.evaluation.report.words import words_section


def render_label_report(context: MultiLabelContext) -> str:
    """Return the report as one HTML page."""
    return render(
        "multi_label.html.j2",
        title=context.title,
        about=context.facts.get(ABOUT, {}),
        warnings=context.warnings,
        sections=list(filter(None, _sections(context))),
        **_summary(context),
    )


def _sections(context: MultiLabelContext) -> Iterator[Section | None]:
    """Yield the sections in their order; None where there is nothing to show."""
    yield repeats_section(context)
    yield learning_section(context)
    yield labels_scores_section(context)
    yield curves_section(context)
    yield thresholds_section(context)
    yield label_confusions_section(context)
    yield label_mistakes_section(context)
    yield label_doubts_section(context)
    yield words_section(context)
    yield label_calibration_section(context)
    yield data_section(context)
    yield run_section(context)


def _summary(context: MultiLabelContext) -> dict[str, Any]:
    """Return the values of the page's top."""
    evaluation = context.evaluation
    return {
        "sentence": unbroken(context.headline.sentence),
        "comparison": unbroken(context.headline.comparison),
        "notes": [unbroken(note) for note in context.notes if note],
        "rivals_of": list(_rivals(context)),
        "scores": context.scores,
        "others": {name: of for name, of in evaluation.summaries.items() if name != context.channel},
        "is_calibrated": evaluation.temperature.value != 1,
    }


def _rivals(context: MultiLabelContext) -> Iterator[tuple[str, float, tuple[float, float] | None]]:
    """Yield the micro-F1 of the model with its interval, and those of simpler answers."""
    first = context.headline
    yield "this model", first.micro_f1, first.interval
    if first.floor:
        yield "logistic regression on the frozen encoder", first.floor.score.micro_f1, None
    yield "predicting the commonest labels for every text", first.constant, None
