"""Label issues: the worst mistakes, and texts that are likely mislabelled."""

import dataclasses

import numpy as np

from bert_classifier.evaluation.metrics import slices_of


@dataclasses.dataclass(frozen=True)
class LabelIssue:
    """A text for which the model suggests another class than its label.

    Attributes:
        index: of the text in its channel.
        label: the class given in the data.
        answer: the class that the model suggests.
        label_score: the model's score for the label, from 0 to 1.
        answer_score: its score for the answer.
    """

    index: int
    label: int
    answer: int
    label_score: float
    answer_score: float


def worst_mistakes(probabilities: np.ndarray, targets: np.ndarray) -> list[LabelIssue]:
    """Return all wrong predictions, the highest score first.

    Args:
        probabilities: float64 (n, classes).
        targets: int64 (n,).
    """
    answers = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(answers != targets)
    order = wrong[np.argsort(-probabilities[wrong, answers[wrong]], kind="stable")]
    return [_label_issue(probabilities, targets, index, int(answers[index])) for index in order.tolist()]


def likely_label_errors(probabilities: np.ndarray, targets: np.ndarray) -> list[LabelIssue]:
    """Return the texts that confident learning finds mislabelled, the likeliest first.

    A text counts as confidently of class j if its score for j is at least the mean score for j of the texts labelled
    j; among several such classes, the highest score decides. It is an issue if that class is not its label, that is,
    off the diagonal of the confident joint of Northcutt, Jiang and Chuang 2021 (Confident Learning: Estimating
    Uncertainty in Dataset Labels, equations 1 and 2). Issues are ranked by the margin of the answer's score over the
    label's. The scores must come from a model that was not trained on these texts.

    Args:
        probabilities: float64 (n, classes).
        targets: int64 (n,), the labels as given.
    """
    found, answers = doubted_labels(probabilities, targets)
    pairs = zip(found.tolist(), answers.tolist(), strict=True)
    return [_label_issue(probabilities, targets, index, answer) for index, answer in pairs]


def doubted_labels(probabilities: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the texts of `likely_label_errors`, and the class suggested for each, int64 (k,) each."""
    if not len(targets):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    num_classes = probabilities.shape[1]
    at_label = probabilities[np.arange(len(targets)), targets]
    counts = np.bincount(targets, minlength=num_classes)
    sums = np.bincount(targets, weights=at_label, minlength=num_classes)
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    answers, are_confident = np.empty(len(targets), dtype=np.int64), np.empty(len(targets), dtype=bool)
    for part in slices_of(probabilities):
        confident = np.where(probabilities[part] >= thresholds, probabilities[part], -1.0)
        answers[part], are_confident[part] = confident.argmax(axis=1), confident.max(axis=1) >= 0
    found = np.flatnonzero(are_confident & (answers != targets))
    margins = probabilities[found, answers[found]] - at_label[found]
    order = found[np.argsort(-margins, kind="stable")]
    return order, answers[order]


def _label_issue(probabilities: np.ndarray, targets: np.ndarray, index: int, answer: int) -> LabelIssue:
    label = int(targets[index])
    row = probabilities[index]
    return LabelIssue(index, label, answer, float(row[label]), float(row[answer]))
