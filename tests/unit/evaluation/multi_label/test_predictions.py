"""The metrics of texts with any number of labels: scikit-learn's numbers, on random inputs and at the edges."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from bert_classifier.evaluation.multi_label.calibration import sigmoid
from bert_classifier.evaluation.multi_label.curves import precision_recall_curve
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation
from bert_classifier.evaluation.multi_label.predictions import LabelPredictions
from support.label_sets import drawn_labels

SIZES = {"count": st.integers(1, 60), "classes": st.integers(1, 6), "seed": st.integers(0, 999)}


def oracle(name, predictions, average):
    """Return a metric of scikit-learn, 0 where it divides by 0."""
    score = getattr(metrics, f"{name}_score")
    return score(predictions.targets, predictions.predicted.astype(int), average=average, zero_division=0)


@given(**SIZES)
def test_every_metric_is_scikit_learns(count, classes, seed):
    """Per class and over all, with labels that no text has and texts without a label."""
    result = drawn_labels(count, classes, seed)
    found = LabelPredictions(result.predicted, result.targets)
    targets, predicted = found.targets, found.predicted.astype(np.uint8)
    if classes > 1:  # scikit-learn takes one column for one label per text
        for name, of in (("precision", found.precision), ("recall", found.recall), ("f1", found.f1)):
            assert of == pytest.approx(oracle(name, found, None))
        assert found.micro_f1 == pytest.approx(oracle("f1", found, "micro"))
        assert found.micro_precision == pytest.approx(oracle("precision", found, "micro"))
        assert found.micro_recall == pytest.approx(oracle("recall", found, "micro"))
        assert found.weighted_f1 == pytest.approx(oracle("f1", found, "weighted"))
        occurring = np.flatnonzero(targets.sum(axis=0) + predicted.sum(axis=0))
        expected = (
            metrics.f1_score(targets, predicted, labels=occurring, average="macro") if len(occurring) else 0
        )
        assert found.macro_f1 == pytest.approx(expected)
    assert found.subset_accuracy == pytest.approx(metrics.accuracy_score(targets, predicted))
    assert found.hamming_loss == pytest.approx(metrics.hamming_loss(targets, predicted))


@given(**SIZES, decimals=st.integers(0, 3))
def test_average_precision_is_scikit_learns(count, classes, seed, decimals):
    """With ties too; the mean leaves out labels that no text has, for which scikit-learn says 0 and warns."""
    result = drawn_labels(count, classes, seed, decimals=decimals)
    known = np.flatnonzero(result.targets.sum(axis=0))
    expected = [
        metrics.average_precision_score(result.targets[:, index], result.logits[:, index]) for index in known
    ]
    assert result.average_precisions[known] == pytest.approx(expected)
    assert np.isnan(np.delete(result.average_precisions, known)).all()
    assert result.mean_average_precision == pytest.approx(np.mean(expected) if len(known) else 0.0)
    if len(known) == classes > 1:
        macro = metrics.average_precision_score(result.targets, result.logits)
        assert result.mean_average_precision == pytest.approx(macro)


@given(count=st.integers(1, 60), seed=st.integers(0, 99), decimals=st.integers(0, 2))
def test_the_curves_are_scikit_learns(count, seed, decimals):
    """Every point but the last one, which it adds where nothing is answered."""
    result = drawn_labels(count, 4, seed, decimals=decimals)
    for scores, actual in zip(result.logits.T, result.targets.T, strict=True):
        curve = precision_recall_curve(scores, actual == 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where no text has the label, and says a recall of 1
            precision, recall, _ = metrics.precision_recall_curve(actual, scores)
        assert curve.precision == pytest.approx(precision[-2::-1])
        assert curve.recall == pytest.approx(recall[-2::-1] if actual.any() else np.zeros(len(recall) - 1))


def test_long_curves_are_thinned_to_their_ends():
    """The first and the last threshold stay."""
    result = drawn_labels(5000, 2, decimals=7)
    actual = result.targets[:, 1] == 1
    curve = precision_recall_curve(result.logits[:, 1], actual)
    assert len(curve.recall) <= 200
    assert (curve.recall[-1], curve.precision[-1]) == (1.0, pytest.approx(actual.mean()))


@given(**SIZES)
def test_the_loss_is_scikit_learns(count, classes, seed):
    """The mean over texts and labels of the log loss."""
    result = drawn_labels(count, classes, seed)
    chances = sigmoid(result.logits, 1.0)
    expected = metrics.log_loss(result.targets.ravel(), chances.ravel(), labels=[0, 1])
    assert result.loss == pytest.approx(expected, rel=1e-6)


def test_confusions_count_texts_with_a_missed_and_a_false_label():
    """By hand: two texts miss a and get b, one of them gets c too; a text that only misses counts nowhere."""
    targets = np.array([[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]], dtype=np.uint8)
    predicted = np.array([[0, 1, 0], [0, 1, 1], [0, 1, 0], [0, 0, 1]], dtype=bool)
    found = LabelPredictions(predicted, targets)
    assert found.confusions.tolist() == [[0, 2, 1], [0, 0, 0], [0, 0, 0]]
    assert found.missed.sum(axis=0).tolist() == [3, 0, 0]
    assert found.false.sum(axis=0).tolist() == [0, 2, 2]


@pytest.mark.parametrize("shape", [(0, 3), (4, 3)])
def test_nothing_divides_by_zero(shape):
    """Without texts, and where no text has a label and none is predicted: scores of 0, errors of 0."""
    result = MultiLabelEvaluation(np.full(shape, -1, dtype=np.float32), np.zeros(shape, dtype=np.uint8))
    found = LabelPredictions(result.predicted, result.targets)
    assert (found.micro_f1, found.macro_f1, found.weighted_f1, found.hamming_loss) == (0, 0, 0, 0)
    assert (found.micro_precision, found.micro_recall, result.mean_average_precision) == (0, 0, 0)
    assert found.subset_accuracy == (1.0 if shape[0] else 0.0)
    assert found.micro_f1_interval == (0.0, 1.0)
