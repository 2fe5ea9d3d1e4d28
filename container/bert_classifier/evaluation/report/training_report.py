"""report.html: the evaluation of a trained model on one channel, as a self-contained page."""

from collections.abc import Iterator
from typing import Any

from bert_classifier.evaluation.report.confusions import confusions_section
from bert_classifier.evaluation.report.context import ABOUT, ReportContext
from bert_classifier.evaluation.report.data_section import data_section
from bert_classifier.evaluation.report.issues import labels_section, mistakes_section
from bert_classifier.evaluation.report.learning import learning_section
from bert_classifier.evaluation.report.render import render, unbroken
from bert_classifier.evaluation.report.repeats import repeats_section
from bert_classifier.evaluation.report.run import run_section
from bert_classifier.evaluation.report.scores import abstention_section, calibration_section, classes_section
from bert_classifier.evaluation.report.section import Section
from bert_classifier.evaluation.report.words import words_section


def render_training_report(context: ReportContext) -> str:
    """Return the report as one HTML page."""
    return render(
        "training.html.j2",
        title=context.title,
        about=context.facts.get(ABOUT, {}),
        warnings=context.warnings,
        sections=list(filter(None, _sections(context))),
        **_summary(context),
    )


def _sections(context: ReportContext) -> Iterator[Section | None]:
    """Yield the sections in their order; None where there is nothing to show."""
    yield repeats_section(context)
    yield learning_section(context)
    yield classes_section(context)
    yield confusions_section(context)
    yield mistakes_section(context)
    yield labels_section(context)
    yield words_section(context)
    yield calibration_section(context)
    yield abstention_section(context)
    yield data_section(context)
    yield run_section(context)


def _summary(context: ReportContext) -> dict[str, Any]:
    """Return the values of the page's top."""
    evaluation = context.evaluation
    return {
        "sentence": unbroken(context.headline.sentence),
        "comparison": unbroken(context.headline.comparison),
        "notes": [unbroken(note) for note in context.notes if note],
        "floor": _floor(context),
        "accuracies": list(_accuracies(context)),
        "scores": context.scores,
        "others": {name: of for name, of in evaluation.summaries.items() if name != context.channel},
        "is_calibrated": evaluation.temperature.value != 1,
        "abstain_below": evaluation.abstain_below,
    }


def _accuracies(context: ReportContext) -> Iterator[tuple[str, float, tuple[float, float] | None]]:
    """Yield the accuracy of the model with its interval, and those of simpler answers."""
    first = context.headline
    yield "this model", context.result.accuracy, first.interval
    if first.floor:
        yield "logistic regression on the frozen encoder", first.floor.score.accuracy, None
    yield "always predicting the commonest class", first.constant, None


def _floor(context: ReportContext) -> dict[str, int] | None:
    """Return how the floor and the model differ on the same texts; None without a floor."""
    compared = context.headline.floor
    if not context.floor or not compared:
        return None
    return {
        "texts": compared.paired.count,
        "trained_on": context.floor.trained_on,
        "only_floor": compared.paired.only_first,
        "only_model": compared.paired.only_second,
    }
