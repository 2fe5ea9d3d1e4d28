"""Encode predictions to response bodies: JSON, JSON Lines, CSV, NumPy."""

import csv
import dataclasses
import io
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bert_classifier.errors import RequestError
from bert_classifier.job.answer_form import CSV, ERROR, JSON, NPY, answer_columns, joined
from bert_classifier.serving.http import npy
from bert_classifier.serving.http.body_records import RecordError
from bert_classifier.serving.http.parameters import Wanted
from bert_classifier.serving.http.query import Query

if TYPE_CHECKING:
    from bert_classifier.serving.model.predictor import Prediction  # it loads torch

_BEST = Wanted()
_MOST_NUMBERS = 10_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class ResponseFormat:
    """How to encode predictions.

    Attributes:
        labels: class names in the order of a prediction's scores.
        wanted: what answers hold where neither request nor record says.
        abstain_below: score of the best class below which a record is unsure.
        has_header: whether CSV begins with a row of names.
        thresholds: the score of each class from which a text has its label, infinite where it never has; None where
            each text has one label.
        least: the lowest of them.
    """

    labels: Sequence[str]
    wanted: Wanted = _BEST
    abstain_below: float = 0.0
    has_header: bool = False
    thresholds: Sequence[float] | None = None
    least: float = dataclasses.field(init=False, default=0.0)

    def __post_init__(self) -> None:
        """Find the lowest threshold, once for all records."""
        object.__setattr__(self, "least", min(self.thresholds or (0.0,)))

    @property
    def is_multi_label(self) -> bool:
        """Whether a text has any number of labels."""
        return self.thresholds is not None

    def answered(self, prediction: "Prediction", wanted: Wanted) -> list[int]:
        """Return the classes to answer, as indices in the order of the answer."""
        number = wanted.number_of(len(self.labels))
        if wanted.in_model_order:
            return list(range(number))
        if self.thresholds is None or wanted.is_list:
            return prediction.order[:number]
        own = wanted.threshold
        if own is None:
            return labels_over(prediction, self.thresholds, self.least)
        return labels_over(prediction, [own] * len(self.labels), own)


def is_unsure(prediction: "Prediction", abstain_below: float) -> bool:
    """Return whether the best score is below the abstention threshold."""
    return prediction.scores[prediction.order[0]] < abstain_below


def labels_over(prediction: "Prediction", thresholds: Sequence[float], least: float) -> list[int]:
    """Return the classes whose score reaches their threshold, most likely first, as indices.

    Args:
        least: the lowest threshold, below which no score is looked at.
    """
    chosen, scores = list[int](), prediction.scores
    for index in prediction.order:
        if scores[index] < least:
            break
        if scores[index] >= thresholds[index]:
            chosen.append(index)
    return chosen


def encode(
    answers: "Sequence[Prediction | RecordError]",
    query: Query,
    response_format: ResponseFormat,
    media_type: str,
) -> str | bytes:
    """Return the response body.

    JSON: a list of `{"label", "score"}`, with `"truncated": true` for a text that was cut; with top_k a list of such
    lists; `{"error", "code"}` for a wrong record. A text that came alone is answered as transformers' pipeline does:
    a string with a list of one object, an object with the object itself, with top_k both with a flat list. JSON Lines:
    an answer per line. CSV: `label,score,error` per line, with top_k as many pairs, the error last, and with `output`
    just its fields; all rows have as many cells. NumPy: a float64 array of probabilities (records, classes).

    Where a text may have several labels, its answer is `{"labels": [{"label", "score"}, …]}` with those over the
    thresholds, most likely first, none if there are none; in CSV `labels,scores,error` with each joined in one cell.
    With top_k it is a list of classes whatever their scores.

    The label of an unsure record is null, in CSV empty; in a list all classes keep their names, and `"unsure": true`
    marks them. Lines are in order, one per record, and the last has no line end: SageMaker's batch transform relies on
    it (AssembleWith=Line).

    Args:
        answers: one for each record, in order.
        media_type: one of answer_form.WRITTEN.
    Raises:
        RequestError: 400 for parameters that the media type cannot express.
        ValueError: when a score is not finite.
    """
    if not all(map(math.isfinite, itertools.chain.from_iterable(getattr(a, "scores", ()) for a in answers))):
        raise ValueError("a score is not finite")
    default = query.wanted or response_format.wanted
    orders = _orders(answers, query, default, response_format)
    if media_type == NPY:
        query.refuse_selection()
        return npy.probabilities_of(answers, len(response_format.labels))
    if media_type == CSV:
        return _csv_of(answers, orders, response_format, _common(answers, query, default))
    bodies = [
        _dump(_json_value(answer, order, response_format, query.own.get(position, default)))
        for position, (answer, order) in enumerate(zip(answers, orders, strict=True))
    ]
    if media_type != JSON:
        return "\n".join(bodies)
    return bodies[0] if query.is_bare(default) else f"[{', '.join(bodies)}]"


def _orders(
    answers: "Sequence[Prediction | RecordError]",
    query: Query,
    default: Wanted,
    response_format: ResponseFormat,
) -> list[list[int]]:
    """Return the classes to answer for each record as indices, none for a wrong one.

    Raises:
        RequestError: 413 for more numbers than fit into memory beside those of other requests.
    """
    classes = len(response_format.labels)
    own = sum(wanted.most_numbers(classes) for wanted in query.own.values())
    number = own + (len(answers) - len(query.own)) * default.most_numbers(classes)
    _refuse_beyond(number)
    found = [
        []
        if isinstance(answer, RecordError)
        else response_format.answered(answer, query.own.get(position, default))
        for position, answer in enumerate(answers)
    ]
    if response_format.is_multi_label:
        _refuse_beyond(number + sum(map(len, found)))
    return found


def _refuse_beyond(number: int) -> None:
    if number > _MOST_NUMBERS:
        raise RequestError(
            413,
            "too_many_records",
            f"The answer would hold more than {_MOST_NUMBERS:,} scores.",
            "Send fewer records at once, or ask for fewer classes.",
        )


def _common(answers: "Sequence[Prediction | RecordError]", query: Query, default: Wanted) -> Wanted:
    """Return what the answers to all records hold; that of a wrong record fits any.

    Raises:
        RequestError: 400 when records with answers differ.
    """
    of_others = {
        default
        for place, answer in enumerate(answers)
        if place not in query.own and not isinstance(answer, RecordError)
    }
    found = {*query.own.values(), *of_others}
    if len(found) > 1:
        raise _mixed()
    return found.pop() if found else default


def _mixed() -> RequestError:
    return RequestError(
        400,
        "bad_parameters",
        'The records have different "parameters", so the rows of CSV would have different cells.',
        "Send the same parameters with each record, or accept application/jsonlines.",
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Named:
    """A prediction with labels: (label, score) pairs in the order of the answer, and its flags."""

    pairs: list[tuple[str | None, float]]
    marks: dict[str, bool]


def _named(
    prediction: "Prediction", order: Sequence[int], response_format: ResponseFormat, wanted: Wanted
) -> _Named:
    labels = response_format.labels
    unsure = is_unsure(prediction, response_format.abstain_below)
    is_silent = unsure and not wanted.is_list
    pairs = [(None if is_silent else labels[i], _rounded(prediction.scores[i])) for i in order]
    marks = {"truncated": prediction.truncated, "unsure": unsure and not is_silent}
    return _Named(pairs, {name: True for name, is_set in marks.items() if is_set})


def _rounded(score: float) -> float:
    return float(f"{score:.6g}")


def _json_value(
    answer: "Prediction | RecordError", order: Sequence[int], response_format: ResponseFormat, wanted: Wanted
) -> dict[str, Any] | list[dict[str, Any]]:
    if isinstance(answer, RecordError):
        return dataclasses.asdict(answer)
    named = _named(answer, order, response_format, wanted)
    if wanted.fields:
        return {**_fields(answer, named, response_format, wanted), **named.marks}
    if response_format.is_multi_label and not wanted.is_list:
        return {"labels": [{"label": label, "score": score} for label, score in named.pairs], **named.marks}
    entries = [{"label": label, "score": score, **named.marks} for label, score in named.pairs]
    return entries if wanted.is_list else entries[0]


def _fields(
    prediction: "Prediction", named: _Named, response_format: ResponseFormat, wanted: Wanted
) -> dict[str, Any]:
    """Return the fields that SageMaker's own containers name, in the order asked for."""
    return {name: _field(name, named, prediction, response_format) for name in wanted.fields}


def _field(name: str, named: _Named, prediction: "Prediction", response_format: ResponseFormat) -> Any:
    labels = response_format.labels
    match name:
        case "predicted_label" | "probability":
            found = [pair[name == "probability"] for pair in named.pairs]
            return found if response_format.is_multi_label else found[0]
        case "probabilities":
            return list(map(_rounded, prediction.scores))
        case "labels":
            return list(labels)
        case _:  # error: there is none
            return None


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _csv_of(
    answers: "Sequence[Prediction | RecordError]",
    orders: Sequence[Sequence[int]],
    response_format: ResponseFormat,
    wanted: Wanted,
) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    labels = response_format.labels
    listed = wanted.number_of(len(labels)) if wanted.is_list else None
    names = answer_columns(labels, wanted.fields, listed, is_multi_label=response_format.is_multi_label)
    if response_format.has_header:
        writer.writerow(names)
    for answer, order in zip(answers, orders, strict=True):
        if isinstance(answer, RecordError):
            writer.writerow([answer.error if name == ERROR else "" for name in names])
        else:
            writer.writerow(_cells(answer, order, response_format, wanted))
    return out.getvalue().removesuffix("\n")


def _cells(
    answer: "Prediction", order: Sequence[int], response_format: ResponseFormat, wanted: Wanted
) -> Iterator[str | float | None]:
    named = _named(answer, order, response_format, wanted)
    if wanted.fields:
        for name, value in _fields(answer, named, response_format, wanted).items():
            is_joined = isinstance(value, list) and name in ("predicted_label", "probability")
            yield from [joined(value)] if is_joined else value if isinstance(value, list) else [value]
    elif response_format.is_multi_label and not wanted.is_list:
        yield from (joined([str(pair[place]) for pair in named.pairs]) for place in (0, 1))
        yield None
    else:
        yield from itertools.chain(*named.pairs, [None])
