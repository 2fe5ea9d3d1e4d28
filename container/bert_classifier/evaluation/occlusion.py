"""The words that a single prediction hangs on: each is removed in turn, and the model is asked again.

Source: Li, Monroe and Jurafsky 2016, Understanding neural networks through representation erasure; here the words are
erased from the text itself, so that any model can be asked.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bert_classifier.data.words import Span, spans_of
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.evaluation.label_issues import LabelIssue
from bert_classifier.job.wording import counted

MOST_TEXTS = 10
_MOST_REMOVALS = 32  # from a text; of longer ones, several neighbouring words are removed at once
_LONGEST = 256  # tokens of a text
_MOST_WORDS = 6  # marked in a text
_LEAST_ODDS = 1.05  # of words that are marked
_TINY = 1e-300

# texts → probabilities, float (n, classes)
Probabilities = Callable[[Sequence[str]], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Influence:
    """Words of a text, text[start:end], that speak for the predicted class.

    Attributes:
        odds: how many times higher the odds of that class, p / (1 - p), are with these words than without them. Unlike
            probabilities, odds tell words apart where the model is all but sure.
        drop: how far the class's probability falls without them.
    """

    start: int
    end: int
    odds: float
    drop: float


class Part(NamedTuple):
    """A part of a text as it is to be shown.

    Attributes:
        strength: from 0, no influence to be shown, to 1, the strongest of the text.
        influence: None where there is none to be shown.
    """

    text: str
    strength: float = 0.0
    influence: Influence | None = None


@dataclasses.dataclass(frozen=True)
class Occlusion:
    """The words that the prediction for a text hangs on.

    Attributes:
        index: of the text in its channel.
        influences: the words without which the predicted class's odds fall most, by descending odds: those with odds of
            1.05 at least, so there may be none, as where several words say the same.
        skipped: why the words were not removed; "" if they were.
    """

    index: int
    influences: Sequence[Influence] = ()
    skipped: str = ""

    def parts(self, text: str) -> list[Part]:
        """Return the whole text in parts, in order."""
        parts, at = [], 0
        for found in sorted(self.influences, key=lambda found: found.start):
            strength = math.log(found.odds) / math.log(self.influences[0].odds)
            parts += [Part(text[at : found.start]), Part(text[found.start : found.end], strength, found)]
            at = found.end
        return [part for part in [*parts, Part(text[at:])] if part.text]


@dataclasses.dataclass(frozen=True)
class _Plan:
    """A text and the parts to remove from it."""

    issue: LabelIssue
    text: str
    spans: Sequence[Span]

    @property
    def variants(self) -> list[str]:
        """The text, and the text without each part."""
        return [self.text, *(self.text[: span.start] + self.text[span.end :] for span in self.spans)]

    def result(self, probabilities: np.ndarray) -> Occlusion:
        """Return what the probabilities of the variants, float (variants, classes), say."""
        of_answer = probabilities[:, self.issue.answer]
        others = np.delete(probabilities, self.issue.answer, axis=1).sum(
            axis=1
        )  # 1 - of_answer would round to 0
        odds = np.maximum(of_answer, _TINY) / np.maximum(others, _TINY)
        ratios, drops = odds[0] / odds[1:], of_answer[0] - of_answer[1:]
        found = [
            Influence(self.spans[at].start, self.spans[at].end, float(ratios[at]), float(drops[at]))
            for at in np.argsort(-ratios, kind="stable")[:_MOST_WORDS].tolist()
            if ratios[at] >= _LEAST_ODDS
        ]
        return Occlusion(self.issue.index, found)


def occlude(
    issues: Sequence[LabelIssue],
    texts: Sequence[str],
    encoder: TextEncoder,
    probabilities_of: Probabilities,
    most_tokens: int,
) -> dict[int, Occlusion]:
    """Return the words that the predictions for the first MOST_TEXTS issues hang on, by the index of the text.

    Args:
        texts: of the channel.
        most_tokens: to compute for all of them together; texts for which nothing is left are skipped.
    """
    plans: list[_Plan] = []
    found: dict[int, Occlusion] = {}
    for issue in issues[:MOST_TEXTS]:
        plan = _Plan(issue, texts[issue.index], _parts(texts[issue.index]))
        tokens = _tokens(plan, encoder)
        if reason := _obstacle(plan, tokens, most_tokens):
            found[issue.index] = Occlusion(issue.index, skipped=reason)
        else:
            plans.append(plan)
            most_tokens -= tokens * (1 + len(plan.spans))
    return {**found, **_results(plans, probabilities_of)}


def _results(plans: Sequence[_Plan], probabilities_of: Probabilities) -> Mapping[int, Occlusion]:
    if not plans:
        return {}
    probabilities = probabilities_of([text for plan in plans for text in plan.variants])
    ends = np.cumsum([1 + len(plan.spans) for plan in plans])[:-1]
    return {
        plan.issue.index: plan.result(part)
        for plan, part in zip(plans, np.split(probabilities, ends), strict=True)
    }


def _parts(text: str) -> list[Span]:
    """Return the words of a text; of a long one, as many neighbouring words at a time as _MOST_REMOVALS demand."""
    spans = list(spans_of(text[: 100 * _LONGEST]))
    size = -(-len(spans) // _MOST_REMOVALS)
    return [
        Span(spans[at].start, spans[min(at + size, len(spans)) - 1].end)
        for at in range(0, len(spans), size or 1)
    ]


def _tokens(plan: _Plan, encoder: TextEncoder) -> int:
    """Return the tokens of a text; 0 if the model does not see all of it at once."""
    encoded = encoder.encode_batch([plan.text])
    is_whole = len(encoded.lengths) == 1 and not encoded.truncated[0]
    return int(encoded.lengths[0]) if is_whole else 0


def _obstacle(plan: _Plan, tokens: int, most_tokens: int) -> str:
    """Return why words are not removed from a text; "" if they can be."""
    if not tokens:
        return "the model sees only parts of this text at once"
    if tokens > _LONGEST:
        return f"it has more than {_LONGEST} tokens"
    if len(plan.spans) < 2:
        return f"it has {counted(len(plan.spans), 'word')}"
    if tokens * (1 + len(plan.spans)) > most_tokens:
        return "it would take too long after the texts before it"
    return ""
