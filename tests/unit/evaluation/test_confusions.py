"""The texts behind each confusion: the right ones, the surest first, bounded however many there are."""

import numpy as np

from bert_classifier.data.examples import Records
from bert_classifier.evaluation.calibration import softmax
from bert_classifier.evaluation.confusions import (
    MOST_PAIRS,
    MOST_TEXTS,
    Confusion,
    confused_pairs,
    confusions,
)
from bert_classifier.evaluation.label_issues import worst_mistakes
from bert_classifier.evaluation.metrics import Evaluation
from support.evaluations import evaluation_of
from support.reports import report_context


def confusions_of(result: Evaluation, texts: list[str] | None = None) -> list[Confusion]:
    """Return the confusions of an evaluation."""
    texts = texts or [f"text {number}" for number in range(result.count)]
    records = Records([f"line {number}" for number in range(result.count)], texts)
    mistakes = worst_mistakes(softmax(result.logits, 1.0), result.targets)
    return confusions(result.confusion, mistakes, records)


def test_pairs_by_hand():
    """The most frequent first; of as frequent ones, the first in the matrix."""
    assert confused_pairs(np.array([[9, 2, 0], [3, 9, 2], [0, 0, 9]])) == [(1, 0), (0, 1), (1, 2)]
    assert confused_pairs(np.diag([3, 4])) == []


def test_each_confusion_has_its_texts():
    """Places, texts and scores of exactly the texts with this label and this answer."""
    result = evaluation_of([(0, 1), (0, 0), (1, 1), (0, 1), (1, 2), (0, 2)], 3)
    result.logits[3, 1] = 2.0
    first, second, third = confusions_of(result)
    assert (first.label, first.predicted, first.count, first.share) == (0, 1, 2, 0.5)
    assert [(text.index, text.place, text.text) for text in first.texts] == [
        (3, "line 3", "text 3"),
        (0, "line 0", "text 0"),
    ]
    scores = softmax(result.logits, 1.0)
    assert [(text.score, text.label_score) for text in first.texts] == [
        (scores[3, 1], scores[3, 0]),
        (scores[0, 1], scores[0, 0]),
    ]
    assert [text.index for text in [*second.texts, *third.texts]] == [5, 4]


def test_they_are_bounded_with_many_classes_and_texts():
    """1,000 classes and 4,000 texts: at most 15 pairs of 8 shortened texts, of the most frequent confusions."""
    draw = np.random.default_rng(0)
    classes, count = 1000, 4000
    targets = draw.integers(0, classes, count)
    predicted = np.where(draw.random(count) < 0.5, targets, (targets + 1) % 7)
    logits = np.zeros((count, classes), dtype=np.float32)
    logits[np.arange(count), predicted] = draw.random(count) + 1
    found = confusions_of(Evaluation(logits, targets), ["long " * 1000] * count)
    assert len(found) == MOST_PAIRS
    assert all(len(one.texts) == min(MOST_TEXTS, one.count) for one in found)
    assert max(len(text.text) for one in found for text in one.texts) <= 280
    assert [one.count for one in found] == sorted((one.count for one in found), reverse=True)


def test_only_the_texts_shown_are_read():
    """Texts lie in a file: reading all of them would take as long as the evaluation."""

    class Counting(list[str]):
        read = 0

        def __getitem__(self, index: int) -> str:  # type: ignore[override]
            type(self).read += 1
            return super().__getitem__(index)

    result = evaluation_of([(0, 1)] * 500 + [(1, 1)] * 500, 2)
    texts = Counting([f"text {number}" for number in range(1000)])
    (only,) = confusions_of(result, texts)
    assert (only.count, len(only.texts), Counting.read) == (500, MOST_TEXTS, MOST_TEXTS)


def test_a_report_has_them():
    """Its context gives confusions, bins and thresholds of the reported channel, from calibrated scores."""
    context = report_context(count=200)
    assert sum(bin.texts for bin in context.reliability_bins) == 200
    assert sum(bin.right for bin in context.reliability_bins) == int(context.result.are_right.sum())
    top = context.confusions[0]
    assert top.texts[0].score == context.probabilities[top.texts[0].index, top.predicted]
    assert {row.texts for row in [*context.fixed_thresholds, *context.target_thresholds]} == {200}
