"""Labelled texts as training sees them: checked, split and fingerprinted."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, overload

import numpy as np

from bert_classifier.data.records import text_problem
from bert_classifier.data.shapes import spoken_label
from bert_classifier.data.stratified import held_out_sets
from bert_classifier.data.targets import TargetReader, single_labels
from bert_classifier.data.text_pair import TextPair
from bert_classifier.data.text_store import Texts, TextWriter
from bert_classifier.data.wrong_rows import WrongRows
from bert_classifier.errors import UserError
from bert_classifier.job.data_names import listed
from bert_classifier.job.task import Task
from bert_classifier.job.wording import enumerated
from bert_classifier.label_mapper import LabelMapperBase, class_names

_MOST_CLASSES = 10
_MIXED = "it has one text, or two, where the first item has not"


@dataclasses.dataclass(frozen=True)
class Examples:
    """n texts and the index of each one's class, int64 (n,), or for each class 1 or 0, uint8 (n, classes).

    Attributes:
        place_of: returns the location of an example by its index, such as "train.csv line 3".
        num_empty: number of records omitted because they have no text.
        understood: what was understood of each file, as data_report.json has it.
    """

    texts: Sequence[str]
    targets: np.ndarray
    place_of: Callable[[int], str] = "item {}".format
    num_empty: int = 0
    understood: Sequence[Mapping[str, Any]] = ()

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def task(self) -> Task:
        """Whether a text has one label or any number."""
        return Task.of(self.targets)

    @property
    def is_paired(self) -> bool:
        """Whether each text is a pair of two."""
        if isinstance(self.texts, Texts):
            return self.texts.is_paired
        return len(self.texts) > 0 and isinstance(self.texts[0], TextPair)

    def texts_by_class(self, labels: Sequence[str]) -> dict[str, int]:
        """Return the number of texts of each class, including classes without any."""
        if self.task is Task.MULTI:
            counts = self.targets.sum(axis=0, dtype=np.int64)
        else:
            counts = np.bincount(self.targets, minlength=len(labels))
        return dict(zip(labels, counts.tolist(), strict=True))

    def subset(self, indices: np.ndarray) -> "Examples":
        """Return the examples with these indices, in this order."""
        texts = self.texts
        chosen = texts.take(indices) if isinstance(texts, Texts) else [texts[index] for index in indices]
        return Examples(chosen, self.targets[indices], lambda index: self.place_of(int(indices[index])))

    def fingerprint(self) -> str:
        """Return a SHA-256 over all texts and targets, in order."""
        targets = np.ascontiguousarray(self.targets)
        digest = hashlib.sha256(targets.data if targets.ndim == 1 else repr(targets.shape).encode())
        if targets.ndim > 1:
            digest.update(targets.reshape(-1).data)
        raw_texts = self.texts.encoded() if isinstance(self.texts, Texts) else map(str.encode, self.texts)
        for raw in raw_texts:
            digest.update(len(raw).to_bytes(8, "little") + raw)
        return digest.hexdigest()


class _Places(Sequence[str]):
    """The locations of examples, made when they are asked for."""

    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    def __len__(self) -> int:
        return len(self._examples)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        chosen = range(len(self))[index]
        place_of = self._examples.place_of
        return [place_of(each) for each in chosen] if isinstance(chosen, range) else place_of(chosen)


@dataclasses.dataclass(frozen=True)
class Records:
    """The texts of a channel and their locations, in the order of its examples."""

    places: Sequence[str]
    texts: Sequence[str]

    @classmethod
    def of(cls, examples: Examples) -> Self:
        """Return the records of examples."""
        return cls(_Places(examples), examples.texts)

    def save(self, path: Path) -> None:
        """Write the records into files, for other processes of this host.

        Raises:
            PlatformError: when they cannot be written.
        """
        Texts.of(self.texts).save(path)
        Texts.of(self.places).save(_places_file(path))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return what `save` wrote, mapped from there."""
        return cls(Texts.load(_places_file(path)), Texts.load(path))


def _places_file(path: Path) -> Path:
    return path.with_name(f"{path.name}-places")


def distinct_labels(dataset: Any) -> Iterable[str]:
    """Return the raw labels of a dataset: its `label_names` if it has columns, or else those of all items."""
    if has_columns(dataset):
        names: Iterable[Any] = dataset.label_names
    else:
        names = (dataset[index][1] for index in range(len(dataset)))
    return dict.fromkeys(single_labels(names))


def has_columns(dataset: Any) -> bool:
    """Return whether a dataset has columns, as DbpediaDataset does, which say the same as its items.

    The class that defines the items must declare `texts` (Texts), `label_names`, and `label_codes` (int, the label of
    each item as an index into them): the items of a class derived from it may be others.
    """
    owner = next((kind for kind in type(dataset).__mro__ if "__getitem__" in vars(kind)), None)
    return {"texts", "label_codes", "label_names"} <= {*vars(owner).get("__annotations__", {})}


def require_rows(dataset: Any, channel: str) -> None:
    """Refuse an empty dataset with a UserError that names the channel and, where they are known, its files."""
    if len(dataset) == 0:
        names = listed(found["file"] for found in getattr(dataset, "understood", ()))
        there = f": it holds {names}" if names else ""
        raise UserError(
            f"The {channel} channel has no usable row{there}.", "Give it rows with a label and a text."
        )


def read_examples(dataset: Any, mapper: LabelMapperBase, channel: str, task: Task | None = None) -> Examples:
    """Read every item (text, raw label), or (text, raw labels), of a dataset; the texts go into a temporary file.

    Args:
        dataset: has __len__ and __getitem__ and, optionally, `place_of(index)`, the location of an item for messages.
            Columns are used in place of the items where has_columns finds them.
        task: whether texts have one label or any number; None: any number if an item has a list, tuple or set.
    Raises:
        UserError: when there is no item, a text is invalid, or the mapper does not know a label.
        PlatformError: when the texts cannot be written.
    """
    require_rows(dataset, channel)
    columns = _columns_of(dataset, mapper, task) if has_columns(dataset) else None
    texts, targets = columns or _read_items(dataset, mapper, task)
    place_of = getattr(dataset, "place_of", Examples.place_of)
    understood = getattr(dataset, "understood", ())
    return Examples(texts, targets, place_of, getattr(dataset, "num_empty", 0), understood)


def _columns_of(dataset: Any, mapper: LabelMapperBase, task: Task | None) -> tuple[Texts, np.ndarray] | None:
    """Return texts and targets of a dataset with columns; None if one is wrong, which its items tell the place of."""
    targets = TargetReader(mapper, task)
    wrong = [targets.add(label) for label in dataset.label_names]
    if any(wrong) or any(map(text_problem, dataset.texts)):
        return None
    return dataset.texts, targets.targets_of(dataset.label_codes)


def _read_items(dataset: Any, mapper: LabelMapperBase, task: Task | None) -> tuple[Texts, np.ndarray]:
    """Return texts and targets of a dataset, item by item; raises as read_examples says."""
    writer, wrong, targets = TextWriter(), WrongRows(), TargetReader(mapper, task)
    place_of = getattr(dataset, "place_of", Examples.place_of)
    is_paired: bool | None = None
    for index in range(len(dataset)):
        text, label = dataset[index]
        unknown = targets.add(label)
        if unknown:
            wrong.add(place_of(index), unknown)
        is_pair = isinstance(text, TextPair)
        is_paired = is_pair if is_paired is None else is_paired
        problem = text_problem(text) or (_MIXED if is_pair is not is_paired else None)
        if problem:
            wrong.add(place_of(index), problem)
        else:
            writer.append(text)
    wrong.refuse(_known_classes(mapper) if targets.has_unknown else "")
    return writer.finish(), targets.finish()


def _known_classes(mapper: LabelMapperBase) -> str:
    names = class_names(mapper)
    named = enumerated([*map(spoken_label, names[:_MOST_CLASSES])], _MOST_CLASSES, len(names))
    return f" The classes are {named}."


def stratified_split(examples: Examples, share: float, seed: int) -> tuple[Examples, Examples]:
    """Split off a random fraction `share` of each class; a class with one text stays in the first part.

    With several labels per text the fractions are as near to that as texts with their sets of labels allow.

    Returns:
        the larger part and the part split off, both in the original order.
    Raises:
        UserError: when every class has only one text.
    """
    draw = np.random.Generator(np.random.Philox(seed))
    if examples.targets.ndim == 2:
        held_out = held_out_sets(examples.targets, share, draw)
    else:
        held_out = _held_out(examples.targets, share, draw)
    if not held_out.any():
        raise UserError(
            "Every label of train occurs only once, so nothing can be held out for validation.",
            "Check which column holds the label, or give a validation channel (VALIDATION=val.csv on your machine).",
        )
    rest, part = (examples.subset(np.flatnonzero(chosen)) for chosen in (~held_out, held_out))
    return dataclasses.replace(rest, num_empty=examples.num_empty, understood=examples.understood), part


def _held_out(targets: np.ndarray, share: float, draw: np.random.Generator) -> np.ndarray:
    """Return which texts are split off, bool (n,)."""
    held_out = np.zeros(len(targets), dtype=bool)
    for target in np.unique(targets):
        indices = draw.permutation(np.flatnonzero(targets == target))
        if len(indices) > 1:
            held_out[indices[: min(len(indices) - 1, max(1, round(share * len(indices))))]] = True
    return held_out
