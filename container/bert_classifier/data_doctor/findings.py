"""What the numbers mean for a training: one rule a function, each with the remedy for what it finds."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from bert_classifier.data_doctor.report import MOST_PLACES, Finding
from bert_classifier.data_doctor.survey import Survey, rows_also_in
from bert_classifier.data_doctor.texts import is_bare, looks_like_id

WORTH_A_WARNING = 0.01  # share of a channel's texts; less is worth knowing only
RARE = 10  # training texts below which a class is hardly learnt
IMBALANCED = 10  # times as many texts in the largest class as in the smallest
MOST_UNKNOWN = 0.05  # share of tokens; languages that a tokenizer was made for stay far below
SMALL_VALIDATION = 100  # texts

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
    "bom": ("hold a byte order mark (U+FEFF) within the text", "Remove it; files were joined with their marks."),
    "entity": ("hold HTML entities such as &amp;", "Decode them (html.unescape), as your requests will be."),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Case:
    """A job's data as the rules see them.

    Attributes:
        surveys: train, validation and, if there is one, test.
        is_held_out: whether validation is a part of the train channel.
        max_seq_length: tokens kept of a text.
        recommended: max_seq_length that leaves 99 % of the training texts whole, if the model can.
        is_balanced: whether class_weights=balanced is set.
    """

    surveys: Mapping[str, Survey]
    labels: Sequence[str]
    is_held_out: bool
    max_seq_length: int
    recommended: int
    is_balanced: bool

    @property
    def train(self) -> Survey:
        """The training texts."""
        return self.surveys["train"]

    @property
    def judged(self) -> list[Survey]:
        """The texts that the model is judged by."""
        return [survey for name, survey in self.surveys.items() if name != "train"]

    @functools.cached_property
    def leaks(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Rows of validation and test whose text stands in train, and where in train; int64 both."""
        return {part.name: rows_also_in(part, self.train) for part in self.judged}

    def named(self, chosen: np.ndarray) -> str:
        """Return the names of classes, bool (num_classes,), the first ten of them."""
        names = [label for label, is_chosen in zip(self.labels, chosen, strict=True) if is_chosen]
        return ", ".join(names[:10]) + (" …" if len(names) > 10 else "")


def findings_of(case: Case) -> list[Finding]:
    """Return all findings, the worst first."""
    found = [finding for rule in _RULES for finding in rule(case)]
    return sorted(found, key=lambda finding: ("error", "warning", "info").index(finding.severity))


def _severity(count: int, survey: Survey) -> str:
    return "warning" if count >= WORTH_A_WARNING * len(survey.examples) else "info"


def _of(count: int, survey: Survey) -> str:
    return (
        f"{count} of {len(survey.examples)} {survey.name} texts ({100 * count / len(survey.examples):.1f} %)"
    )


def _empty(case: Case) -> Iterator[Finding]:
    for survey in case.surveys.values():
        count = survey.examples.num_empty
        if count:
            yield Finding(
                "empty_texts",
                _severity(count, survey),
                f"{count} {survey.name} row(s) without a text are left out.",
                "Fill in their texts, or remove these rows.",
            )


def _duplicates(case: Case) -> Iterator[Finding]:
    for survey in case.surveys.values():
        rows = survey.repeats
        if len(rows) == 0:
            continue
        texts = survey.examples.texts
        same = sum(texts[row] == texts[first] for row, first in zip(rows, survey.repeated, strict=True))
        yield Finding(
            "duplicate_texts",
            _severity(len(rows), survey),
            f"{_of(len(rows), survey)} repeat an earlier one with the same label: {same} letter by letter, the others"
            " but for case, blanks or Unicode spelling.",
            "Keep one of each, unless such texts really are that frequent.",
            _pairs(survey, rows, survey, survey.repeated, "repeats"),
        )


def _conflicts(case: Case) -> Iterator[Finding]:
    for survey in case.surveys.values():
        if len(survey.conflicts):
            one, other = survey.conflicts.T
            yield Finding(
                "conflicting_labels",
                _severity(len(one), survey),
                f"{_of(len(one), survey)} stand there again under another label.",
                "Decide for one label each: no model can be right on both.",
                _pairs(survey, other, survey, one, "contradicts"),
            )


def _leakage(case: Case) -> Iterator[Finding]:
    for part in case.judged:
        rows, sources = case.leaks[part.name]
        if len(rows) == 0:
            continue
        is_split = case.is_held_out and part.name == "validation"
        is_all = part.name == "validation" and len(rows) == len(part.examples)
        yield Finding(
            "leakage",
            "error" if is_all else _severity(len(rows), part),
            f"{_of(len(rows), part)} stand in train too"
            + (", from which they were split off" if is_split else "")
            + ": the model knows their answers, and its scores come out too good.",
            "Remove the repeated texts from train."
            if is_split
            else f"Remove them from train or {part.name}.",
            _pairs(part, rows, case.train, sources, "stands in"),
        )


def _pairs(part: Survey, rows: np.ndarray, other: Survey, sources: np.ndarray, relation: str) -> list[str]:
    return [
        f"{part.place(row)} {relation} {other.place(source)}"
        for row, source in list(zip(rows, sources, strict=True))[:MOST_PLACES]
    ]


def _encoding(case: Case) -> Iterator[Finding]:
    for survey in case.surveys.values():
        for kind, rows in survey.trouble.items():
            if len(rows):
                told, remedy = _DAMAGE[kind]
                message = f"{_of(len(rows), survey)} {told}."
                yield Finding(
                    f"encoding_{kind}", _severity(len(rows), survey), message, remedy, survey.places(rows)
                )


def _truncation(case: Case) -> Iterator[Finding]:
    for survey in case.surveys.values():
        count = int(survey.truncated.sum())
        if count == 0:
            continue
        is_enough = case.recommended > case.max_seq_length
        yield Finding(
            "truncated_texts",
            _severity(count, survey),
            f"{_of(count, survey)} are longer than max_seq_length={case.max_seq_length} and are cut.",
            f"Set max_seq_length={case.recommended}, or truncation=head_tail to keep their ends too."
            if is_enough
            else "Set truncation=head_tail to keep their ends too, if they matter.",
            survey.places(np.flatnonzero(survey.truncated)),
        )


def _missing_classes(case: Case) -> Iterator[Finding]:
    counts = {name: survey.counts(len(case.labels)) for name, survey in case.surveys.items()}
    untaught = counts["train"] == 0
    nowhere = np.sum([*counts.values()], axis=0) == 0
    if nowhere.any():
        yield Finding(
            "absent_classes",
            "warning",
            f"{nowhere.sum()} class(es) have no text anywhere: {case.named(nowhere)}.",
            "Take them out of classes.txt, or give texts of them; the model will never answer them.",
        )
    for part in case.judged:
        asked = untaught & (counts[part.name] > 0)
        if asked.any():
            rows = np.flatnonzero(asked[part.examples.targets])
            is_most = part.name == "validation" and 2 * len(rows) >= len(part.examples)
            yield Finding(
                "untaught_classes",
                "error" if is_most else "warning",
                f"{asked.sum()} class(es) of {part.name} have no training text: {case.named(asked)}; "
                f"{_of(len(rows), part)} can only be answered wrongly.",
                "Give training texts of these classes, or check that both files are of the same data.",
                part.places(rows),
            )
    unseen = (counts["train"] > 0) & (counts["validation"] == 0)
    if unseen.any():
        yield Finding(
            "unjudged_classes",
            "info",
            f"{unseen.sum()} class(es) of train have no validation text: {case.named(unseen)}.",
            "Give some, or nothing tells how well they are learnt.",
        )


def _class_sizes(case: Case) -> Iterator[Finding]:
    counts = case.train.counts(len(case.labels))
    rare = (counts > 0) & (counts < RARE)
    if rare.any():
        yield Finding(
            "rare_classes",
            "warning",
            f"{rare.sum()} class(es) have fewer than {RARE} training texts: {case.named(rare)}.",
            "Give more texts of them, or merge them with a class of like meaning.",
        )
    present = np.flatnonzero(counts)
    least, most = present[counts[present].argmin()], present[counts[present].argmax()]
    if counts[most] >= IMBALANCED * counts[least] and not case.is_balanced:
        yield Finding(
            "class_imbalance",
            "warning",
            f"Class {case.labels[most]} has {counts[most]} training texts, {case.labels[least]} only {counts[least]}.",
            "Set class_weights=balanced if all classes matter alike, and judge by macro_f1; leave it if only the"
            " number of right answers counts.",
        )


def _sizes(case: Case) -> Iterator[Finding]:
    count = len(case.surveys["validation"].examples)
    if count < SMALL_VALIDATION:
        margin = 196 * (0.9 * 0.1 / count) ** 0.5  # 95 % interval of a share of 0.9, normal approximation
        yield Finding(
            "small_validation",
            "info",
            f"With {count} validation texts, an accuracy of 90 % is known to ±{margin:.0f} points only.",
            "Give more validation texts before you compare settings by their accuracy.",
        )


def _contents(case: Case) -> Iterator[Finding]:
    train = case.train
    if len(np.unique(train.keys)) == 1:
        yield Finding(
            "constant_text",
            "error",
            "All training texts are the same.",
            "Check which column is taken as the text.",
            train.places(np.arange(len(train.examples))),
        )
        return
    texts = train.examples.texts
    bare = np.array([is_bare(text) for text in texts])
    if bare.any():
        yield Finding(
            "bare_texts",
            _severity(int(bare.sum()), train),
            f"{_of(int(bare.sum()), train)} have fewer than three characters or no letter.",
            "Remove them if they say nothing of their class.",
            train.places(np.flatnonzero(bare)),
        )
    if sum(map(looks_like_id, texts)) >= 0.9 * len(texts):
        yield Finding(
            "ids_for_texts",
            "warning",
            "The training texts look like identifiers: single words with digits.",
            "Check which column is taken as the text.",
            train.places(np.arange(len(texts))),
        )


def _language(case: Case) -> Iterator[Finding]:
    if case.train.unknown_share >= MOST_UNKNOWN:
        yield Finding(
            "unknown_tokens",
            "warning",
            f"{100 * case.train.unknown_share:.0f} % of the tokens of train are unknown to the tokenizer.",
            "Use a model for the language of the texts (model_name, or the model channel).",
        )


_RULES: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    _empty, _contents, _language, _missing_classes, _class_sizes, _leakage, _conflicts, _duplicates, _encoding,
    _truncation, _sizes,
)  # fmt: skip
