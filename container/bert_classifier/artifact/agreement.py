"""What a lower precision changes in a model's answers, as training measured it, and the rule by which it is served.

Training classifies the same texts in float32 and in each precision, and writes down how many labels stay and how many
are right. These are texts of the model's own task, so serving judges by them.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Self

from bert_classifier.job.task import Task
from bert_classifier.job.wording import counted

PRECISIONS = "precisions"  # the field of training.json
# Fewer texts say too little: of 100, one with another label is the most that the rule allows.
LEAST_TEXTS = 100
# Two trainings that differ in nothing but their seed disagree on several labels in a hundred; of one in a hundred
# nobody could tell whether it came from there.
LEAST_AGREEMENT = 0.99
# Of the labels that change, near-ties do not count against a precision: float32 itself is undecided there. But a model
# that is undecided everywhere would excuse any arithmetic.
LEAST_SAME = 0.97
# Of accuracy, as a share, beyond the standard error of the difference on these texts: a third of what seeds change.
MOST_LOST = 0.003
LEAST_BY_HAND = 0.95  # of the labels, near-ties aside: fewer are no rounding errors
# Of the texts, those that a guaranteed accuracy may leave without a label in the precision and not in float32.
MOST_UNANSWERED = 0.02
_NO_THRESHOLD = ("threshold", None)
_HELD_OUT = ("validation", "test")  # the model was not trained on them


@dataclasses.dataclass(frozen=True)
class Agreement:
    """The labels that texts get in a precision, beside those that they get in float32.

    Where a text may have several labels, they count as one: the set of those over the model's thresholds.

    Attributes:
        texts: how many.
        channel: which: validation, test or train.
        same: those with float32's label.
        near_ties: those with another one where float32's lead over it is within the rounding errors of the precision;
            with several labels, where each that comes or goes is within them of its threshold.
        right: labels that are right in the precision.
        gained: those that are right only there.
        lost: those that are right only in float32.
        probe_distance: mean distance of the probe texts' logits from float32's, relative to their mean norm.
        target_accuracy: what the artifact's threshold guarantees; 0 = nothing.
        threshold: what guarantees it in the precision; None if these texts prove none.
        answered: texts that reach this threshold.
        answered_in_fp32: texts that reach the artifact's in float32.
        target_precision: what the artifact's thresholds guarantee for each of several labels; 0 = nothing.
        thresholds: what guarantees it in the precision, by label, None for one that is never answered; None if it was
            not measured.
        is_multi_label: whether a text may have several labels.
        silenced: labels that are answered in float32, and never by `thresholds`.
        channel_texts: texts of the channel, of which those measured are a part; 0 = unknown.
    """

    texts: int
    channel: str
    same: int
    near_ties: int
    right: int
    gained: int
    lost: int
    probe_distance: float
    target_accuracy: float = 0.0
    threshold: float | None = None
    answered: int = 0
    answered_in_fp32: int = 0
    target_precision: float = 0.0
    thresholds: Mapping[str, float | None] | None = None
    is_multi_label: bool = False
    silenced: tuple[str, ...] = ()
    channel_texts: int = 0

    @classmethod
    def of(cls, info: Mapping[str, Any], name: str) -> Self | None:
        """Return what a training.json says of a precision; None where it says nothing, as an earlier version's.

        Args:
            name: int8, int8_7_bits or bf16.
        """
        measured = info.get(PRECISIONS)
        if not isinstance(measured, dict) or not isinstance(measured.get(name), dict):
            return None
        known = {**measured, **measured[name]}
        fields = dataclasses.fields(cls)
        values: dict[str, Any] = {field.name: known.get(field.name, field.default) for field in fields}
        values["is_multi_label"] = info.get("task") == Task.MULTI
        if not is_threshold_by_label(values["thresholds"]):
            values["thresholds"] = None
        values["silenced"] = _silenced(info.get("thresholds"), values["thresholds"])
        values["channel_texts"] = _texts_of_channel(info, values["channel"])
        counts = [
            value
            for name, value in values.items()
            if name not in ("channel", "thresholds", "silenced") and (name, value) != _NO_THRESHOLD
        ]
        are_counts = all(isinstance(value, int | float) and 0 <= value < math.inf for value in counts)
        if not are_counts or not isinstance(values["channel"], str):
            return None
        found = cls(**values)
        return found if found._most_counted <= found.texts else None

    @property
    def _most_counted(self) -> int:
        return max(self.same + self.near_ties, self.right, self.gained + self.lost, self.answered)

    @property
    def share_of_same(self) -> float:
        """The share of texts with float32's label."""
        return self.same / max(1, self.texts)

    @property
    def share_of_kept(self) -> float:
        """The share of texts with float32's label, or another one in a near-tie."""
        return (self.same + self.near_ties) / max(1, self.texts)

    @property
    def accuracy(self) -> float:
        """The share of labels that are right in the precision."""
        return self.right / max(1, self.texts)

    @property
    def accuracy_in_fp32(self) -> float:
        """The share of labels that are right in float32."""
        return (self.right - self.gained + self.lost) / max(1, self.texts)

    @property
    def standard_error(self) -> float:
        """Of the difference of both accuracies, on the same texts (McNemar 1947)."""
        changed, net = self.gained + self.lost, self.gained - self.lost
        return math.sqrt(max(0.0, changed - net**2 / max(1, self.texts))) / max(1, self.texts)

    @property
    def shortage(self) -> str:
        """Why the figures say too little to judge by; "" where they suffice."""
        if self.channel not in _HELD_OUT:
            return "it was measured on texts that the model was trained on"
        if self.texts < LEAST_TEXTS:
            measured = counted(self.texts, f"{self.channel} text")
            return f"it was measured on {measured} only, and {LEAST_TEXTS} are needed"
        return ""

    @property
    def remedy(self) -> str:
        """What to train with, so that the figures suffice to judge by; "" where they do."""
        if not self.shortage:
            return ""
        if self.channel in _HELD_OUT and self.channel_texts >= LEAST_TEXTS:
            return (
                f"training on a CPU measures fewer texts, here {self.texts:,} of"
                f" {self.channel_texts:,} {self.channel} texts: train on a GPU, or on more texts"
            )
        return (
            f"give training {LEAST_TEXTS} validation texts or more (the channel validation, or a larger"
            " validation_split)"
        )

    @property
    def problem(self) -> str:
        """Why the precision is not good enough to be chosen automatically; "" where it is."""
        return self.shortage or self._change

    @property
    def harm(self) -> str:
        """Why the precision must not be served even if it is asked for; "" where it may be."""
        return "" if self.share_of_kept >= LEAST_BY_HAND else f"in training only {self.sentence}"

    @property
    def _change(self) -> str:
        what = "texts get other labels" if self.is_multi_label else "labels change"
        if self.share_of_kept < LEAST_AGREEMENT:
            return f"more than {1 - LEAST_AGREEMENT:.0%} of the {what} that were no near-ties"
        if self.share_of_same < LEAST_SAME:
            return f"more than {1 - LEAST_SAME:.0%} of the {what}"
        if self.accuracy_in_fp32 - self.accuracy > MOST_LOST + self.standard_error:
            score = "subset accuracy" if self.is_multi_label else "accuracy"
            return f"{score} falls by more than {100 * MOST_LOST:g} points and its standard error"
        return self._broken_promise_of_labels or (self._broken_promise if self.target_accuracy else "")

    @property
    def _broken_promise_of_labels(self) -> str:
        target = f"target_precision={self.target_precision:g}"
        if self.target_precision and self.thresholds is None:
            return f"these texts do not prove {target} for it"
        if self.silenced:
            never = counted(len(self.silenced), "label")
            return f"with {target} {never} would never be answered that float32 answers"
        return ""

    @property
    def _broken_promise(self) -> str:
        if self.threshold is None:
            return f"these texts do not prove target_accuracy={self.target_accuracy:g} for it"
        if self.answered < self.answered_in_fp32 - MOST_UNANSWERED * self.texts:
            return (
                f"with target_accuracy={self.target_accuracy:g} {self.answered:,} texts would get a label, and not"
                f" {self.answered_in_fp32:,}"
            )
        return ""

    @property
    def sentence(self) -> str:
        """What was measured, in a few words."""
        if self.is_multi_label:
            return (
                f"{self.same:,} of {self.texts:,} {self.channel} texts keep all of float32's labels"
                f" ({self.share_of_same:.1%}), and {self.accuracy:.1%} have exactly the right ones instead of"
                f" {self.accuracy_in_fp32:.1%}"
            )
        return (
            f"{self.same:,} of {self.texts:,} {self.channel} texts keep float32's label ({self.share_of_same:.1%}), and"
            f" {self.accuracy:.1%} are right instead of {self.accuracy_in_fp32:.1%}"
        )

    @property
    def facts(self) -> dict[str, Any]:
        """The figures that GET /model gives."""
        score = "subset_accuracy" if self.is_multi_label else "accuracy"
        return {
            "texts": self.texts,
            "channel": self.channel,
            "agreement": self.share_of_same,
            score: self.accuracy,
            f"{score}_in_fp32": self.accuracy_in_fp32,
        }


def _silenced(in_fp32: object, own: Mapping[str, float | None] | None) -> tuple[str, ...]:
    if own is None or not isinstance(in_fp32, Mapping):
        return ()
    return tuple(label for label, value in own.items() if value is None and in_fp32.get(label) is not None)


def _texts_of_channel(info: Mapping[str, Any], channel: object) -> int:
    """Return how many texts the evaluation of a channel counted; 0 where training.json does not say."""
    metrics = info.get("metrics")
    of_channel = metrics.get(channel) if isinstance(metrics, Mapping) and isinstance(channel, str) else None
    texts = of_channel.get("texts") if isinstance(of_channel, Mapping) else None
    return texts if isinstance(texts, int) and texts >= 0 else 0


def is_threshold_by_label(value: object) -> bool:
    """Return whether a value gives each label a probability, or None."""
    return isinstance(value, Mapping) and all(
        each is None or (isinstance(each, int | float) and 0 <= each <= 1) for each in value.values()
    )


def int8_sentence(info: Mapping[str, Any]) -> str:
    """Return what a training.json says of int8, for people; "" if nothing."""
    measured = Agreement.of(info, "int8")
    if measured is None:
        return ""
    seven = Agreement.of(info, "int8_7_bits")
    with_7_bits = f"; {seven.same:,} on CPUs without VNNI" if seven else ""
    return f"{measured.sentence}{with_7_bits}"
