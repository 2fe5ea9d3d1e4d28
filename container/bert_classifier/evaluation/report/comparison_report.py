"""comparison.html, comparison.json and changed.csv: two models side by side."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bert_classifier.data.examples import Rows
from bert_classifier.evaluation.calibration import softmax
from bert_classifier.evaluation.compare import Comparison, changed_texts, compare
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.report import html
from bert_classifier.evaluation.report.page import page
from bert_classifier.evaluation.result import EvaluationResult
from bert_classifier.evaluation.tables import shortened, write_csv
from bert_classifier.job.json_files import write_json

CHANCE = 0.05  # below this, a difference is not taken for chance
_MOST_SHOWN = 50
_LONGEST_TEXT = 280  # characters on the page
_LONGEST_CELL = 1000


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two models on the same texts.

    Attributes:
        names: of the first and the second model.
        evaluations: of each, under the same name of the same texts.
    """

    names: tuple[str, str]
    labels: Sequence[str]
    evaluations: tuple[EvaluationResult, EvaluationResult]
    rows: Rows

    @property
    def comparison(self) -> Comparison:
        """Who is right where."""
        return compare(*self.results)

    @property
    def results(self) -> list[Evaluation]:
        """The evaluations of the two."""
        return [evaluation.results[evaluation.channel] for evaluation in self.evaluations]

    @property
    def scores(self) -> list[dict[str, float | int]]:
        """The headline numbers of the two."""
        return [evaluation.summaries[evaluation.channel] for evaluation in self.evaluations]


def write_comparison(folder: Path, pair: Pair) -> None:
    """Write what changes between two models, for programs and for people.

    Raises:
        OSError: when the folder does not take it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    compared, scores = pair.comparison, pair.scores
    told = {
        "texts": compared.count,
        "only_first_right": compared.only_first,
        "only_second_right": compared.only_second,
        "accuracy_difference": compared.difference,
        "accuracy_difference_interval": list(compared.interval),
        "mcnemar_mid_p": compared.mid_p,
        "mcnemar_exact_p": compared.exact_p,
        "first": {"model": pair.names[0], **scores[0]},
        "second": {"model": pair.names[1], **scores[1]},
    }
    write_json(folder / "comparison.json", told)
    header = ["place", "true", "first", "second", "first_score", "second_score", "text"]
    write_csv(folder / "changed.csv", header, _changed(pair, _LONGEST_CELL))
    title = f"{pair.names[0]} and {pair.names[1]}"
    (folder / "comparison.html").write_text(page(title, _parts(title, pair)), encoding="utf-8")


def verdict(pair: Pair) -> str:
    """Return in words which model is better on these texts, and whether that may be chance."""
    compared = pair.comparison
    change, low, high = (f"{100 * share:+.2f}" for share in (compared.difference, *compared.interval))
    sentence = (
        f"Of {compared.count:,} texts, {compared.only_second:,} are right with the second model alone and"
        f" {compared.only_first:,} with the first alone: a difference in accuracy of {change} points"
        f" (95 %: {low} to {high}; McNemar, mid-p {compared.mid_p:.3g})."
    )
    if compared.mid_p >= CHANCE:
        return f"{sentence} That may well be chance."
    better = "second" if compared.difference > 0 else "first"
    return f"{sentence} The {better} model is better; chance is an unlikely reason."


def _parts(title: str, pair: Pair) -> Iterator[html.Markup]:
    yield html.element("h1", title)
    yield html.element("p", verdict(pair), class_="lead")
    yield html.section("Side by side", _headline(pair))
    yield html.section("Class by class", html.note("F1, the largest loss first."), _classes(pair))
    yield _changed_section(pair)


def _headline(pair: Pair) -> html.Markup:
    rows: list[tuple[object, ...]] = []
    for name, words in (("accuracy", "accuracy"), ("macro_f1", "macro F1"), ("weighted_f1", "weighted F1")):
        first, second = (float(scores[name]) for scores in pair.scores)
        rows.append((words, html.bar(first), html.bar(second), f"{100 * (second - first):+.2f} points"))
    for name, words in (
        ("ece", "calibration error"),
        ("nll", "negative log-likelihood"),
        ("brier", "Brier score"),
    ):
        first, second = (float(scores[name]) for scores in pair.scores)
        rows.append((words, first, second, f"{second - first:+.4f}"))
    return html.table(("", f"first: {pair.names[0]}", f"second: {pair.names[1]}", "change"), rows)


def _classes(pair: Pair) -> html.Markup:
    first, second = (result.f_score(1.0) for result in pair.results)
    texts = pair.results[0].confusion.sum(axis=1)
    rows = [
        (pair.labels[index], html.bar(float(first[index])), html.bar(float(second[index])),
         f"{100 * (second[index] - first[index]):+.2f} points", int(texts[index]))
        for index in np.argsort(second - first, kind="stable").tolist()
    ]  # fmt: skip
    return html.table(("class", "first", "second", "change", "texts"), rows)


def _changed_section(pair: Pair) -> html.Markup:
    count = len(changed_texts(*pair.results))
    if not count:
        return html.section(
            "Texts with another answer", html.element("p", "Both give every text the same label.")
        )
    rows = [
        (*row[:4], html.percent(row[4]), html.percent(row[5]), html.element("td", row[6], class_="text"))
        for row in list(_changed(pair, _LONGEST_TEXT))[:_MOST_SHOWN]
    ]
    of = f"{count:,} of {pair.comparison.count:,} texts"
    words = f"{of}: those that the first alone has right, then those that the second alone has right."
    header = ("place", "true", "first says", "second says", "its score", "its score", "text")
    return html.section("Texts with another answer", html.note(words), html.table(header, rows))


def _changed(pair: Pair, longest: int) -> Iterator[list[Any]]:
    first, second = pair.results
    scores = [
        softmax(result.logits, evaluation.temperature.value).max(axis=1, initial=0.0)
        for result, evaluation in zip((first, second), pair.evaluations, strict=True)
    ]
    for index in changed_texts(first, second).tolist():
        yield [
            pair.rows.places[index],
            *(pair.labels[of[index]] for of in (first.targets, first.predicted, second.predicted)),
            *(float(score[index]) for score in scores),
            shortened(pair.rows.texts[index], longest),
        ]
