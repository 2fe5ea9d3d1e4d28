"""The classification head that a checkpoint brings along: kept, class by class, or begun anew.

Of the head, only the layers with a row per class say something about the classes. What lies before them (a pooler, a
dense layer) is the checkpoint's, whatever becomes of the classes.
"""

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.data_names import listed
from bert_classifier.job.json_files import read_object
from bert_classifier.job.task import Task
from bert_classifier.job.wording import counted
from bert_classifier.modeling.config_heads import contradiction_of, labels_of, other_task_of, task_of_config
from bert_classifier.modeling.mean_layer import HAS_MEAN_LAYER
from bert_classifier.modeling.pooling import former_pooling, needs_mean_layer

_ATTRIBUTE = "loaded_head"  # of a model
_SETTINGS = ("auto", "true", "false")  # of keep_head
_TRAINING_INFO = "training.json"  # of a model that this program trained
_REMEDY = (
    "Give its classes in id2label of config.json the names that they have in the data, or leave keep_head out: the head"
    " then starts anew."
)


@dataclasses.dataclass(frozen=True)
class LoadedHead:
    """What a checkpoint's head was, and what became of it.

    Attributes:
        source: folder or name of the checkpoint.
        labels: its classes, in the order of its logits; empty for a checkpoint without a classification head.
        became: "new" where early versions began anew, too; "replaced" where they kept a head of as many other classes;
            "kept"; "reordered": kept, with its rows in the order of the classes in the data.
        parts: names of the model's parameters that have a row per class.
        task: whether it gives a text one of its labels, or any number.
        keep: what decides: "auto", "true", "false", or the setting that replaces the head.
        other_task: what it is for, if not for the classes of texts; else "".
        contradiction: where id2label and label2id of config.json give a class different places; else "".
        rows: classes that its weights have, where config.json names another number; else 0.
    """

    source: str = ""
    labels: tuple[str, ...] = ()
    became: str = "new"
    parts: tuple[str, ...] = ()
    task: Task = Task.SINGLE
    keep: str = "auto"
    other_task: str = ""
    contradiction: str = ""
    rows: int = 0

    @property
    def is_kept(self) -> bool:
        """Whether the model answers as the checkpoint did."""
        return self.became in ("kept", "reordered")

    @property
    def sentence(self) -> str:
        """What the log says; empty for a checkpoint without a head."""
        if not self.labels:
            return ""
        if self.other_task:
            return (
                f"the head of {self.source} is for {self.other_task} and not for the classes of texts, so its last"
                " layer begins anew"
            )
        head = f"the head of {self.source} ({self._classes})"
        if self.is_kept:
            order = ", in the order of the data" if self.became == "reordered" else ""
            return (
                f"{head} is kept, since the data have the same classes{order} (keep_head=false begins anew)"
            )
        if self.keep not in _SETTINGS:
            return f"{head} is not kept: {self.keep} replaces it (leave that out to keep it for the same classes)"
        return (
            f"{head} is not kept: its last layer begins anew (keep_head=true keeps it for the same classes)"
        )

    @property
    def _classes(self) -> str:
        named = counted(len(self.labels), "class", "classes")
        if self.rows:
            rows = counted(self.rows, "class", "classes")
            return f"{rows} by its weights, though its config.json speaks of {named}: {listed(self.labels)}"
        return f"{named}: {listed(self.labels)}"

    def keeps(self, labels: Sequence[str], task: Task) -> bool:
        """Return whether the head is kept for these classes: the one answer, before the model is built and when it is.

        "auto" keeps the head of a model that this program trained, which is trained further.

        Raises:
            UserError: when it must be kept and cannot be.
        """
        if self.keep == "true":
            self._require(labels, task)
            return True
        is_same = bool(self.labels) and sorted(self.labels) == sorted(labels) and self.task is task
        return is_same and self.keep == "auto" and _is_own(self.source)

    def _require(self, labels: Sequence[str], task: Task) -> None:
        """Raise a UserError unless the head has exactly these classes, in any order, for the same task."""
        if not self.labels:
            raise UserError(
                f"keep_head=true, but {self.source} has no classification head.",
                "Give the folder of a classifier, or leave keep_head out.",
            )
        if self.other_task:
            raise UserError(
                f"keep_head=true, but the head of {self.source} is for {self.other_task}, as architectures of its"
                " config.json says, and not for the classes of texts.",
                "Give the folder of a text classifier, or leave keep_head out: the head then begins anew.",
            )
        if self.contradiction:
            raise UserError(
                f"keep_head=true, but id2label and label2id in the config.json of {self.source} contradict each other:"
                f" {self.contradiction}.",
                "Correct the wrong one of the two, or leave keep_head out: the head then begins anew.",
            )
        if self.task is not task:
            ones = {Task.SINGLE: "one label per text", Task.MULTI: "several labels per text"}
            raise UserError(
                f"keep_head=true, but the head of {self.source} is for {ones[self.task]}, and the data have"
                f" {ones[task]}.",
                "Leave keep_head out: the head then begins anew.",
            )
        if sorted(self.labels) != sorted(labels):
            raise UserError(
                f"keep_head=true, but the classes of {self.source} are not those of the data:"
                f" {_difference(self.labels, labels)}.",
                _REMEDY,
            )


def loaded_head(model: Any) -> LoadedHead:
    """Return what became of the head of the checkpoint that a model was loaded from."""
    head = getattr(model, _ATTRIBUTE, None)
    return head if isinstance(head, LoadedHead) else LoadedHead()


def doubts_about_pooling(model: Any, pooling: str) -> list[str]:
    """Return what a run should say of a `pooling` that a checkpoint was not trained with; empty if nothing.

    Args:
        model: from the checkpoint, after use_pooling.
    """
    if pooling == "cls" and getattr(model.config, HAS_MEAN_LAYER, False):
        return [
            "pooling=cls changes nothing: the encoder has the layer of pooling=mean since an earlier training. Leave it"
            " out, or give the encoder of that training's beginning."
        ]
    head, former = loaded_head(model), former_pooling(model)
    if not former or not head.is_kept:
        return []
    read = "the mean of the tokens" if former == "mean" else "the first token"
    return [
        f"The head of {head.source} is kept, but it was trained to read {read}, and pooling={pooling} gives it"
        " something else. Leave pooling out, or begin the head anew with keep_head=false."
    ]


def keep_head_of(config: TrainConfig, model_config: Any, source: str) -> str:
    """Return what decides on a classifier's head: keep_head, or with "auto" the setting that would replace the head.

    Args:
        model_config: the encoder's configuration.
        source: folder or name of the encoder, for messages.
    Raises:
        UserError: for a head that must be kept, and a new layer below it.
    """
    takes_layer = config.pooling == "mean" and needs_mean_layer(model_config)
    if config.keep_head == "true" and takes_layer:
        raise UserError(
            f"pooling=mean puts a layer below the head of {source}, which keep_head=true keeps as it is.",
            "Leave one of the two out.",
        )
    if config.keep_head == "auto" and takes_layer:
        return "pooling=mean"
    if config.keep_head == "auto" and config.head_init == "logistic_regression":
        return "head_init=logistic_regression"
    return config.keep_head


def head_of_config(config: Any, source: str, keep: str) -> LoadedHead:
    """Return what a checkpoint's configuration says of its head; use_head finds out whether it has that head."""
    return LoadedHead(
        source,
        labels_of(config),
        task=task_of_config(config),
        keep=keep,
        other_task=other_task_of(config),
        contradiction=contradiction_of(config),
    )


def use_head(
    model: Any,
    found: LoadedHead,
    report: Mapping[str, Any],
    labels: Sequence[str] | None,
    task: Task,
) -> None:
    """Keep a classifier's head or begin it anew, and record in the model what became of it.

    Args:
        found: the head that config.json of the checkpoint speaks of.
        report: of transformers, on the weights.
        labels: names of the classes in the data; None while these are not known, and nothing is decided.
        task: of the data.
    Raises:
        UserError: when keep is "true" and the checkpoint has no head, or one for other classes.
    """
    parts = _parts_with_classes(model)
    mismatched = {key[0]: key[1] for key in report.get("mismatched_keys", ())}
    has_head = not set(parts) & set(report.get("missing_keys", ())) and bool(parts)
    old = found.labels
    rows = {len(old), *(mismatched.get(part, [model.config.num_labels])[0] for part in parts)} - {len(old)}
    head = dataclasses.replace(found, labels=old if has_head else (), parts=parts, rows=max(rows, default=0))
    fits = has_head and not set(parts) & set(mismatched)
    is_kept = head.keeps(head.labels if labels is None else labels, head.task if labels is None else task)
    if head.keep == "true" and labels is not None and not fits:
        raise UserError(
            f"keep_head=true, but the head of {head.source} is not for the {len(old)} classes of its config.json.",
            "Give the classifier's own config.json, or leave keep_head out.",
        )
    if fits and labels is not None:
        became = "replaced" if not is_kept else "kept" if list(old) == list(labels) else "reordered"
        head = dataclasses.replace(head, became=became)
        _apply(model, head, labels)
    setattr(model, _ATTRIBUTE, head)


def _apply(model: Any, head: LoadedHead, labels: Sequence[str]) -> None:
    if head.became == "reordered":
        rows = torch.tensor([head.labels.index(label) for label in labels])
        for name in head.parts:
            parameter = model.get_parameter(name)
            parameter.data = parameter.data[rows].clone()
    if head.became == "replaced":
        for owner in dict.fromkeys(name.rpartition(".")[0] for name in head.parts):
            module = model.get_submodule(owner)
            for parameter in module.parameters(recurse=False):
                parameter._is_hf_initialized = False  # transformers leaves alone what it has loaded
            model._init_weights(module)


def _parts_with_classes(model: Any) -> tuple[str, ...]:
    """Return the names of the parameters whose shape follows the number of classes."""
    config = copy.deepcopy(model.config)
    config.num_labels = model.config.num_labels + 1
    with torch.random.fork_rng(devices=[]), torch.device("meta"):  # shapes alone, without memory
        larger = dict(type(model)(config).named_parameters())
    return tuple(name for name, own in model.named_parameters() if larger[name].shape != own.shape)


def _is_own(source: str) -> bool:
    """Return whether a folder holds a model that this program trained."""
    path = Path(source) / _TRAINING_INFO
    return path.is_file() and isinstance(read_object(path, "Remove it.").get("labels"), list)


def _difference(theirs: Sequence[str], ours: Sequence[str]) -> str:
    only = (sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs)))
    sides = [
        f"only {side}: {listed(names)}" for side, names in zip(("there", "here"), only, strict=True) if names
    ]
    return "; ".join(sides) or "some are there twice"
