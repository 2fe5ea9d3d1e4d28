"""Rules about pairs of texts: one per function, each finding with its remedy."""

from collections.abc import Callable, Iterator

import numpy as np

from bert_classifier.data.doctor.context import DataContext, pairs, severity_of, share_of
from bert_classifier.data.doctor.report import Finding
from bert_classifier.data.doctor.scan import TextFacts
from bert_classifier.data.doctor.stats import occurring_in
from bert_classifier.job.findings import Severity


def empty_sides(context: DataContext) -> Iterator[Finding]:
    """Find pairs of which one text is empty."""
    return _alike(
        context,
        "half_pairs",
        lambda facts: facts.are_half,
        "are pairs with one empty text",
        "Fill in the other text, or remove these rows.",
    )


def equal_sides(context: DataContext) -> Iterator[Finding]:
    """Find pairs of a text with itself."""
    return _alike(
        context,
        "equal_pairs",
        lambda facts: (facts.keys == facts.swapped) & ~facts.are_half,
        "are pairs of a text with itself, apart from case and blanks",
        "Check that text_column and text_pair_column are the right columns.",
    )


def _alike(
    context: DataContext, code: str, find: Callable[[TextFacts], np.ndarray], what: str, remedy: str
) -> Iterator[Finding]:
    """Find pairs of each channel by what is true of each, bool (n,)."""
    for stats in context.stats.values():
        indices = np.flatnonzero(find(stats.facts)) if stats.facts.is_paired else np.zeros(0, dtype=np.int64)
        if len(indices):
            share = share_of(len(indices), stats)
            severity = severity_of(len(indices), stats)
            yield Finding(code, severity, f"{share} {what}.", remedy, stats.places(indices))


def swapped_leakage(context: DataContext) -> Iterator[Finding]:
    """Find pairs (b, a) of validation and test whose (a, b) stands in train."""
    train = context.train
    for part in context.judged:
        if not part.facts.is_paired:
            continue
        indices, sources = occurring_in(part.facts.swapped, train.keys)
        is_new = ~np.isin(part.keys[indices], train.keys)
        indices, sources = indices[is_new], sources[is_new]
        if len(indices):
            yield Finding(
                "swapped_leakage",
                severity_of(len(indices), part),
                f"{share_of(len(indices), part)} stand in train with their two texts swapped: where the order does not"
                " matter, the model has seen their labels, and its scores are too high.",
                f"Where the order does not matter, remove them from train or {part.name}.",
                pairs(part, indices, "is swapped", train, sources),
            )


def swapped_pairs(context: DataContext) -> Iterator[Finding]:
    """Find pairs (b, a) beside (a, b) within a channel."""
    for stats in context.stats.values():
        facts = stats.facts
        if not facts.is_paired:
            continue
        indices, sources = occurring_in(facts.swapped, facts.keys)
        is_later = sources < indices
        indices, sources = indices[is_later], sources[is_later]
        if len(indices):
            yield Finding(
                "swapped_pairs",
                Severity.INFO,
                f"{share_of(len(indices), stats)} repeat an earlier pair with its two texts swapped.",
                "Where the order does not matter, keep one of each; else nothing is wrong.",
                pairs(stats, indices, "is swapped", stats, sources),
            )
