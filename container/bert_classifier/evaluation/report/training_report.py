"""report.html: what a training, or a model on a file, came to, in one file that loads nothing from elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bert_classifier.evaluation.abstention import CoverageCurve
from bert_classifier.evaluation.calibration import reliability, softmax
from bert_classifier.evaluation.label_issues import LabelIssue
from bert_classifier.evaluation.report import html, plots
from bert_classifier.evaluation.report.context import LearningCurve, ReportContext
from bert_classifier.evaluation.report.data_section import data_section
from bert_classifier.evaluation.report.page import page
from bert_classifier.evaluation.result import FEW_ANSWERS
from bert_classifier.evaluation.tables import shortened

_MOST_CELLS = 30  # classes up to which the confusion matrix is a table of numbers
_MOST_PAIRS = 15
_MOST_LABEL_ISSUES = 25
_LONGEST_TEXT = 280  # characters
_MOSTLY_RIGHT = 0.8  # accuracy below which what a model doubts says more of itself than of the labels


def render(context: ReportContext) -> str:
    """Return the report as one HTML page."""
    return page(context.title, _parts(context))


def _parts(context: ReportContext) -> Iterator[html.Markup]:
    yield html.element("h1", context.title)
    yield _lead(context)
    yield from (
        html.element("div", html.element("p", sentence), class_="finding warning")
        for sentence in context.warnings
    )
    yield _headline(context)
    if context.curve is not None and context.curve.evaluations:
        yield _curve_section(context.curve)
    yield _confusion_section(context)
    yield _class_section(context)
    yield _calibration_section(context)
    yield _coverage_section(context)
    if context.data:
        yield data_section(context.data)
    yield _label_issue_section(
        "Worst mistakes",
        "The surest of the wrong answers.",
        "No text was answered wrongly.",
        context,
        context.mistakes,
    )
    yield _label_issue_section(
        "Likely label errors" if _is_mostly_right(context) else "Labels that the model doubts",
        "Texts that look more like another class than most of that class do (confident learning, Northcutt et al."
        f" 2021).{_doubt_about_label_issues(context)} Look at them:"
        " where the label is wrong, correct it, and train again.",
        "No label stands out.",
        context,
        context.label_errors,
    )
    yield html.section("Run", *_fact_groups(context.facts))


def _lead(context: ReportContext) -> html.Markup:
    result = context.result
    right = int(result.confusion.trace())
    commonest = float(result.confusion.sum(axis=1).max() / max(1, result.count))
    return html.element(
        "p",
        f"{right:,} of {result.count:,} texts of {context.channel} are right, over {len(context.labels)} classes. ",
        f"Always answering the commonest class would be right in {html.percent(commonest)}.",
        class_="lead",
    )


def _headline(context: ReportContext) -> html.Markup:
    scores = context.scores
    low, high = html.percent(scores["accuracy_low"]), html.percent(scores["accuracy_high"])
    weighted = html.percent(scores["weighted_f1"], 2)
    boxes = [
        ("Accuracy", html.percent(scores["accuracy"], 2), f"95 % interval: {low} to {high}"),
        (
            "Macro F1",
            html.percent(scores["macro_f1"], 2),
            f"weighted by texts: {weighted}",
        ),
        (
            "Calibration error",
            f"{scores['ece']:.4f}",
            "not calibrated"
            if context.evaluation.temperature.value == 1
            else f"before calibration: {scores['ece_uncalibrated']:.4f}",
        ),
    ]
    if context.evaluation.abstain_below:
        boxes.append(
            ("Right where answered", html.percent(scores["accuracy_of_answered"], 2),
             f"{html.percent(scores['coverage'])} of the texts get a label")
        )  # fmt: skip
    others = [name for name in context.evaluation.results if name != context.channel]
    boxes += [
        (f"Accuracy on {name}", html.percent(context.evaluation.summaries[name]["accuracy"], 2),
         f"{context.evaluation.results[name].count:,} texts")
        for name in others
    ]  # fmt: skip
    return html.element(
        "div",
        *(
            html.element(
                "div", html.element("span", name), html.element("b", value), html.element("span", note)
            )
            for name, value, note in boxes
        ),
        class_="numbers",
    )


def _plot(svg: str, caption: str) -> html.Markup:
    return html.element("figure", html.Markup(svg), html.element("figcaption", caption), class_="plot")


def _curve_section(curve: LearningCurve) -> html.Markup:
    scores = next((e for e in curve.evaluations if e[0] == curve.kept_step), None)
    kept = f" The weights kept are those of step {curve.kept_step}" if curve.kept_step else ""
    score = f", with an accuracy of {html.percent(scores[2], 2)} on validation" if scores else ""
    return html.section(
        "How training went",
        _plot(
            plots.learning_curve(curve),
            f"Loss and scores by optimizer step.{kept}{score}{'.' if kept else ''}",
        ),
    )


def _confusion_section(context: ReportContext) -> html.Markup:
    confusion = context.result.confusion
    parts: list[object] = [html.note("Rows are the true classes, columns what the model says.")]
    if len(context.labels) <= _MOST_CELLS:
        parts.append(html.confusion_table(context.labels, confusion))
    else:
        note = "Classes by number, as in the table below; dark = a large share of the true class."
        parts.append(_plot(plots.confusion_map(confusion), note))
    pairs = _confused_pairs(confusion)
    if pairs:
        parts.append(html.element("h3", "Taken for each other most often"))
        totals = confusion.sum(axis=1)
        rows = [
            (context.labels[true], context.labels[said], int(confusion[true, said]),
             html.bar(confusion[true, said] / totals[true]))
            for true, said in pairs
        ]  # fmt: skip
        parts.append(html.table(("true class", "taken for", "texts", "of the class"), rows))
    return html.section("What is taken for what", *parts)


def _confused_pairs(confusion: np.ndarray) -> list[tuple[int, int]]:
    """Return the (true, predicted) pairs with most mistakes, at most _MOST_PAIRS."""
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_PAIRS]
    pairs = [divmod(int(flat), len(wrong)) for flat in order]
    return [(true, said) for true, said in pairs if wrong[true, said]]


def _class_section(context: ReportContext) -> html.Markup:
    result = context.result
    texts, said = result.confusion.sum(axis=1), result.confusion.sum(axis=0)
    f1, precision, recall = result.f_score(1.0), result.precision, result.recall
    occurs = (texts + said) > 0
    rows = [
        (index + 1, context.labels[index], *(html.bar(float(score[index])) for score in (f1, precision, recall)),
         int(texts[index]), int(said[index]))
        for index in np.lexsort((f1, ~occurs)).tolist()
    ]  # fmt: skip
    return html.section(
        "Class by class",
        html.note("The weakest first; classes that do not occur stand at the end."),
        html.table(("no.", "class", "F1", "precision", "recall", "texts", "predicted"), rows),
    )


def _calibration_section(context: ReportContext) -> html.Markup:
    evaluation = context.evaluation
    result = context.result
    are_right = result.predicted == result.targets
    before, after = (
        reliability(softmax(result.logits, t).max(axis=1, initial=0.0), are_right)
        for t in (1.0, evaluation.temperature.value)
    )
    scores = context.scores
    temperature = evaluation.temperature
    is_fitted = temperature.value != 1
    why = f" (not fitted: {temperature.reason})" if temperature.reason else ""
    pairs = {
        "expected calibration error": (scores["ece_uncalibrated"], scores["ece"]),
        "negative log-likelihood": (scores["loss"], scores["nll"]),
    }
    told = html.facts(
        {
            "temperature": f"{temperature.value:g}{why}",
            **{
                name: f"{a:.4f} before, {b:.4f} after" if is_fitted else f"{b:.4f}"
                for name, (a, b) in pairs.items()
            },
            "Brier score": f"{scores['brier']:.4f}{' after' if is_fitted else ''}",
        }
    )
    caption = (
        "On the dashed line a score of 0.9 is right in nine of ten cases (Guo et al. 2017, 15 equal bins)."
    )
    if is_fitted:
        caption += (
            " The temperature was fitted on the validation texts of the training and divides the logits; it changes"
            " scores, never labels."
        )
    return html.section(
        "Are the scores honest?",
        _plot(plots.reliability_diagram(before if is_fitted else None, after), caption),
        told,
    )


def _coverage_section(context: ReportContext) -> html.Markup:
    evaluation = context.evaluation
    curve = evaluation.curve(context.channel)
    rows = []
    for target in (0.95, 0.98, 0.99, 0.995, 0.999):
        threshold = curve.threshold_for(target)
        answered = (
            html.bar(curve.at(threshold)[0] / max(1, curve.accepted[-1])) if threshold is not None else "–"
        )
        accepted, right = curve.at(threshold) if threshold is not None else (0, 0)
        least = "not reached" if threshold is None else f"{threshold:.4g}"
        rows.append(
            (html.percent(target), least, answered, f"{right:,} of {accepted:,}" if accepted else "–")
        )
    below = evaluation.abstain_below
    now = f"Texts with a score below {below:g} get no label." if below else "Every text gets a label."
    return html.section(
        "What abstaining would gain",
        _coverage_curve(curve, below, now),
        html.table(("to be right in", "abstain below", "texts that get a label", "of them right"), rows),
        html.element(
            "p",
            f"A row that rests on fewer than {FEW_ANSWERS} texts promises little for others: 3 of 3 may be right by"
            " luck. Set with target_accuracy or abstain_below, or SERVING_ABSTAIN_BELOW when serving.",
            class_="note",
        ),
    )


def _coverage_curve(curve: CoverageCurve, below: float, now: str) -> html.Markup:
    drawn = plots.coverage_plot(curve, below)
    if drawn:
        return _plot(drawn, f"Accuracy of the texts that get a label, by how many do. {now}")
    texts = int(curve.accepted[-1])
    why = f"{texts} are too few" if texts <= plots.FEW_TEXTS else "nearly all have the same score"
    return html.note(f"No curve of accuracy by texts that get a label: {why}. {now}")


def _is_mostly_right(context: ReportContext) -> bool:
    return context.result.accuracy >= _MOSTLY_RIGHT


def _doubt_about_label_issues(context: ReportContext) -> str:
    """Say what a model that is often wrong finds; confident learning asks for one that is mostly right."""
    if _is_mostly_right(context):
        return ""
    right = html.percent(context.result.accuracy)
    return f" This model is right in {right} only: most of these are rather its own mistakes."


def _label_issue_section(
    title: str, note: str, otherwise: str, context: ReportContext, label_issues: Sequence[LabelIssue]
) -> html.Markup:
    if not label_issues:
        return html.section(title, html.element("p", otherwise))
    rows = [
        (html.element("td", context.rows.places[s.index], class_="place"), context.labels[s.label],
         context.labels[s.answer], html.percent(s.answer_score), html.percent(s.label_score),
         html.element("td", shortened(context.rows.texts[s.index], _LONGEST_TEXT), class_="text"))
        for s in label_issues[:_MOST_LABEL_ISSUES]
    ]  # fmt: skip
    shown = f" The first {len(rows)} of {len(label_issues):,}." if len(label_issues) > len(rows) else ""
    header = ("place", "label", "model says", "its score", "label's score", "text")
    return html.section(title, html.note(note + shown), html.table(header, rows))


def _fact_groups(facts: Mapping[str, Mapping[str, Any]]) -> Iterator[html.Markup]:
    for name, told in facts.items():
        yield html.element("h3", name)
        yield html.facts(told)
