"""comparison.html, comparison.json and changed.csv of two models with several labels per text, on the same texts."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bert_classifier.data.examples import Records
from bert_classifier.evaluation.compare import Comparison
from bert_classifier.evaluation.multi_label.intervals import f1_difference
from bert_classifier.evaluation.multi_label.predictions import LabelPredictions
from bert_classifier.evaluation.multi_label.result import MultiLabelResult
from bert_classifier.evaluation.multi_label.tables import in_one_cell
from bert_classifier.evaluation.quoted_texts import text_cells, text_columns
from bert_classifier.evaluation.report.comparison_report import CHANCE
from bert_classifier.evaluation.report.render import render, unbroken
from bert_classifier.evaluation.report.section import Section
from bert_classifier.evaluation.report.texts import quoted
from bert_classifier.evaluation.tables import LONGEST_TEXT, write_csv
from bert_classifier.job.json_files import write_json

_COLUMNS = ("place", "true", "first", "second", "first_wrong", "second_wrong")
_MAX_SHOWN = 25  # of each kind of change
_MAX_CLASSES = 200
_KINDS = (
    "The second is wrong about more labels",
    "The second is wrong about fewer labels",
    "Wrong about as many",
)


@dataclasses.dataclass(frozen=True)
class LabelPair:
    """Two models on the same texts.

    Attributes:
        names: of the first and the second model.
        evaluations: one per model, on the same texts under the same channel name.
        about: what the head of the page says of models and data.
    """

    names: tuple[str, str]
    labels: Sequence[str]
    evaluations: tuple[MultiLabelResult, MultiLabelResult]
    records: Records
    about: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def answers(self) -> tuple[LabelPredictions, LabelPredictions]:
        """The labels that each model predicts."""
        first, second = self.evaluations
        return first.predictions(first.channel), second.predictions(second.channel)

    @property
    def scores(self) -> list[dict[str, float | int]]:
        """The headline numbers of the two."""
        return [evaluation.summaries[evaluation.channel] for evaluation in self.evaluations]

    @functools.cached_property
    def difference(self) -> tuple[float, tuple[float, float], float]:
        """Micro-F1 of the second less that of the first, its 95 % interval, and the p-value that they are equal."""
        first, second = self.answers
        return f1_difference(first.by_text, second.by_text)

    @property
    def exact(self) -> Comparison:
        """McNemar's test on the texts with exactly the right labels."""
        first, second = (answers.are_exact for answers in self.answers)
        return Comparison(int((first & ~second).sum()), int((~first & second).sum()), len(first))

    @property
    def better(self) -> str:
        """Which model is better, "first" or "second"; "" if the difference may be chance."""
        difference, _, p_value = self.difference
        if p_value >= CHANCE:
            return ""
        return "second" if difference > 0 else "first"


def write_label_comparison(folder: Path, pair: LabelPair) -> None:
    """Write the comparison as JSON, CSV and HTML.

    Raises:
        OSError: when the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    difference, interval, p_value = pair.difference
    exact, scores = pair.exact, pair.scores
    values = {
        "texts": exact.count,
        "micro_f1_difference": difference,
        "micro_f1_difference_interval": list(interval),
        "micro_f1_p": p_value,
        "only_first_exact": exact.only_first,
        "only_second_exact": exact.only_second,
        "subset_accuracy_difference": exact.difference,
        "subset_accuracy_difference_interval": list(exact.interval),
        "mcnemar_mid_p": exact.mid_p,
        "mcnemar_exact_p": exact.exact_p,
        "first": {"model": pair.names[0], **scores[0]},
        "second": {"model": pair.names[1], **scores[1]},
    }
    write_json(folder / "comparison.json", values)
    texts = pair.records.texts
    rows = ([*row, *text_cells(texts[index], LONGEST_TEXT)] for index, row in _changed(pair))
    write_csv(folder / "changed.csv", [*_COLUMNS, *text_columns(texts)], rows)
    (folder / "comparison.html").write_text(render_label_comparison(pair), encoding="utf-8")


def label_verdict(pair: LabelPair) -> str:
    """Return which model is better on these texts, and whether that may be chance."""
    difference, (low, high), p_value = pair.difference
    leader = "second" if difference > 0 else "first"
    shares = (difference, low, high) if leader == "second" else (-difference, -high, -low)
    change, low_end, high_end = (f"{100 * share:+.2f}" for share in shares)
    exact = pair.exact
    sentence = (
        f"On {exact.count:,} texts, micro-F1 of the {leader} model is higher by {change} points (95 %: {low_end} to"
        f" {high_end}; paired over the texts, p {p_value:.3g}). Only the first model predicts exactly the labels of"
        f" {exact.only_first:,} texts, only the second of {exact.only_second:,} (McNemar, mid-p {exact.mid_p:.3g})."
    )
    if not pair.better:
        return f"{sentence} The difference in micro-F1 may well be chance."
    return f"{sentence} The {pair.better} model is better; chance is an unlikely reason."


def render_label_comparison(pair: LabelPair) -> str:
    """Return the comparison as one HTML page."""
    return render(
        "label_comparison.html.j2",
        title=f"{pair.names[0]} and {pair.names[1]}",
        about=pair.about,
        better=pair.better,
        verdict=unbroken(label_verdict(pair)),
        scores=pair.scores,
        sections=list(_sections(pair)),
    )


def _sections(pair: LabelPair) -> Iterator[Section]:
    """Yield the sections in their order."""
    yield Section("label_side_by_side", "Side by side", {"scores": pair.scores, "names": pair.names})
    classes = _classes(pair)
    yield Section("class_changes", "F1 per label", {"rows": classes[:_MAX_CLASSES], "count": len(classes)})
    yield Section("label_changed", "Texts with different predictions", _changes(pair))


def _classes(pair: LabelPair) -> list[tuple[Any, ...]]:
    """Return label, F1 under both models and number of texts of each class, the largest loss first."""
    first, second = pair.answers
    rows = list(zip(pair.labels, first.f1.tolist(), second.f1.tolist(), first.support.tolist(), strict=True))
    return [rows[index] for index in np.argsort(second.f1 - first.f1, kind="stable")]


def _changes(pair: LabelPair) -> dict[str, Any]:
    """Return the numbers of texts of each kind of change, and the first texts of each."""
    changed = [(index, dict(zip(_COLUMNS, row, strict=True))) for index, row in _changed(pair)]
    kinds: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
    for index, row in changed:
        lost = row["second_wrong"] - row["first_wrong"]
        kind = _KINDS[0 if lost > 0 else 1 if lost < 0 else 2]
        kinds[kind].append({**row, "index": index})
    texts = pair.records.texts
    groups = [
        {
            "title": kind,
            "count": len(rows),
            "texts": [{**row, "text": quoted(texts[row["index"]])} for row in rows[:_MAX_SHOWN]],
        }
        for kind, rows in kinds.items()
    ]
    return {"groups": groups, "changed": len(changed), "count": pair.exact.count}


def _changed(pair: LabelPair) -> Iterator[tuple[int, list[Any]]]:
    """Yield the texts with other predictions and their _COLUMNS, the largest loss first."""
    first, second = pair.answers
    wrong = [(answers.missed | answers.false).sum(axis=1) for answers in (first, second)]
    differing = np.flatnonzero((first.predicted != second.predicted).any(axis=1))
    order = differing[np.argsort((wrong[0] - wrong[1])[differing], kind="stable")]
    for index in order.tolist():
        sets = (first.are_actual[index], first.predicted[index], second.predicted[index])
        yield (
            index,
            [
                pair.records.places[index],
                *(in_one_cell(pair.labels, each) for each in sets),
                *(int(of[index]) for of in wrong),
            ],
        )
