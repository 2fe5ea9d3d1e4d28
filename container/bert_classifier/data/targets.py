"""Raw labels as the numbers that training needs: a class index for each text, or 1 and 0 for each class."""

import array
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from bert_classifier.data.label_lists import list_in
from bert_classifier.data.shapes import spoken_label
from bert_classifier.job.task import Task
from bert_classifier.label_mapper import LabelMapperBase

_SETS = (list, tuple, set, frozenset)


def are_several(label: Any) -> bool:
    """Return whether a raw label is a list, tuple or set of labels."""
    return isinstance(label, _SETS)


def single_labels(labels: Iterable[Any]) -> Iterable[Any]:
    """Yield the labels, of each list, tuple or set those in it."""
    for label in labels:
        if are_several(label):
            yield from label
        else:
            yield label


def alike_labels(
    names: Sequence[Any], codes: np.ndarray, classes: Collection[str] = ()
) -> tuple[Sequence[Any], np.ndarray]:
    """Return the labels as sets if any of them is one, and the codes of the items among them, int32 (n,).

    Args:
        names: different labels, strings or sorted tuples of strings.
        codes: int32 (n,), the label of each item as an index into the names.
        classes: known ones, each of which is one label however it is written.
    """
    if not any(map(are_several, names)) or all(map(are_several, names)):
        return names, codes
    found: dict[Any, int] = {}
    moved = [found.setdefault(_as_set(name, classes), len(found)) for name in names]
    return list(found), np.array(moved, dtype=np.int32)[codes]


def _as_set(label: Any, classes: Collection[str]) -> Any:
    """Return one label as a set; a list that was written as text is one that had a single label."""
    if are_several(label):
        return label
    items = None if label in classes else list_in(label)
    return tuple(map(str, items or [label]))


class TargetReader:
    """Collects the targets of labels, as a mapper gives them; each different label is judged once.

    Args:
        mapper: of the job.
        task: whether texts have one label or any number; None: several if any label is a list, tuple or set.
    """

    def __init__(self, mapper: LabelMapperBase, task: Task | None = None) -> None:
        self._mapper, self._task = mapper, task
        self._codes = array.array("i")  # of the labels added
        self._known: dict[Any, int] = {}
        self._targets: list[Any] = []  # of each different label its classes, or what is wrong with it
        self.has_unknown = False
        self._has_sets = False

    def add(self, label: Any) -> str | None:
        """Add the label or labels of the next item; return what is wrong with them, if something is."""
        key = tuple(label) if are_several(label) else label
        is_plain = type(key) is str or (type(key) is tuple and all(type(one) is str for one in key))
        code = self._known.get(key) if is_plain else None
        if code is None:
            code = len(self._targets)
            self._targets.append(self._judge(label))
            if is_plain:
                self._known[key] = code
        self._codes.append(code)
        found = self._targets[code]
        return found if isinstance(found, str) else None

    def finish(self) -> np.ndarray:
        """Return the targets of all items: class indices, int64 (n,), or with several labels uint8 (n, classes).

        Nothing may be wrong with any label.
        """
        return self._targets_of(self._slots())

    def targets_of(self, codes: np.ndarray) -> np.ndarray:
        """Return the targets of items whose labels have these numbers in the order of addition, int (n,).

        Equal labels may have been added more than once: each addition has a number of its own.
        """
        return self._targets_of(self._slots()[codes])

    def _slots(self) -> np.ndarray:
        """Return where the targets of each label added are, int32 (labels added,)."""
        return np.frombuffer(self._codes, dtype=np.int32) if self._codes else np.zeros(0, dtype=np.int32)

    def _targets_of(self, slots: np.ndarray) -> np.ndarray:
        if self._task is not Task.MULTI and not self._has_sets:
            targets = np.array([target[0] for target in self._targets], dtype=np.int64)
        else:
            targets = np.zeros((len(self._targets), self._mapper.num_classes), dtype=np.uint8)
            for row, classes in zip(targets, self._targets, strict=True):
                row[classes] = 1
        chosen: np.ndarray = targets[slots]
        return chosen

    def _judge(self, label: Any) -> list[int] | str:
        if are_several(label):
            if self._task is Task.SINGLE:
                if len(label) != 1:
                    return f"it has {len(label)} labels, and task=single asks for one"
            else:
                self._has_sets = True
        found = [self._target_of(one) for one in (label if are_several(label) else [label])]
        wrong = next((one for one in found if isinstance(one, str)), None)
        return [one for one in found if not isinstance(one, str)] if wrong is None else wrong

    def _target_of(self, label: Any) -> int | str:
        """Return the index of a raw label, or why there is none."""
        try:
            return self._checked(label)
        except KeyError:
            self.has_unknown = True
            return f"{type(self._mapper).__name__} does not know the label {spoken_label(label)}"
        except ValueError as error:
            self.has_unknown = True
            return str(error)

    def _checked(self, label: Any) -> int:
        mapper = self._mapper
        target = mapper.map(label)
        if not isinstance(target, int | np.integer) or not 0 <= target < mapper.num_classes:
            owner = type(mapper).__name__
            raise ValueError(f"{owner}.map gives {target!r}, not an index below {mapper.num_classes}")
        return int(target)
