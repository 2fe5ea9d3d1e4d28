"""Settings that suit one label per text only, or several only. Standard library only."""

from collections.abc import Mapping
from typing import Any

from bert_classifier.job.settings import refuse
from bert_classifier.job.task import Task

_INSTEAD = {
    "target_accuracy": "target_precision promises the precision of each label",
    "abstain_below": "label_threshold is the score from which a label is answered",
}
_OF_SEVERAL = ("target_precision", "label_threshold", "multi_label_score")
# Those of TrainConfig, which imports this module. A threshold of 0 is none of them: it answers every label.
DEFAULTS = {
    "target_accuracy": 0.0, "abstain_below": 0.0, "target_precision": 0.0, "label_threshold": None,
    "multi_label_score": "micro_f1",
}  # fmt: skip


def unsuitable_for(task: Task, values: Mapping[str, object]) -> list[str]:
    """Return which of the given settings do nothing for a task, and why.

    Args:
        values: by name; those at their defaults count as left out.
    """
    given = [name for name in (*_INSTEAD, *_OF_SEVERAL) if values.get(name, DEFAULTS[name]) != DEFAULTS[name]]
    if task is Task.MULTI:
        return [
            f"{name} is for texts with one label, and here a text may have several: leave it out ({_INSTEAD[name]})"
            for name in given
            if name in _INSTEAD
        ]
    return [
        f"{name} is for texts with several labels, and here each has one: leave it out, or give task=multi"
        for name in given
        if name in _OF_SEVERAL
    ]


def require_suitable(config: Any, task: Task) -> None:
    """Raise a UserError for settings of a TrainConfig that do nothing for the labels of the data."""
    values = {name: getattr(config, name) for name in (*_INSTEAD, *_OF_SEVERAL)}
    refuse(unsuitable_for(task, values), "Correct the hyperparameters of the job.")


def contradictions_of_labels(values: Mapping[str, object]) -> list[str]:
    """Return what contradicts itself in the settings on several labels per text, as far as they tell alone."""
    found = []
    task = values.get("task")
    has_several = bool(values.get("label_separator") or values.get("label_columns"))
    if task in ("single", "multi") or has_several:
        found += unsuitable_for(Task.MULTI if has_several else Task(str(task)), values)
    if values.get("target_precision") and values.get("label_threshold") is not None:
        found.append(
            "target_precision and label_threshold both say when a label is answered: give one of the two"
        )
    if values.get("target_precision") and values.get("cross_validation"):
        found.append(
            "target_precision cannot be promised with cross_validation, whose scores are those of other models than the"
            " exported one: leave one of the two out (label_threshold sets a threshold by hand)"
        )
    return found
