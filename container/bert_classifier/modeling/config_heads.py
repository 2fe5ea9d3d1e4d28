"""What a checkpoint's configuration says of its classification head."""

from typing import Any

from bert_classifier.job.settings import shown
from bert_classifier.job.task import Task

# What heads of other tasks are called in `architectures` of config.json, and what they are for.
_OTHER_TASKS = {
    "TokenClassification": "tokens (token classification)",
    "QuestionAnswering": "question answering",
    "MultipleChoice": "multiple choice",
    "NextSentencePrediction": "next sentence prediction",
}


def labels_of(config: Any) -> tuple[str, ...]:
    """Return the names of the classes in a checkpoint's configuration."""
    names = getattr(config, "id2label", None) or {}
    return tuple(str(names.get(index, index)) for index in range(len(names)))


def other_task_of(config: Any) -> str:
    """Return what a head is for, by `architectures`, if not for the classes of texts; else ""."""
    names = [str(name) for name in getattr(config, "architectures", None) or ()]
    return next((what for name in names for kind, what in _OTHER_TASKS.items() if f"For{kind}" in name), "")


def contradiction_of(config: Any) -> str:
    """Return where id2label and label2id give a class different places; "" where they do not."""
    places = getattr(config, "label2id", None) or {}
    for index, label in enumerate(labels_of(config)):
        other = places.get(label)
        if other is not None and str(other) != str(index):
            theirs = other if isinstance(other, int) else shown(other)
            return f"{shown(label)} is class {index} in id2label and class {theirs} in label2id"
    return ""


def task_of_config(config: Any) -> Task:
    """Return the task of a checkpoint's head by its configuration."""
    is_multi = getattr(config, "problem_type", None) == Task.MULTI.problem_type
    return Task.MULTI if is_multi else Task.SINGLE
