"""Labelled texts as training sees them: checked, split and fingerprinted."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from bert_classifier.data.records import refuse_rows, text_problem
from bert_classifier.errors import UserError
from bert_classifier.job.settings import shown
from bert_classifier.label_mapper import LabelMapperBase, class_names

_MOST_CLASSES = 10


@dataclasses.dataclass(frozen=True)
class Examples:
    """n texts and the index of each one's class, int64 (n,).

    Attributes:
        place_of: returns the location of an example by its index, such as "train.csv line 3".
        num_empty: number of records omitted because they have no text.
    """

    texts: Sequence[str]
    targets: np.ndarray
    place_of: Callable[[int], str] = "item {}".format
    num_empty: int = 0

    def __len__(self) -> int:
        return len(self.texts)

    def subset(self, indices: np.ndarray) -> "Examples":
        """Return the examples with these indices, in this order."""
        texts = [self.texts[index] for index in indices]
        return Examples(texts, self.targets[indices], lambda index: self.place_of(int(indices[index])))

    def fingerprint(self) -> str:
        """Return a SHA-256 over all texts and targets, in order."""
        digest = hashlib.sha256(self.targets.tobytes())
        for text in self.texts:
            raw = text.encode("utf-8")
            digest.update(len(raw).to_bytes(8, "little"))
            digest.update(raw)
        return digest.hexdigest()


@dataclasses.dataclass(frozen=True)
class Records:
    """The texts of a channel and their locations, in the order of its examples."""

    places: Sequence[str]
    texts: Sequence[str]

    @classmethod
    def of(cls, examples: Examples) -> Self:
        """Return the records of examples."""
        return cls([examples.place_of(index) for index in range(len(examples))], examples.texts)

    def save(self, path: Path) -> None:
        """Write the records into a file, for other processes of this host."""
        path.write_text(json.dumps([list(self.places), list(self.texts)]), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return what `save` wrote."""
        return cls(*json.loads(path.read_text(encoding="utf-8")))


def distinct_labels(dataset: Any) -> Iterable[str]:
    """Return the raw labels of a dataset: its `label_names` if it has them, or else those of all items."""
    names: Iterable[str] | None = getattr(dataset, "label_names", None)
    return names if names is not None else {dataset[index][1] for index in range(len(dataset))}


def require_rows(dataset: Any, channel: str) -> None:
    """Refuse an empty dataset with a UserError that names the channel."""
    if len(dataset) == 0:
        raise UserError(f"The {channel} channel has no usable row.", "Give it rows with a label and a text.")


def read_examples(dataset: Any, mapper: LabelMapperBase, channel: str) -> Examples:
    """Read every item (text, raw label) of a dataset.

    Args:
        dataset: has __len__ and __getitem__ and, optionally, `place_of(index)`, the location of an item for messages.
    Raises:
        UserError: when there is no item, a text is invalid, or the mapper does not know a label.
    """
    require_rows(dataset, channel)
    texts: list[str] = []
    targets = np.zeros(len(dataset), dtype=np.int64)
    wrong: list[str] = []
    has_unknown = False
    place_of = getattr(dataset, "place_of", Examples.place_of)
    for index in range(len(dataset)):
        text, label = dataset[index]
        try:
            targets[index] = _checked_target(mapper, label)
        except KeyError:
            has_unknown = True
            wrong.append(f"{place_of(index)}: {type(mapper).__name__} does not know the label {shown(label)}")
        except ValueError as error:
            has_unknown = True
            wrong.append(f"{place_of(index)}: {error}")
        problem = text_problem(text)
        if problem:
            wrong.append(f"{place_of(index)}: {problem}")
        texts.append(text)
    refuse_rows(wrong, _known_classes(mapper) if has_unknown else "")
    return Examples(texts, targets, place_of, getattr(dataset, "num_empty", 0))


def _checked_target(mapper: LabelMapperBase, label: str) -> int:
    target = mapper.map(label)
    if not isinstance(target, int | np.integer) or not 0 <= target < mapper.num_classes:
        owner = type(mapper).__name__
        raise ValueError(f"{owner}.map gives {target!r}, not an index below {mapper.num_classes}")
    return int(target)


def _known_classes(mapper: LabelMapperBase) -> str:
    names = class_names(mapper)
    rest = f", … ({len(names)} in all)" if len(names) > _MOST_CLASSES else ""
    return f" The classes are {', '.join(map(shown, names[:_MOST_CLASSES]))}{rest}."


def stratified_split(examples: Examples, share: float, seed: int) -> tuple[Examples, Examples]:
    """Split off a random fraction `share` of each class; a class with one text stays in the first part.

    Returns:
        the larger part and the part split off, both in the original order.
    Raises:
        UserError: when every class has only one text.
    """
    draw = np.random.Generator(np.random.Philox(seed))
    held_out = np.zeros(len(examples), dtype=bool)
    for target in np.unique(examples.targets):
        indices = draw.permutation(np.flatnonzero(examples.targets == target))
        if len(indices) > 1:
            held_out[indices[: min(len(indices) - 1, max(1, round(share * len(indices))))]] = True
    if not held_out.any():
        raise UserError(
            "Every label of train occurs only once, so nothing can be held out for validation.",
            "Check which column holds the label, or give a validation channel (VALIDATION=val.csv on your machine).",
        )
    rest, part = (examples.subset(np.flatnonzero(chosen)) for chosen in (~held_out, held_out))
    return dataclasses.replace(rest, num_empty=examples.num_empty), part
