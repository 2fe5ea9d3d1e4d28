"""Rules about classes and numbers of texts: one per function, each finding with its remedy."""

from collections.abc import Iterator

import numpy as np

from bert_classifier.data.doctor.context import DataContext, share_of
from bert_classifier.data.doctor.report import Finding
from bert_classifier.job.findings import Severity
from bert_classifier.job.settings import shown
from bert_classifier.job.wording import counted

RARE = 10  # training texts; a class with fewer is hardly learned
IMBALANCED = 10  # ratio of the largest to the smallest class
SMALL_VALIDATION = 100  # texts


def missing_classes(context: DataContext) -> Iterator[Finding]:
    """Find classes without texts in a channel that needs some."""
    counts = {name: stats.counts(len(context.labels)) for name, stats in context.stats.items()}
    untaught = counts["train"] == 0
    nowhere = context.texts_per_class == 0
    if nowhere.any():
        yield Finding(
            "absent_classes",
            Severity.WARNING,
            f"{_classes(nowhere, 'has', 'have')} no text anywhere: {context.named(nowhere)}.",
            "Remove them from classes.txt, or add texts: nothing teaches the model to predict them.",
        )
    for part in context.judged:
        asked = untaught & (counts[part.name] > 0)
        if asked.any():
            indices = part.of_classes(asked)
            is_most = part.name == "validation" and 2 * len(indices) >= len(part.examples)
            yield Finding(
                "untaught_classes",
                Severity.ERROR if is_most else Severity.WARNING,
                f"{_classes(asked, f'of {part.name} has', f'of {part.name} have')} no training text:"
                f" {context.named(asked)}; "
                f"{share_of(len(indices), part)} can only be predicted wrongly.",
                "Add training texts of these classes, or check that both files belong to the same data.",
                part.places(indices),
            )
    folds = context.config.cross_validation
    few = (counts["train"] > 0) & (counts["train"] < folds)
    if few.any():
        yield Finding(
            "few_for_folds",
            Severity.WARNING,
            f"{_classes(few, 'has', 'have')} fewer texts than the {folds} folds of cross-validation:"
            f" {context.named(few)}.",
            "Each fold judges at most one of them; a class's only text is judged by a model that never saw the class.",
        )
    judged = counts.get("validation", counts["train"]) > 0
    unseen = (counts["train"] > 0) & ~judged
    if unseen.any() and judged.sum() == 1 and not context.is_multi:
        yield Finding(
            "unjudged_classes",
            Severity.WARNING,
            f"Validation has texts of one class only, {context.named(judged)}: always predicting it is right on all.",
            "Add texts of the other classes: without them validation tells nothing about the model.",
        )
    elif unseen.any():
        yield Finding(
            "unjudged_classes",
            Severity.INFO,
            f"{_classes(unseen, 'of train has', 'of train have')} no validation text: {context.named(unseen)}.",
            "Add some: without them validation does not show how well they are learned.",
        )


def class_sizes(context: DataContext) -> Iterator[Finding]:
    """Find rare classes and class imbalance."""
    counts = context.train.counts(len(context.labels))
    rare = (counts > 0) & (counts < RARE)
    after = " after validation was held out" if context.is_held_out else ""
    if rare.any():
        yield Finding(
            "rare_classes",
            Severity.WARNING,
            f"{_classes(rare, 'has', 'have')} fewer than {RARE} training texts{after}: {context.named(rare)}.",
            "Add more texts, or merge each with a class of similar meaning.",
        )
    present = np.flatnonzero(counts)
    least, most = present[counts[present].argmin()], present[counts[present].argmax()]
    if counts[most] >= IMBALANCED * counts[least] and context.config.class_weights == "none":
        yield Finding(
            "class_imbalance",
            Severity.WARNING,
            f"Class {shown(context.labels[most])} has {counts[most]} training texts,"
            f" {shown(context.labels[least])} only {counts[least]}.",
            "Set class_weights=balanced if all classes matter equally, and judge by macro_f1; leave it if only the"
            " accuracy counts.",
        )


def sizes(context: DataContext) -> Iterator[Finding]:
    """Find a validation channel, or a training channel to cross-validate, too small to compare settings."""
    count = len(context.stats.get("validation", context.train).examples)
    if count < SMALL_VALIDATION:
        what, scores = ("a fraction", "scores") if context.is_multi else ("an accuracy", "accuracy")
        margin = 196 * (0.9 * 0.1 / count) ** 0.5  # 95 % interval of a share of 0.9, normal approximation
        yield Finding(
            "small_validation",
            Severity.INFO,
            f"With {count} validation texts, {what} of 90 % is known to ±{margin:.0f} points only.",
            f"Add validation texts before you compare settings by their {scores}.",
        )


def _classes(chosen: np.ndarray, one: str, several: str) -> str:
    """Return the number of chosen classes with the verb that follows; `chosen` is bool (num_classes,)."""
    return counted(int(chosen.sum()), f"class {one}", f"classes {several}")
