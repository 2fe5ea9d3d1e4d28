"""Rules about texts with several labels each: one per function, each finding with its remedy."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from bert_classifier.data.doctor.class_rules import RARE
from bert_classifier.data.doctor.context import WORTH_A_WARNING, DataContext, share_of
from bert_classifier.data.doctor.label_sets import together
from bert_classifier.data.doctor.report import Finding
from bert_classifier.data.label_spelling import joined, joining_mark
from bert_classifier.job.findings import Severity
from bert_classifier.job.settings import shown
from bert_classifier.job.wording import counted, listed

_NUMBER = re.compile("[0-9]+")
_MOST_PAIRS = 5  # of labels, named in a message
_MOST_CLASSES = 2000  # among which pairs are counted


def labels_per_text(context: DataContext) -> Iterator[Finding]:
    """Find how many labels texts have, and texts without any."""
    for stats in context.stats.values():
        counts = stats.labels
        if counts is None or counts.most == 0:
            continue
        if stats is context.train:
            yield Finding(
                "labels_per_text",
                Severity.INFO,
                f"The train texts have {counts.cardinality:.2f} of {len(context.labels)} labels on average (density"
                f" {counts.density:.3f}), at most {counts.most}, in {counted(counts.sets, 'different set')}.",
                "Check that this is what you expect of your data.",
            )
        if counts.unlabelled:
            is_most = 2 * counts.unlabelled > len(stats.examples)
            yield Finding(
                "unlabelled_texts",
                Severity.WARNING if is_most else Severity.INFO,
                f"{share_of(counts.unlabelled, stats)} have no label.",
                "Keep them if no label holds for them: they teach that. If they were never looked at, label them or"
                f" {'remove these rows' if context.config.label_columns else 'set missing_labels=drop'}.",
                stats.places(np.flatnonzero(~stats.examples.targets.any(axis=1))),
            )


def single_sets(context: DataContext) -> Iterator[Finding]:
    """Find training texts that have at most one label each, and a separator that separates nothing."""
    counts = context.train.labels
    if counts is None or counts.most > 1:
        return
    separator = context.config.label_separator
    mark = joining_mark(joined(context.labels))
    if separator:
        other = f" The labels look joined by {shown(mark)}: set that." if mark else ""
        yield Finding(
            "unused_separator",
            Severity.WARNING,
            f"label_separator={separator} stands in no label of train: no text has several labels.",
            f"Set the sign that stands between them, or leave label_separator out.{other}",
        )
        return
    yield Finding(
        "one_label_each",
        Severity.WARNING,
        "No training text has several labels.",
        "If each text has exactly one label, set task=single: its scores then add up to 1.",
    )


def told_by_lists(context: DataContext) -> Iterator[Finding]:
    """Find lists that may be no labels: those of a few texts among many with one label, and ranges of numbers."""
    counts, config = context.train.labels, context.config
    if counts is None or config.task != "auto" or config.label_separator or config.label_columns:
        return
    per_text = context.train.examples.targets.sum(axis=1, dtype=np.int64)
    several = np.flatnonzero(per_text > 1)
    if 0 < len(several) < WORTH_A_WARNING * len(per_text):
        yield Finding(
            "few_lists",
            Severity.WARNING,
            f"Only {share_of(len(several), context.train)} have several labels, and because of them each label is"
            " answered on its own.",
            "If these rows are slips, correct them; task=single then takes one label per text, and refuses others.",
            context.train.places(several),
        )
    if (per_text == 2).all() and all(map(_NUMBER.fullmatch, context.labels)):
        yield Finding(
            "two_numbers_each",
            Severity.WARNING,
            f"Each train text has two labels, and all are numbers: {listed(context.labels)}.",
            "If both together are one class, such as a range from 0 to 18, write it in another way: 0-18.",
        )


def joined_sets(context: DataContext) -> Iterator[Finding]:
    """Find labels that still join several."""
    found = joined(context.labels) if context.is_multi else []
    if found:
        mark = joining_mark(found)
        theirs = f" (they have {shown(mark)})" if mark else ""
        yield Finding(
            "joined_labels",
            Severity.WARNING,
            f"{counted(len(found), 'label looks', 'labels look')} like several in one: {listed(found)}.",
            f"Write them with the sign that label_separator names{theirs}, unless that is what these names mean.",
        )


def constant_labels(context: DataContext) -> Iterator[Finding]:
    """Find labels that every training text has."""
    if not context.is_multi:
        return
    everywhere = context.train.counts(len(context.labels)) == len(context.train.examples)
    if everywhere.any():
        yield Finding(
            "constant_labels",
            Severity.WARNING,
            f"Every training text has {counted(int(everywhere.sum()), 'label')}: {context.named(everywhere)}.",
            "Leave it out: nothing shows the model when it does not hold.",
        )


def co_occurrence(context: DataContext) -> Iterator[Finding]:
    """Find labels that always occur together, and frequent ones that never do."""
    if not context.is_multi or len(context.labels) > _MOST_CLASSES:
        return
    targets = context.train.examples.targets
    both = together(targets)
    counts = both.diagonal()
    upper = np.triu(np.ones_like(both, dtype=bool), k=1)
    frequent = (counts >= RARE) & (counts < len(targets))
    alike = upper & frequent[:, None] & (both == counts[:, None]) & (both == counts[None, :])
    if alike.any():
        yield Finding(
            "labels_always_together",
            Severity.WARNING,
            f"{_pairs(context, alike)} always together in train.",
            "If they mean the same, keep one of them; the model cannot learn to tell them apart.",
        )
    by_chance = np.outer(counts, counts) / len(targets)
    apart = upper & (both == 0) & (by_chance >= RARE)
    if apart.any():
        yield Finding(
            "labels_never_together",
            Severity.INFO,
            f"{_pairs(context, apart)} never together in train, though each is frequent: by chance it would be {RARE}"
            " texts or more.",
            "Nothing is wrong if they exclude each other; otherwise look for texts that lack one of their labels.",
        )


def _pairs(context: DataContext, chosen: np.ndarray) -> str:
    """Return a phrase for pairs of labels, bool (classes, classes), with the verb that follows."""
    places: Sequence[tuple[int, int]] = [(int(one), int(other)) for one, other in np.argwhere(chosen)]
    named = "; ".join(
        f"{shown(context.labels[one])} and {shown(context.labels[other])}"
        for one, other in places[:_MOST_PAIRS]
    )
    more = " …" if len(places) > _MOST_PAIRS else ""
    return f"{counted(len(places), 'pair of labels occurs', 'pairs of labels occur')} ({named}{more})"
