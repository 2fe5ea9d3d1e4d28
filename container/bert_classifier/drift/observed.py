"""What is counted of texts and answers as they are read: their values by measure, and which request each is of."""

import collections
import dataclasses
import datetime
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bert_classifier.artifact.profile import (
    ABSTAINED,
    PREDICTIONS,
    SCORES,
    Counts,
    Profile,
    empty_measures,
)
from bert_classifier.artifact.profile_values import text_values
from bert_classifier.drift.answer import Answer
from bert_classifier.drift.rule import design_effect
from bert_classifier.encoding.text_encoder import TextEncoder

_CHUNK_CHARS = 200_000  # per call of the tokenizer
MOST_CLASSIFIED = 2000  # texts that the model is run on, where there are no answers
_SEED = 0


@dataclasses.dataclass
class Tally:
    """How much was read, and what could not be.

    Attributes:
        refused: records that the server did not classify; `refused_requests` were refused as a whole.
        unreadable: what could not be read, by reason.
        repeats: texts that are equal to an earlier one.
        undated: files of answers or texts, which hold no time.
    """

    files: int = 0
    requests: int = 0
    texts: int = 0
    answers: int = 0
    refused: int = 0
    refused_requests: int = 0
    repeats: int = 0
    without_time: int = 0
    before: int = 0
    undated: int = 0
    unreadable: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    first: datetime.datetime | None = None
    last: datetime.datetime | None = None

    def note_moment(self, moment: datetime.datetime) -> None:
        """Widen the time that the requests span."""
        self.first = moment if self.first is None else min(self.first, moment)
        self.last = moment if self.last is None else max(self.last, moment)


def _labels_of(answer: Answer) -> Sequence[str]:
    """Return the labels that a text got: none where the model abstains, or where no label reaches its threshold."""
    if answer.labels is not None:
        return answer.labels
    return [] if answer.label is None or answer.is_unsure else [answer.label]


class Observed:
    """Collects texts and answers.

    Args:
        labels: the model's classes.
        encoder: cuts and encodes texts as the model; None: texts are not measured.
        unknown_id: of the tokenizer's unknown token; None without one.
        abstains: whether the model gives texts with a low score no label.

    Attributes:
        tally: how much was read.
        sample: at most MOST_CLASSIFIED texts, each as likely as any other.
    """

    def __init__(
        self,
        labels: Sequence[str],
        encoder: TextEncoder | None,
        unknown_id: int | None,
        *,
        abstains: bool,
    ) -> None:
        self.tally = Tally()
        self.sample: list[str] = []
        self._labels = {label: index for index, label in enumerate(labels)}
        self._encoder, self._unknown_id, self._abstains = encoder, unknown_id, abstains
        self._values: dict[str, list[np.ndarray]] = collections.defaultdict(list)
        self._requests: dict[str, list[np.ndarray]] = collections.defaultdict(list)
        self._texts: list[str] = []
        self._requests_of_texts: list[int] = []
        self._chars = 0
        self._seen: set[int] = set()
        self._draw = random.Random(_SEED)  # noqa: S311 - a sample, no secret

    def add_texts(self, texts: Iterable[str], request: int) -> None:
        """Count the texts of a request."""
        for text in texts:
            self.tally.texts += 1
            key = hash(text)
            self.tally.repeats += key in self._seen
            self._seen.add(key)
            self._keep(text)
            self._texts.append(text)
            self._requests_of_texts.append(request)
            self._chars += len(text)
            if self._chars >= _CHUNK_CHARS:
                self._encode()

    def _keep(self, text: str) -> None:
        """Keep a uniform sample of the texts (Vitter 1985, algorithm R)."""
        if len(self.sample) < MOST_CLASSIFIED:
            self.sample.append(text)
            return
        place = self._draw.randrange(self.tally.texts)
        if place < MOST_CLASSIFIED:
            self.sample[place] = text

    def _encode(self) -> None:
        texts, requests = self._texts, np.array(self._requests_of_texts, dtype=np.int64)
        self._texts, self._requests_of_texts, self._chars = [], [], 0
        if texts and self._encoder is not None:
            self.add_values(text_values(self._encoder.encode_batch(texts), self._unknown_id), requests)

    def add_answers(self, answers: Sequence[Answer], request: int) -> None:
        """Count the answers of a request; those to records that were refused only as such."""
        given = [answer for answer in answers if not answer.is_refused]
        self.tally.refused += len(answers) - len(given)
        self.tally.answers += len(given)
        found: dict[str, list[Any]] = {
            PREDICTIONS: [self._labels[label] for a in given for label in _labels_of(a)],
            SCORES: [a.score for a in given if a.score is not None],
            ABSTAINED: [a.is_unsure for a in given if a.is_unsure is not None] if self._abstains else [],
        }
        for name, values in found.items():
            self.add_values({name: np.array(values)}, np.full(len(values), request))

    def add_values(self, values: Mapping[str, np.ndarray], requests: np.ndarray) -> None:
        """Count values, (n,) by measure, of which the requests are given, int64 (n,) or as many as a measure has."""
        for name, of in values.items():
            if len(of):
                self._values[name].append(of)
                self._requests[name].append(requests[: len(of)])

    def measures(self) -> dict[str, Counts]:
        """Return the counts by measure, of those that were seen."""
        self._encode()
        empty = empty_measures(list(self._labels))
        return {name: empty[name].of(np.concatenate(parts)) for name, parts in self._values.items()}

    def profile(self, source: str) -> Profile:
        """Return what was counted."""
        measures = self.measures()
        return Profile(source, self.texts_in(measures), measures, self._unknown_id)

    def texts_in(self, measures: Mapping[str, Counts]) -> int:
        """Return how many texts were counted in some of its measures; each once, however many labels it got."""
        answered = self.tally.answers or len(self.sample)
        totals = {name: counts.total for name, counts in measures.items()}
        if PREDICTIONS in totals:
            totals[PREDICTIONS] = min(totals[PREDICTIONS], answered)
        return max(totals.values(), default=0)

    def design_effects(self, bins: Mapping[str, Counts]) -> dict[str, float]:
        """Return by how much texts of one request are alike, by measure, in these bins."""
        return {
            name: design_effect(
                bins[name].bins_of(np.concatenate(parts)), np.concatenate(self._requests[name])
            )
            for name, parts in self._values.items()
            if name in bins
        }

    def binned(self, like: Mapping[str, Counts]) -> dict[str, Counts]:
        """Return the counts in the bins of a baseline, which another version may have written."""
        self._encode()
        return {
            name: like[name].of(np.concatenate(parts)) for name, parts in self._values.items() if name in like
        }
