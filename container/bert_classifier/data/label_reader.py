"""The labels of a file's rows: one each, or several in a list or between separators.

Standard library only.
"""

from collections.abc import Collection, Sequence
from typing import Any

from bert_classifier.data.label_lists import list_in
from bert_classifier.data.labels import is_list_text, is_missing, label_of
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.shapes import ALL_DIFFERENT, FEW_ROWS
from bert_classifier.job.settings import shown

LabelSet = tuple[str, ...]
Label = str | LabelSet
_MOST_KEPT = 10_000  # values of several labels, by which most rows of usual files are known
EMPTY = "the label is empty"
_EMPTY_LIST = f"{EMPTY}, a list without entries (task=multi takes such a row as a text without labels)"
_SPANS = "the label is a list of spans or objects, not one string for the whole text"
_NO_LABELS = f"{EMPTY}, where an empty list would say that a text has none"


class LabelReader:
    """Turns the values of a label column into labels.

    Args:
        settings: of the job.
        classes: names of classes that are known; never taken for missing values.
        is_multi: whether each text has any number of labels.

    Attributes:
        assigned: labels given to rows; one that several rows have counts as often.
        has_separated: whether the separator stood in a value.
    """

    def __init__(self, settings: ReaderSettings, classes: Collection[str], *, is_multi: bool) -> None:
        self.assigned = 0
        self.has_separated = False
        self._is_multi, self._is_single = is_multi, settings.task == "single"
        self._policy = settings.missing_labels
        self._separator = settings.label_separator
        self._classes = classes
        self._whole: dict[Any, Label | ValueError | None] = {}  # by value, which often recurs
        self._judged: dict[Any, str | ValueError | None] = {}

    def __contains__(self, value: str) -> bool:
        """Return whether a value was seen as a label."""
        return value in self._judged

    @property
    def distinct(self) -> int:
        """The different labels seen."""
        return len(self._judged)

    @property
    def hardly_recurs(self) -> bool:
        """Whether nearly all labels differ, as words of texts would."""
        return self.assigned >= FEW_ROWS and self.distinct >= ALL_DIFFERENT * self.assigned

    def of(self, value: Any) -> Label | ValueError | None:
        """Return the label of a value, None to leave the row out, or what is wrong; with several labels all of them.

        A list of several labels is several, even where one label per row is expected, unless that is told: the rows
        before it may have happened to have one each.
        """
        found = self._read(value) if isinstance(value, list) else self._read_once(value)
        if not isinstance(found, ValueError):
            self.assigned += 1 if isinstance(found, str) else len(found or ())
        return found

    def _read_once(self, value: Any) -> Label | ValueError | None:
        """Return what _read returns, for values seen before without reading them again."""
        key = _key(value)
        if key not in self._whole:
            if self._is_multi and len(self._whole) >= _MOST_KEPT:  # sets of labels may nearly all differ
                return self._read(value)
            self._whole[key] = self._read(value)
        return self._whole[key]

    def _read(self, value: Any) -> Label | ValueError | None:
        items = self._items(value)
        if items and any(isinstance(item, list | dict) for item in items):
            return ValueError(_SPANS)
        if items is None or (len(items) == 1 and not self._is_multi):
            label = self._one(value if items is None else items[0])
            if label is None or isinstance(label, ValueError):
                return ValueError(_NO_LABELS) if self._is_multi and str(label) == EMPTY else label
            return (label,) if self._is_multi else label
        if len(items) > 1 and self._is_single:
            return ValueError(f"it has {len(items)} labels, and task=single allows one")
        if items:
            return self._set(items)
        if self._policy == "drop":
            return None
        return () if self._is_multi else ValueError(EMPTY if self._is_single else _EMPTY_LIST)

    def _items(self, value: Any) -> Sequence[Any] | None:
        """Return the entries of a list, or the parts between separators; None for a value that is one label."""
        if isinstance(value, list):
            return value
        if not isinstance(value, str):
            return None
        found = None if value in self._classes else list_in(value)
        if found is not None and (self._is_multi or len(found) != 1 or is_list_text(value)):
            return found
        if not self._is_multi:
            return None
        if self._separator and self._separator in value:
            self.has_separated = True
            return [part for part in value.split(self._separator) if part.strip()]
        return None if value.strip() else ()

    def _set(self, items: Sequence[Any]) -> LabelSet | ValueError | None:
        labels = set()
        for item in items:
            label = self._one(item)
            if label is None:
                return None
            if isinstance(label, ValueError):
                return ValueError("one of its labels is empty") if str(label) == EMPTY else label
            labels.add(label)
        return tuple(sorted(labels))

    def _one(self, value: Any) -> str | ValueError | None:
        """Return one label, None to leave its row out, or what is wrong; each value is judged once."""
        key = _key(value)
        if key not in self._judged:
            self._judged[key] = self._judge(value)
        return self._judged[key]

    def _judge(self, value: Any) -> str | ValueError | None:
        try:
            label = label_of(value)
        except ValueError as error:
            return error
        if label and (label in self._classes or self._policy == "keep" or not is_missing(label)):
            return label
        if self._policy == "drop":
            return None
        return ValueError(f"the label {shown(label)} stands for a missing value" if label else EMPTY)


def _key(value: Any) -> Any:
    return value if isinstance(value, str) else (type(value), repr(value))
