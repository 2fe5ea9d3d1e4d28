"""Which cells of a row of CSV hold an answer: found from a header, or from the first rows."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from bert_classifier.job.answer_form import ERROR, answer_columns, parted
from bert_classifier.job.serve_config import ANSWER_FIELDS

_LABEL_NAMES = ("predicted_label", "predicted", "label")
_SCORE_NAMES = ("probability", "score")
_AS_ONE_CLASS = ("predicted_label", "probability", ERROR)  # fields with the cells of a class and its score
_TELLING = {"predicted_label", "probabilities"}  # and "probability" where it is that of the one label
_ROUNDED = 1e-4  # what rounding changes at most in a sum of scores, for each class


def score_of(value: Any) -> float | None:
    """Return a score from 0 to 1; None for anything else."""
    number = _number(value)
    return number if number is not None and 0 <= number <= 1.000001 else None


def is_no_score(value: Any) -> bool:
    """Return whether a value is a number that no score can be, such as a rating."""
    return _number(value) is not None and score_of(value) is None


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return None
    return None if math.isnan(number) else number


@dataclasses.dataclass(frozen=True)
class Columns:
    """The places of an answer's cells, from the left or, where negative, from the right; none: ().

    Attributes:
        pairs: of classes with their scores.
        label: of the predicted class; `score` of its score.
        probabilities: of all classes, in the model's order.
        labels: of the names of all classes.
        width: of rows that hold nothing else; 0: any.
    """

    pairs: tuple[tuple[int, int], ...] = ()
    label: int | None = None
    score: int | None = None
    probabilities: tuple[int, ...] = ()
    labels: tuple[int, ...] = ()
    error: int | None = None
    width: int = 0

    @property
    def scores(self) -> list[int]:
        """Places of all scores."""
        return [
            *self.probabilities,
            *(place for _, place in self.pairs),
            *([] if self.score is None else [self.score]),
        ]

    @property
    def tells_set(self) -> bool:
        """Whether these cells tell which labels a text has, of a model that gives it any number of them."""
        return bool(self.label is not None or self.probabilities or self.pairs)

    def behind_others(self, width: int) -> "Columns":
        """Return the same as the last cells of longer rows, whose own width is given."""
        pairs = tuple((label - width, score - width) for label, score in self.pairs)
        return Columns(pairs, error=None if self.error is None else self.error - width)

    def is_refused(self, row: Sequence[str]) -> bool:
        """Return whether a row says that its record was not classified."""
        places = [*self.scores, *(label for label, _ in self.pairs), *self.labels]
        named = "" if self.label is None else cell(row, self.label)
        return bool(cell(row, self.error)) or (
            bool(places) and not named and not any(cell(row, at) for at in places)
        )


def cell(row: Sequence[str], place: int | None) -> str:
    """Return a cell; "" where there is none."""
    return "" if place is None or not -len(row) <= place < len(row) else row[place]


def by_header(cells: Sequence[str], labels: Sequence[str]) -> Columns | None:
    """Return what a row of names says; None if it names nothing of an answer."""
    at = {name: cells.index(name) for name in cells}
    pairs = _pairs_of(at)
    all_classes = [f"probability_{label}" for label in labels]
    probabilities = tuple(at[name] for name in all_classes) if set(all_classes) <= at.keys() else ()
    label = next((at[name] for name in _LABEL_NAMES if name in at), None)
    score = next((at[name] for name in _SCORE_NAMES if name in at), None)
    are_fields = at.keys() <= {"probability", *answer_columns(labels, ("labels", ERROR), None)}
    is_answer = pairs or probabilities or "predicted_label" in at or None not in (label, score)
    if not is_answer and not (score is not None and are_fields):
        return None
    names = (
        () if pairs else tuple(at[name] for name in answer_columns(labels, ("labels",), None) if name in at)
    )
    return Columns(pairs, label, score, probabilities, names, at.get(ERROR))


def _pairs_of(at: dict[str, int]) -> tuple[tuple[int, int], ...]:
    numbers = itertools.takewhile(lambda n: {f"label_{n}", f"score_{n}"} <= at.keys(), itertools.count(1))
    return tuple((at[f"label_{n}"], at[f"score_{n}"]) for n in numbers)


class RowForms:
    """Finds from rows without a header what their cells are, out of all that the server writes.

    Args:
        labels: the model's classes, in its order.
        has_sets: whether a text has any number of them: one cell joins several, and scores have no sum.
    """

    def __init__(self, labels: Sequence[str], *, has_sets: bool = False) -> None:
        self._labels, self._known, self._has_sets = list(labels), frozenset(labels), has_sets
        self._telling = _TELLING if has_sets else _TELLING | {"probability"}
        self._of_width = functools.cache(lambda width: list(self._forms(width)))

    def fitting(self, rows: Sequence[Sequence[str]]) -> list[Columns]:
        """Return the forms that fit all rows, those of them that leave the fewest rows without an answer."""
        widths = {len(row) for row in rows}
        alone = self._of_width(widths.pop()) if len(widths) == 1 else []
        found = self._best(alone, rows)
        return found or next(filter(None, (self._best([form], rows) for form in self._behind_records())), [])

    def _best(self, forms: Sequence[Columns], rows: Sequence[Sequence[str]]) -> list[Columns]:
        fitting = [form for form in forms if all(self._fits(form, row) for row in rows)]
        answered = [sum(self._is_answered(form, row) for row in rows) for form in fitting]
        most = max(answered, default=0)
        found = [form for form, count in zip(fitting, answered, strict=True) if count == most]
        return found if most else [form for form in found if self._may_lack_answers(form)]

    def _may_lack_answers(self, form: Columns) -> bool:
        """Return whether rows without any answer are still of this form: all refused, or all without a label."""
        is_default = bool(form.pairs) and form.error is not None
        may_be_empty = self._has_sets or (not form.scores and form.error is None)
        return is_default or (form.label is not None and may_be_empty)

    def _forms(self, width: int) -> Iterator[Columns]:
        count = len(self._labels)
        yield from (self._list_of(n) for n in range(1, count + 1) if 2 * n + 1 == width)
        for number in range(1, len(ANSWER_FIELDS) + 1):
            for fields in itertools.permutations(ANSWER_FIELDS, number):
                cells = sum(count if name in ("labels", "probabilities") else 1 for name in fields)
                if cells == width and self._telling & set(fields) and fields != _AS_ONE_CLASS:
                    yield self._of_fields(fields, width)

    def _of_fields(self, fields: Sequence[str], width: int) -> Columns:
        at = {name: place for place, name in enumerate(answer_columns(self._labels, fields, None))}
        probabilities = [at[name] for name in at if name.startswith("probability_")]
        labels = [at[name] for name in at if name.startswith("label_")]
        return Columns(
            (),
            at.get("predicted_label"),
            at.get("probability"),
            tuple(probabilities),
            tuple(labels),
            at.get(ERROR),
            width,
        )

    def _list_of(self, number: int) -> Columns:
        pairs = tuple((2 * place, 2 * place + 1) for place in range(number))
        return Columns(pairs, error=2 * number, width=2 * number + 1)

    def _behind_records(self) -> Iterator[Columns]:
        """Yield the forms in which an answer is known behind the cells of the record that it is joined to."""
        for number in range(len(self._labels), 0, -1):
            yield self._list_of(number).behind_others(2 * number + 1)
        yield Columns(((0, 1),)).behind_others(2)

    def _is_answered(self, form: Columns, row: Sequence[str]) -> bool:
        has_answer = form.scores or (form.label is not None and cell(row, form.label))
        return bool(has_answer) and not form.is_refused(row)

    def _fits(self, form: Columns, row: Sequence[str]) -> bool:
        if max(-min([0, *form.scores, *(label for label, _ in form.pairs)]), form.width) > len(row):
            return False
        if form.is_refused(row):
            places = {form.label, *form.scores, *form.labels, *(label for label, _ in form.pairs)}
            return not any(cell(row, place) for place in places)
        return self._fits_labels(form, row) and self._fits_scores(form, row)

    def _fits_labels(self, form: Columns, row: Sequence[str]) -> bool:
        listed = [cell(row, label) for label, _ in form.pairs]
        may_be_empty = {""} if len(listed) == 1 else set()
        return (
            set(listed) <= self._known | may_be_empty
            and len(set(listed)) == len(listed)
            and set(self._parts(row, form.label)) <= self._known | {""}
            and [cell(row, place) for place in form.labels] in ([], self._labels)
        )

    def _fits_set(self, form: Columns, row: Sequence[str]) -> bool:
        """Return whether there are as many labels as scores of them, each among the scores of all classes."""
        labels, scores = self._parts(row, form.label), self._parts(row, form.score)
        all_of = {cell(row, place) for place in form.probabilities}
        are_alike = None in (form.label, form.score) or len(labels) == len(scores)
        return are_alike and (not all_of or {*scores} <= all_of)

    def _parts(self, row: Sequence[str], place: int | None) -> list[str]:
        found = cell(row, place)
        return parted(found) if self._has_sets else [found]

    def _fits_scores(self, form: Columns, row: Sequence[str]) -> bool:
        if any(score_of(part) is None for place in form.scores for part in self._parts(row, place)):
            return False
        if self._has_sets:
            return self._fits_set(form, row)
        sums = [sum(float(cell(row, place)) for _, place in form.pairs)]
        if form.probabilities:
            all_of = [float(cell(row, place)) for place in form.probabilities]
            sums.append(sum(all_of))
            is_whole = abs(sum(all_of) - 1) <= _ROUNDED * len(all_of)
            is_best = form.score is None or float(cell(row, form.score)) == max(all_of)
            if not is_whole or not is_best:
                return False
        return max(sums) <= 1 + _ROUNDED * len(self._labels)
