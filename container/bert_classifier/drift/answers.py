"""What the server answered, read back from any of the forms in which it answers.

An answer per record: its class and score, or that it was refused. Answers of other forms raise UnreadableError.
"""

import csv
import dataclasses
import io
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from bert_classifier.drift.capture import UnreadableError
from bert_classifier.job.answer_form import CSV, ERROR, JSON, JSON_LINES, NPY

JOINED = "SageMakerOutput"  # the field in which batch transform joins an answer to its record
# Of class and score in a row without a header; the later ones follow the cells of a record that an answer is joined to.
_PLACES = ((0, 1), (-3, -2), (-2, -1))
_NO_ANSWER = "the answer has neither a class nor a score"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one record.

    Attributes:
        label: its class; None where the answer names none.
        score: of that class, from 0 to 1; None where the answer has none.
        is_unsure: whether the model abstained.
        is_refused: whether the record was not classified.
        is_truncated: whether the answer says that the text was cut.
    """

    label: str | None = None
    score: float | None = None
    is_unsure: bool = False
    is_refused: bool = False
    is_truncated: bool = False


REFUSED = Answer(is_refused=True)


class AnswerReader:
    """Reads the answers of one model.

    Args:
        labels: its classes, in the order of its probabilities.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = list(labels)
        self._known = set(labels)

    def read(self, media_type: str, body: bytes, records: int | None) -> list[Answer]:
        """Return the answer to each record.

        Args:
            media_type: one of answer_form.WRITTEN.
            records: of the request; None if unknown.
        Raises:
            UnreadableError: when it is not an answer of this model.
        """
        if media_type == NPY:
            return self._of_npy(body)
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise UnreadableError("the answer is not UTF-8") from None
        if media_type == CSV:
            return self.of_rows(list(csv.reader(io.StringIO(text))))
        if media_type in JSON_LINES:
            return [self.of_value(_parsed(line)) for line in text.split("\n") if line.strip()]
        if media_type != JSON:
            raise UnreadableError("the answer is of no form in which the server answers")
        return self._of_json(_parsed(text), records)

    def _of_json(self, value: Any, records: int | None) -> list[Answer]:
        if not isinstance(value, list):
            return [self.of_value(value)]
        if records == 1 and len(value) > 1 and all(isinstance(entry, dict) for entry in value):
            return [self.of_value(value)]  # all classes of the one text
        if records is None and self._is_one_list(value):
            return [self.of_value(value)]
        return [self.of_value(entry) for entry in value]

    def _is_one_list(self, value: Sequence[Any]) -> bool:
        """Return whether a list has each class at most once with scores of one text: its classes, not several texts."""
        named = [entry.get("label") for entry in value if isinstance(entry, dict)]
        scores = [_score(entry.get("score")) or 0.0 for entry in value if isinstance(entry, dict)]
        is_distinct = None not in named and len(set(named)) == len(named) == len(value) > 1
        return is_distinct and abs(sum(scores) - 1) < 1e-3 * len(value) and len(named) == len(self.labels)

    def of_value(self, value: Any) -> Answer:
        """Return the answer that a JSON value stands for: an object, or a list of objects with classes of one text.

        Raises:
            UnreadableError: for any other value.
        """
        if isinstance(value, list):
            answers = [self.of_value(entry) for entry in value if isinstance(entry, dict)]
            if not answers or len(answers) < len(value):
                raise UnreadableError(_NO_ANSWER)
            best = max(answers, key=lambda answer: answer.score or 0.0)
            return dataclasses.replace(best, label=None) if best.is_unsure else best
        if not isinstance(value, dict):
            raise UnreadableError(_NO_ANSWER)
        if value.get(ERROR):
            return REFUSED
        return self._of_object(value)

    def _of_object(self, value: dict[str, Any]) -> Answer:
        probabilities = value.get("probabilities")
        if isinstance(probabilities, list) and len(probabilities) == len(self.labels):
            answer = self._of_probabilities([_score(each) for each in probabilities])
        else:
            name = next((name for name in ("label", "predicted_label") if name in value), "")
            score = _score(value.get("score", value.get("probability")))
            if not name and score is None:
                raise UnreadableError(_NO_ANSWER)
            label = self._label(value[name]) if name else None
            answer = Answer(label, score, is_unsure=bool(name) and value[name] is None)
        is_unsure = (
            answer.is_unsure or value.get("unsure") is True or value.get("predicted_label", "") is None
        )
        return dataclasses.replace(answer, is_unsure=is_unsure, is_truncated=value.get("truncated") is True)

    def _label(self, value: Any) -> str | None:
        if value is None or value == "":
            return None
        if value not in self._known:
            raise UnreadableError("the answer has a class that the model does not have")
        return str(value)

    def _of_probabilities(self, scores: Sequence[float | None]) -> Answer:
        found = [-1.0 if score is None else score for score in scores]
        if max(found) < 0:
            return REFUSED
        return Answer(self.labels[found.index(max(found))], max(found))

    def of_rows(self, rows: Sequence[Sequence[str]]) -> list[Answer]:
        """Return the answers in rows of CSV, with or without a header.

        Raises:
            UnreadableError: when they hold none.
        """
        rows = [row for row in rows if row]
        read = self.reader_of(rows[:20])
        if read is None:
            raise UnreadableError("the rows have no class and score")
        return [read(row) for row in (rows[1:] if self.has_header(rows) else rows)]

    def has_header(self, rows: Sequence[Sequence[str]]) -> bool:
        """Return whether the first row names columns of answers."""
        return bool(rows) and _places_by_name(rows[0]) is not None

    def reader_of(self, rows: Sequence[Sequence[str]]) -> Callable[[Sequence[str]], Answer] | None:
        """Return what reads a row, by the first rows; None if they are no answers."""
        places = _places_by_name(rows[0]) if rows else None
        if places is not None:
            return lambda row: self._of_cells(row, *places)
        for label, score in _PLACES:
            if rows and all(self._is_answer(row, label, score) for row in rows):
                last = None if (label, score) == (-2, -1) else -1
                return lambda row, at=(label, score, last): self._of_cells(row, *at)  # type: ignore[misc]
        if rows and all(len(row) == len(self.labels) and all(map(_score_or_empty, row)) for row in rows):
            return lambda row: self._of_probabilities([_score(cell) for cell in row])
        return None

    def _is_answer(self, row: Sequence[str], label: int, score: int) -> bool:
        least = max(-label, -score, score + 1)
        if len(row) < least or row[label] not in {*self._known, ""}:
            return False
        is_refused = row[label] == row[score] == "" and bool(row[-1])
        return is_refused or _score(row[score]) is not None

    def _of_cells(
        self, row: Sequence[str], label: int | None, score: int | None, error: int | None
    ) -> Answer:
        def cell(place: int | None) -> str:
            return "" if place is None or not -len(row) <= place < len(row) else row[place]

        found = _score(cell(score))
        if cell(error) or (found is None and not cell(label)):
            return REFUSED
        name = self._label(cell(label)) if label is not None else None
        return Answer(name, found, is_unsure=label is not None and name is None)

    def _of_npy(self, body: bytes) -> list[Answer]:
        import numpy as np

        try:
            found = np.load(io.BytesIO(body), allow_pickle=False)
        except Exception:  # noqa: BLE001 - of a damaged file, numpy raises anything
            raise UnreadableError("the answer is not a file of numpy.save") from None
        if found.ndim != 2 or found.shape[1] != len(self.labels):
            raise UnreadableError("the answer is no array of the classes' probabilities")
        return [self._of_probabilities([None if math.isnan(p) else p for p in row]) for row in found.tolist()]


def _places_by_name(cells: Sequence[str]) -> tuple[int | None, int | None, int | None] | None:
    """Return where a header names class, score and error; None if it names no class or no score."""

    def place(*names: str) -> int | None:
        return next((cells.index(name) for name in names if name in cells), None)

    label, score = (
        place("label_1", "predicted_label", "predicted", "label"),
        place("score_1", "probability", "score"),
    )
    return None if label is None or score is None else (label, score, place(ERROR))


def _score(value: Any) -> float | None:
    """Return a score from 0 to 1; None for anything else."""
    try:
        score = float(value)
    except (TypeError, ValueError):
        return None
    return score if 0 <= score <= 1.000001 and not isinstance(value, bool) else None


def _score_or_empty(cell: str) -> bool:
    return not cell or _score(cell) is not None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise UnreadableError("the answer is not valid JSON") from None
