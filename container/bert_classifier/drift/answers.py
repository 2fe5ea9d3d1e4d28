"""What the server answered, read back from any of the forms in which it answers.

An answer per record: its class and score, or that it was refused. Answers of other forms raise UnreadableError.
"""

import csv
import dataclasses
import functools
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bert_classifier.drift import label_sets
from bert_classifier.drift.answer import REFUSED, Answer
from bert_classifier.drift.answer_rows import Columns, RowForms, by_header, cell, is_no_score, score_of
from bert_classifier.drift.capture import UnreadableError
from bert_classifier.job.answer_form import CSV, ERROR, JSON, JSON_LINES, NPY, parted

JOINED = "SageMakerOutput"  # the field in which batch transform joins an answer to its record
_ROWS_LOOKED_AT = 20
_NO_ANSWER = "the answer has neither a class nor a score"
_NO_SCORE = "a score is beyond 0 to 1"


class AnswerReader:
    """Reads the answers of one model.

    Args:
        labels: its classes, in the order of its probabilities.
        abstain_below: score below which it abstains, since some forms of answers do not say so; None: unknown.
        thresholds: of each class, where a text may have any number of them; infinite where it never has.
    """

    def __init__(
        self,
        labels: Sequence[str],
        abstain_below: float | None = 0.0,
        thresholds: Sequence[float] | None = None,
    ) -> None:
        self.labels = list(labels)
        self._known = set(labels)
        self._abstain_below = abstain_below
        self._row_forms = RowForms(labels, has_sets=thresholds is not None)
        self._thresholds = None if thresholds is None else dict(zip(labels, thresholds, strict=True))

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
            return self.of_rows(_rows(text))
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
        scores = [score_of(entry.get("score")) or 0.0 for entry in value if isinstance(entry, dict)]
        if len(value) != len(self.labels) or not all(isinstance(name, str) for name in named):
            return False
        is_whole = self._thresholds is not None or abs(sum(scores) - 1) < 1e-3 * len(value)
        return set(named) == self._known and is_whole

    def of_value(self, value: Any) -> Answer:
        """Return the answer that a JSON value stands for: an object, or a list of objects with classes of one text.

        Raises:
            UnreadableError: for any other value.
        """
        if isinstance(value, list):
            answers = [self.of_value(entry) for entry in value if isinstance(entry, dict)]
            if not answers or len(answers) < len(value):
                raise UnreadableError(_NO_ANSWER)
            if self._thresholds is not None:
                return self._over({str(a.label): a.score or 0.0 for a in answers}, self._thresholds)
            best = max(answers, key=lambda answer: answer.score or 0.0)
            return dataclasses.replace(best, label=None) if best.is_unsure else best
        if not isinstance(value, dict):
            raise UnreadableError(_NO_ANSWER)
        if value.get(ERROR):
            return REFUSED
        if self._may_have_sets and label_sets.is_label_set(value):
            return self._of_labels([entry["label"] for entry in value["labels"]], value)
        return self._of_object(value)

    def _of_labels(self, labels: Sequence[Any], value: dict[str, Any]) -> Answer:
        """Return the answer with any number of labels; scores of those alone say nothing of texts without one."""
        found = tuple(label for label in map(self._label, labels) if label is not None)
        return Answer(is_unsure=not found, labels=found, is_truncated=value.get("truncated") is True)

    def _of_object(self, value: dict[str, Any]) -> Answer:
        name = next((name for name in ("label", "predicted_label") if name in value), "")
        found, given = value.get("probabilities"), value.get("score", value.get("probability"))
        if any(map(is_no_score, found if isinstance(found, list) else [given])):
            raise UnreadableError(_NO_SCORE)
        if isinstance(found, list) and len(found) == len(self.labels):
            answer = self._of_probabilities([score_of(each) for each in found])
        else:
            answer = self._derived(None, score_of(given))
            if not name and answer.score is None:
                raise UnreadableError(_NO_ANSWER)
        if name == "predicted_label" and isinstance(value[name], list):
            return self._of_labels(value[name], value)
        if name:
            answer = Answer(self._label(value[name]), answer.score, is_unsure=value[name] is None)
        is_unsure = value.get("unsure") is True or answer.is_unsure
        return dataclasses.replace(answer, is_unsure=is_unsure, is_truncated=value.get("truncated") is True)

    def _label(self, value: Any) -> str | None:
        if value is None or value == "":
            return None
        if not isinstance(value, str) or value not in self._known:
            raise UnreadableError("the answer has a class that the model does not have")
        return value

    def _of_probabilities(self, scores: Sequence[float | None]) -> Answer:
        found = [-1.0 if score is None else score for score in scores]
        if max(found) < 0:
            return REFUSED
        if self._thresholds is not None:
            return self._over(dict(zip(self.labels, found, strict=True)), self._thresholds)
        return self._derived(self.labels[found.index(max(found))], max(found))

    def _over(self, scores: Mapping[str, float], thresholds: Mapping[str, float]) -> Answer:
        """Return the answer with the labels whose score reaches the model's threshold.

        A list of the likeliest classes names all of them only if no other class, whose score is the last one's at most,
        reaches its threshold; else only the best score is known.
        """
        least = min(scores.values())
        if any(least >= threshold for label, threshold in thresholds.items() if label not in scores):
            return Answer(None, max(scores.values()), is_unsure=None)
        found = tuple(label for label, score in scores.items() if score >= thresholds.get(label, math.inf))
        return Answer(None, max(scores.values()), is_unsure=not found, labels=found)

    def of_rows(self, rows: Sequence[Sequence[str]]) -> list[Answer]:
        """Return the answers in rows of CSV, with or without a header.

        Raises:
            UnreadableError: when they hold none.
        """
        rows = [row for row in rows if row]
        read = self.reader_of(rows)
        if read is None:
            raise UnreadableError("the rows have no class and score")
        return [read(row) for row in (rows[1:] if self.has_header(rows) else rows)]

    def has_header(self, rows: Sequence[Sequence[str]]) -> bool:
        """Return whether the first row names columns of answers."""
        return bool(rows) and (label_sets.has_names(rows[0]) or by_header(rows[0], self.labels) is not None)

    def _are_label_sets(self, rows: Sequence[Sequence[str]]) -> bool:
        """Return whether rows end with joined labels, their scores and an error, as of a model of several labels."""
        if self._thresholds is None or not rows:
            return False
        return label_sets.has_names(rows[0]) or label_sets.are_joined(
            rows[:_ROWS_LOOKED_AT], self._thresholds
        )

    def _of_joined(self, row: Sequence[str]) -> Answer:
        labels = label_sets.labels_in(row)
        return REFUSED if labels is None else self._of_labels(labels, {})

    def reader_of(self, rows: Sequence[Sequence[str]]) -> Callable[[Sequence[str]], Answer] | None:
        """Return what reads a row, by the first rows; None if they are no answers, as where a score is beyond 1.

        Raises:
            UnreadableError: when the rows can be read in two ways.
        """
        if self._are_label_sets(rows):
            return self._of_joined
        named = by_header(rows[0], self.labels) if rows else None
        first = rows[:_ROWS_LOOKED_AT]
        forms = [named] if named else self._row_forms.fitting(first) if rows else []
        if not forms or any(is_no_score(cell(row, at)) for row in rows[1:] for at in forms[0].scores):
            return None
        if self._thresholds is not None and not any(form.tells_set for form in forms):
            return None
        read, *others = (functools.partial(self._of_cells, form) for form in forms)
        if others and any(list(map(other, first)) != list(map(read, first)) for other in others):
            raise UnreadableError("the rows have no header and can be read in two ways")
        return read

    def _of_set(self, form: Columns, row: Sequence[str], thresholds: Mapping[str, float]) -> Answer:
        """Return any number of labels: as the answer names them, or by the scores of all classes or of a list."""
        is_blank = not any(cell(row, at) for at in form.probabilities)
        if cell(row, form.error) or (form.probabilities and is_blank):
            return REFUSED
        if form.label is not None:  # an empty cell is a text without any label
            return self._of_labels(parted(cell(row, form.label)), {})
        if form.pairs:
            found = {cell(row, name): score_of(cell(row, at)) or 0.0 for name, at in form.pairs}
            return REFUSED if form.is_refused(row) else self._over(found, thresholds)
        return self._of_probabilities([score_of(cell(row, at)) for at in form.probabilities])

    def _of_cells(self, form: Columns, row: Sequence[str]) -> Answer:
        if self._thresholds is not None:
            return self._of_set(form, row, self._thresholds)
        if form.is_refused(row):
            return REFUSED
        label, score = cell(row, form.label), score_of(cell(row, form.score))
        if form.pairs:
            found = [(cell(row, name), score_of(cell(row, at)) or 0.0) for name, at in form.pairs]
            best, score = max(found, key=lambda pair: pair[1])
            return self._derived(best, score) if len(found) > 1 else self._of_one(best, score)
        if form.probabilities:
            best_of = self._of_probabilities([score_of(cell(row, at)) for at in form.probabilities])
            if form.label is None:
                return best_of
            score = best_of.score
        if form.label is None:
            return self._derived(None, score)
        if score is None and not label and not self._abstains:
            return REFUSED
        return Answer(self._label(label), score, is_unsure=not label)

    def _of_one(self, label: str, score: float) -> Answer:
        """Return the answer of one class: empty where the model abstains, or in a list of one class never."""
        is_unsure = not label or score < (self._abstain_below or 0.0)
        return Answer(None if is_unsure else self._label(label), score, is_unsure=is_unsure)

    def _derived(self, label: str | None, score: float | None) -> Answer:
        """Return an answer that does not say whether the model abstained: its score tells, if the bound is known."""
        if self._abstain_below is None or score is None:
            return Answer(None, score, is_unsure=None)
        is_unsure = score < self._abstain_below
        return Answer(None if is_unsure else self._label(label), score, is_unsure=is_unsure)

    @property
    def _may_have_sets(self) -> bool:
        """Whether a text may have several labels, as far as is known: of a baseline alone, not even the bound is."""
        return self._thresholds is not None or self._abstain_below is None

    @property
    def _abstains(self) -> bool:
        return self._abstain_below != 0.0

    def _of_npy(self, body: bytes) -> list[Answer]:
        import numpy as np

        try:
            found = np.load(io.BytesIO(body), allow_pickle=False)
        except Exception:  # noqa: BLE001 - of a damaged file, numpy raises anything
            raise UnreadableError("the answer is not a file of numpy.save") from None
        if found.ndim != 2 or found.shape[1] != len(self.labels):
            raise UnreadableError("the answer is no array of the classes' probabilities")
        return [self._of_probabilities([None if math.isnan(p) else p for p in row]) for row in found.tolist()]


def _rows(text: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise UnreadableError(f"the answer is not valid CSV ({error})") from None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableError("the answer is not valid JSON") from None
