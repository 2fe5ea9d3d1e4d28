"""Rules about texts: one per function, each finding with its remedy."""

from collections.abc import Iterator

import numpy as np

from bert_classifier.data.doctor.context import DataContext, pairs, severity_of, share_of
from bert_classifier.data.doctor.report import Finding
from bert_classifier.job.findings import Severity
from bert_classifier.job.wording import counted

MOST_UNKNOWN = 0.05  # fraction of tokens; languages that the tokenizer knows stay far below

_DAMAGE = {
    "mojibake": (
        "look like UTF-8 that was read as another encoding (é became Ã©)",
        "Export the data again as UTF-8, or repair them with a tool such as ftfy.",
    ),
    "replacement": (
        "hold the replacement character U+FFFD: letters were lost when the file was saved",
        "Export them again from the source, as UTF-8.",
    ),
    "control": ("hold control characters", "Remove them: they mean nothing to the model."),
    "bom": ("hold a byte order mark (U+FEFF) within the text", "Remove it: files that begin with one were joined."),
    "entity": ("hold HTML entities such as &amp;", "Decode them, in Python with html.unescape()."),
}  # fmt: skip


def empty(context: DataContext) -> Iterator[Finding]:
    """Find rows without a text."""
    for stats in context.stats.values():
        count = stats.examples.num_empty
        if count:
            yield Finding(
                "empty_texts",
                severity_of(count, stats),
                f"{counted(count, f'{stats.name} row')} without a text {'is' if count == 1 else 'are'} left out.",
                "Fill in their texts, or remove these rows.",
            )


def duplicates(context: DataContext) -> Iterator[Finding]:
    """Find texts that occur more than once."""
    for stats in context.stats.values():
        indices = stats.repeats
        if len(indices) == 0:
            continue
        label = "labels" if context.is_multi else "label"
        texts = stats.examples.texts
        same = sum(texts[index] == texts[first] for index, first in zip(indices, stats.repeated, strict=True))
        yield Finding(
            "duplicate_texts",
            severity_of(len(indices), stats),
            f"{share_of(len(indices), stats)} repeat an earlier one with the same {label}: {same} exactly,"
            " the others apart from case, blanks or Unicode form.",
            "Keep one of each, unless such texts really are that frequent.",
            pairs(stats, indices, "repeats", stats, stats.repeated),
        )


def conflicts(context: DataContext) -> Iterator[Finding]:
    """Find texts that occur with different labels."""
    label, other_label = ("label", "under another label")
    if context.is_multi:
        label, other_label = ("set of labels", "with other labels")
    for stats in context.stats.values():
        if len(stats.conflicts):
            one, other = stats.conflicts.T
            yield Finding(
                "conflicting_labels",
                severity_of(len(one), stats),
                f"{share_of(len(one), stats)} occur again {other_label}.",
                f"Decide on one {label} each: no model can be right on both.",
                pairs(stats, other, "contradicts", stats, one),
            )


def leakage(context: DataContext) -> Iterator[Finding]:
    """Find texts that the model is both trained and evaluated on."""
    for part in context.judged:
        indices, sources = context.leaks[part.name]
        if len(indices) == 0:
            continue
        is_split = context.is_held_out and part.name == "validation"
        is_all = part.name == "validation" and len(indices) == len(part.examples)
        yield Finding(
            "leakage",
            Severity.ERROR if is_all else severity_of(len(indices), part),
            f"{share_of(len(indices), part)} also occur in train"
            + (", from which they were split off" if is_split else "")
            + ": the model has seen their labels, so its scores are too high.",
            "Remove the repeated texts from train."
            if is_split
            else f"Remove them from train or {part.name}.",
            pairs(part, indices, "stands in", context.train, sources),
        )


def encoding(context: DataContext) -> Iterator[Finding]:
    """Find texts with encoding damage."""
    for stats in context.stats.values():
        for kind, indices in stats.damage.items():
            if len(indices):
                problem, remedy = _DAMAGE[kind]
                message = f"{share_of(len(indices), stats)} {problem}."
                yield Finding(
                    f"encoding_{kind}",
                    severity_of(len(indices), stats),
                    message,
                    remedy,
                    stats.places(indices),
                )


def truncation(context: DataContext) -> Iterator[Finding]:
    """Find truncated texts."""
    config = context.config
    kept = f"max_seq_length={config.largest_seq_length}"
    if config.truncation == "windows":
        kept, remedy = f"max_windows={config.max_windows} windows with {kept}", "Raise max_windows."
    else:
        remedy = _remedy_for_cuts(context)
    for stats in context.stats.values():
        indices = np.flatnonzero(stats.truncated)
        if len(indices):
            message = f"{share_of(len(indices), stats)} are longer than {kept} and are cut."
            severity = severity_of(len(indices), stats)
            yield Finding("truncated_texts", severity, message, remedy, stats.places(indices))


def _remedy_for_cuts(context: DataContext) -> str:
    """Recommend a longer max_seq_length, up to the model's limit, or windows."""
    config, wanted = context.config, context.recommended
    whole = float((context.train.lengths <= wanted).mean())
    in_windows = _other_cuts(context)
    if wanted <= config.largest_seq_length:
        return f"Set {in_windows}."
    if whole >= 0.99:
        return f"Set max_seq_length={wanted}, or {in_windows}."
    limit = f"the most that this model takes, which keeps {100 * whole:.0f} % of the training texts whole"
    return f"Set max_seq_length={wanted}, {limit}, or {in_windows}."


def _other_cuts(context: DataContext) -> str:
    """Return the setting by which texts of the same max_seq_length are cut otherwise."""
    if context.train.facts.is_paired:  # truncation is for single texts
        if context.config.pair_truncation == "only_second":
            return "pair_truncation=longest_first to shorten the longer one of a pair"
        return "pair_truncation=only_second to keep the first of a pair whole"
    to_ends = (
        ", or truncation=head_tail to read their ends too" if context.config.truncation == "head" else ""
    )
    return f"truncation=windows to read all of them{to_ends}"


def contents(context: DataContext) -> Iterator[Finding]:
    """Find texts without content, and columns that hold something else."""
    train = context.train
    if len(np.unique(train.keys)) == 1:
        yield Finding(
            "constant_text",
            Severity.ERROR,
            "All training texts are the same.",
            "Check which column is used as the text.",
            train.places(np.arange(len(train.examples))),
        )
        return
    bare = train.facts.are_bare
    if bare.any():
        yield Finding(
            "bare_texts",
            severity_of(int(bare.sum()), train),
            f"{share_of(int(bare.sum()), train)} have fewer than three characters or no letter.",
            "Remove them if they say nothing about their class.",
            train.places(np.flatnonzero(bare)),
        )
    if np.count_nonzero(train.facts.are_ids) >= 0.9 * len(bare):
        yield Finding(
            "ids_for_texts",
            Severity.WARNING,
            "The training texts look like identifiers: single words with digits.",
            "Check which column is used as the text.",
            train.places(np.arange(len(bare))),
        )


def language(context: DataContext) -> Iterator[Finding]:
    """Find languages that the tokenizer does not know."""
    if context.train.unknown_share >= MOST_UNKNOWN:
        yield Finding(
            "unknown_tokens",
            Severity.WARNING,
            f"{100 * context.train.unknown_share:.0f} % of the tokens of train are unknown to the tokenizer.",
            "Use a model for the language of the texts (model_name, or the model channel).",
        )
