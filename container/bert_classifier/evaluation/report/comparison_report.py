"""comparison.html, comparison.json and changed.csv: two models on the same texts."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bert_classifier.data.examples import Records
from bert_classifier.evaluation.calibration import highest_scores
from bert_classifier.evaluation.compare import Comparison, changed_texts, compare
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.quoted_texts import text_cells, text_columns
from bert_classifier.evaluation.report.render import render, unbroken
from bert_classifier.evaluation.report.section import Section
from bert_classifier.evaluation.report.texts import quoted
from bert_classifier.evaluation.result import EvaluationResult
from bert_classifier.evaluation.tables import write_csv
from bert_classifier.job.json_files import write_json

CHANCE = 0.05  # significance level
_COLUMNS = ("place", "true", "first", "second", "first_score", "second_score")
_MAX_SHOWN = 25  # of each kind of change
_MAX_CLASSES = 200
_MAX_CELL = 1000
# Kinds of change, in the order of changed_texts.
_KINDS = ("Only the first is right", "Only the second is right", "Both are wrong, in different ways")


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two models on the same texts.

    Attributes:
        names: of the first and the second model.
        evaluations: one per model, on the same texts under the same channel name.
        about: what the head of the page says of models and data.
    """

    names: tuple[str, str]
    labels: Sequence[str]
    evaluations: tuple[EvaluationResult, EvaluationResult]
    records: Records
    about: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def comparison(self) -> Comparison:
        """The paired tests."""
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
    """Write the comparison as JSON, CSV and HTML.

    Raises:
        OSError: when the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    compared, scores = pair.comparison, pair.scores
    values = {
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
    write_json(folder / "comparison.json", values)
    texts = pair.records.texts
    header = [*_COLUMNS, *text_columns(texts)]
    rows = ([*row, *text_cells(texts[index], _MAX_CELL)] for index, row in _changed(pair))
    write_csv(folder / "changed.csv", header, rows)
    (folder / "comparison.html").write_text(render_comparison_report(pair), encoding="utf-8")


def verdict(pair: Pair) -> str:
    """Return which model is better on these texts, and whether that may be chance."""
    compared = pair.comparison
    (more, leader), (less, other) = sorted(
        ((compared.only_second, "second"), (compared.only_first, "first")), key=lambda pair: -pair[0]
    )
    shares = compared.difference, *compared.interval
    shares = shares if leader == "second" else (-shares[0], -shares[2], -shares[1])
    change, low, high = (f"{100 * share:+.2f}" for share in shares)
    sentence = (
        f"Of {compared.count:,} texts, only the {leader} model is right on {more:,} and only the {other}"
        f" on {less:,}: a difference in accuracy of {change} points"
        f" (95 %: {low} to {high}; McNemar, mid-p {compared.mid_p:.3g})."
    )
    better = _better(pair)
    if not better:
        return f"{sentence} That may well be chance."
    return f"{sentence} The {better} model is better; chance is an unlikely reason."


def _better(pair: Pair) -> str:
    """Return which model is better, "first" or "second"; "" if the difference may be chance."""
    compared = pair.comparison
    if compared.mid_p >= CHANCE:
        return ""
    return "second" if compared.difference > 0 else "first"


def render_comparison_report(pair: Pair) -> str:
    """Return the comparison as one HTML page."""
    return render(
        "comparison.html.j2",
        title=f"{pair.names[0]} and {pair.names[1]}",
        about=pair.about,
        better=_better(pair),
        verdict=unbroken(verdict(pair)),
        scores=pair.scores,
        sections=list(_sections(pair)),
    )


def _sections(pair: Pair) -> Iterator[Section]:
    """Yield the sections in their order."""
    yield Section("side_by_side", "Side by side", {"scores": pair.scores, "names": pair.names})
    classes = _classes(pair)
    yield Section("class_changes", "F1 per class", {"rows": classes[:_MAX_CLASSES], "count": len(classes)})
    yield Section("changed", "Texts with different predictions", _changes(pair))


def _classes(pair: Pair) -> list[tuple[Any, ...]]:
    """Return label, F1 under both models and number of texts of each class, the largest loss first."""
    first, second = (result.f_score(1.0) for result in pair.results)
    texts = pair.results[0].confusion.sum(axis=1)
    rows = list(zip(pair.labels, first.tolist(), second.tolist(), texts.tolist(), strict=True))
    return [rows[index] for index in np.argsort(second - first, kind="stable")]


def _changes(pair: Pair) -> dict[str, Any]:
    """Return the numbers of texts of each kind of change, and the first texts of each."""
    compared = pair.comparison
    changed = [(index, dict(zip(_COLUMNS, row, strict=True))) for index, row in _changed(pair)]
    ends = [*np.cumsum([0, compared.only_first, compared.only_second]).tolist(), len(changed)]
    groups = [
        {
            "title": title,
            "count": end - start,
            "texts": [
                {**row, "text": quoted(pair.records.texts[index])}
                for index, row in changed[start:end][:_MAX_SHOWN]
            ],
        }
        for title, start, end in zip(_KINDS, ends, ends[1:], strict=False)
    ]
    return {"groups": groups, "changed": len(changed), "count": compared.count}


def _changed(pair: Pair) -> Iterator[tuple[int, list[Any]]]:
    first, second = pair.results
    scores = [
        highest_scores(result.logits, evaluation.temperature.value)
        for result, evaluation in zip((first, second), pair.evaluations, strict=True)
    ]
    for index in changed_texts(first, second).tolist():
        yield (
            index,
            [
                pair.records.places[index],
                *(pair.labels[of[index]] for of in (first.targets, first.predicted, second.predicted)),
                *(float(score[index]) for score in scores),
            ],
        )
