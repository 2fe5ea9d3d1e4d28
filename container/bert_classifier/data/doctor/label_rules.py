"""Rules about how the labels are written: one per function, each finding with its remedy."""

from collections.abc import Iterator, Sequence

import numpy as np

from bert_classifier.data.csv_looks import is_likely_header
from bert_classifier.data.doctor.class_rules import RARE
from bert_classifier.data.doctor.context import DataContext
from bert_classifier.data.doctor.report import MOST_PLACES, Finding
from bert_classifier.data.doctor.stats import ChannelStats
from bert_classifier.data.label_spelling import alike, items_of, joined, joining_mark, without_fraction
from bert_classifier.data.labels import may_stand_for_none
from bert_classifier.job.findings import Severity
from bert_classifier.job.settings import shown
from bert_classifier.job.wording import counted, enumerated, listed

_MOST_GROUPS = 5
_MOST_SPELLINGS = 10  # of one class
_MOST_NAMED = 10
_MOST_ALIKE = 3
_MOST_WORDS = 4  # in the text cell of a header or template row


def spellings(context: DataContext) -> Iterator[Finding]:
    """Find classes whose names differ in case, blanks, separators or Unicode form only."""
    groups = alike(context.labels)
    if groups:
        named = "; ".join(_named(context, group, _MOST_SPELLINGS) for group in groups[:_MOST_GROUPS])
        more = f"; and {len(groups) - _MOST_GROUPS} more" if len(groups) > _MOST_GROUPS else ""
        is_one = len(groups) == 1
        yield Finding(
            "label_spellings",
            Severity.WARNING,
            f"{'One class seems' if is_one else f'{len(groups)} classes seem'} to be spelt in several ways:"
            f" {named}{more}.",
            "Each spelling is a class of its own: use one of them in the files, or map all to one in the label mapper.",
        )


def placeholders(context: DataContext) -> Iterator[Finding]:
    """Find labels that stand for no label where annotators disagreed or nobody looked, such as SNLI's -."""
    for label in may_stand_for_none(context.labels):
        chosen = np.array([name == label for name in context.labels])
        places = [
            place for stats in context.stats.values() for place in stats.places(stats.of_classes(chosen))
        ]
        is_scale = {without_fraction(name) or name for name in context.labels} == {"-1", "0", "1"}
        none = " Where no label holds, leave the cell empty." if context.is_multi else ""
        yield Finding(
            "placeholder_labels",
            Severity.INFO if is_scale else Severity.WARNING,
            f"{_named(context, [label], 1)} is trained and answered like any other label, but may stand for texts that"
            " have none: nobody labelled them, or annotators disagreed.",
            f"Remove these rows if it does.{none} Leave them if it is a class.",
            places[:MOST_PLACES],
        )


def several_in_one(context: DataContext) -> Iterator[Finding]:
    """Find labels that join several classes."""
    found = [] if context.is_multi else joined(context.labels)
    if found:
        yield Finding(
            "joined_labels",
            Severity.WARNING,
            f"{counted(len(found), 'class looks', 'classes look')} like several labels in one:"
            f" {_named(context, found, _MOST_NAMED)}.",
            f"Each combination is trained as a class of its own{_separately(joining_mark(found))}."
            " Leave it if that is what these names mean.",
        )


def _separately(mark: str) -> str:
    """Return how to learn the labels on their own, after a semicolon; "" where no setting does it."""
    value = "space" if mark == " " else f'"{mark}"' if mark in "|;&#" else mark
    return f"; label_separator={value} gives each text all of its labels (multi-label)" if mark else ""


def written_forms(context: DataContext) -> Iterator[Finding]:
    """Find labels that a program has written in a form of its own: lists of one name, whole numbers as floats."""
    labels = context.labels
    if all(len(items_of(label)) == 1 for label in labels):
        yield Finding(
            "listed_labels",
            Severity.WARNING,
            f"Every label is a list with one name: {listed(labels, _MOST_ALIKE)}.",
            "Write the names without brackets and quotes: the answers of the model hold the labels as they are.",
        )
    elif all(map(without_fraction, labels)):
        yield Finding(
            "float_labels",
            Severity.WARNING,
            f"All labels are whole numbers with a fraction: {listed(labels, _MOST_ALIKE)}. pandas writes them so where"
            " a row has no label.",
            'Write them without it, in pandas with astype("Int64"): the answers of the model hold the labels as they'
            " are.",
        )


def header_rows(context: DataContext) -> Iterator[Finding]:
    """Find rare classes that are called like a column, and whose texts are too short to be any."""
    for index in _column_names(context):
        chosen = np.arange(len(context.labels)) == index
        rows = [(stats, stats.of_classes(chosen)) for stats in context.stats.values()]
        if all(_is_short(stats, indices) for stats, indices in rows):
            places = [place for stats, indices in rows for place in stats.places(indices)]
            yield Finding(
                "column_name_as_class",
                Severity.WARNING,
                f"Class {shown(context.labels[index])} is called like a column and has"
                f" {counted(len(places), 'short text')}: most likely a header or template row was read as data.",
                "Remove these rows.",
                places[:MOST_PLACES],
            )


def _column_names(context: DataContext) -> list[int]:
    """Return the indices of the rare classes that are called like a column."""
    few = np.flatnonzero((context.texts_per_class > 0) & (context.texts_per_class < RARE)).tolist()
    return [index for index in few if is_likely_header([context.labels[index], ""])]


def _is_short(stats: ChannelStats, indices: np.ndarray) -> bool:
    return all(len(stats.examples.texts[index].split()) <= _MOST_WORDS for index in indices.tolist())


def _named(context: DataContext, labels: Sequence[str], most: int) -> str:
    """Return classes with their numbers of texts."""
    counts = context.texts_by_label
    named = [f"{shown(label)} ({counted(counts[label], 'text')})" for label in labels[:most]]
    return enumerated(named, most, len(labels))
