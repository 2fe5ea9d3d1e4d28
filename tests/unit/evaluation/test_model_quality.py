"""evaluation.json: scikit-learn's numbers, in the layout SageMaker reads."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from bert_classifier.evaluation.calibration import softmax
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.model_quality import model_quality
from support.evaluations import evaluation_of

LABELS = ("Größe", 'a "quoted", name', "never")
RESULT = evaluation_of([(0, 0)] * 3 + [(0, 1)] + [(1, 0)] * 2 + [(1, 1)] * 4, classes=3)


def values(section):
    """Return the values of a section's metrics by name."""
    return {name: quality["value"] for name, quality in section.items() if "value" in quality}


def test_the_scores_are_those_worked_out_by_hand():
    """Precision 3/5 and 4/5, recall 3/4 and 4/6, weighted by 4 and 6 texts; macro F1 over the two there."""
    quality = model_quality("test", LABELS, RESULT, {"ece": 0.125})
    f1 = (2 * 3 / (5 + 4), 2 * 4 / (5 + 6))
    f2 = (5 * 3 / (5 * 3 + 4 * 1 + 2), 5 * 4 / (5 * 4 + 4 * 2 + 1))
    expected = {
        "accuracy": 7 / 10,
        "weighted_precision": 0.4 * 3 / 5 + 0.6 * 4 / 5,
        "weighted_recall": 7 / 10,
        "weighted_f0_5": 0.4 * (1.25 * 3 / (1.25 * 3 + 0.25 * 1 + 2)) + 0.6 * (5 / (5 + 0.25 * 2 + 1)),
        "weighted_f1": 0.4 * f1[0] + 0.6 * f1[1],
        "weighted_f2": 0.4 * f2[0] + 0.6 * f2[1],
        "macro_f1": sum(f1) / 2,
        "loss": RESULT.loss,
        "ece": 0.125,
        # Always the second class: right in 6 of 10, precision 6/10 of it and 0 of the other.
        "accuracy_best_constant_classifier": 0.6,
        "weighted_precision_best_constant_classifier": 0.6 * 0.6,
        "weighted_recall_best_constant_classifier": 0.6,
        "weighted_f0_5_best_constant_classifier": 0.6 * (1.25 * 6 / (1.25 * 6 + 4)),
        "weighted_f1_best_constant_classifier": 0.6 * (2 * 6 / (2 * 6 + 4)),
        "weighted_f2_best_constant_classifier": 0.6 * (5 * 6 / (5 * 6 + 4)),
    }
    section = quality["multiclass_classification_metrics"]
    assert values(section) == pytest.approx(expected)
    assert {section[name]["standard_deviation"] for name in expected} == {"NaN"}
    assert set(section) == {*expected, "confusion_matrix"}
    assert quality["dataset"] == {"item_count": 10, "channel": "test"}
    assert quality["version"] == 0.0
    assert "binary_classification_metrics" not in quality


def test_the_documented_example_of_a_constant_classifier():
    """The developer guide's baseline: of classes of which the largest has 19.37 %, precision .0375 and F1 .0629."""
    sizes = [1937, 1613, 1613, 1613, 1612, 1612]
    pairs = [(label, label) for label, size in enumerate(sizes) for _ in range(size)]
    section = model_quality("test", list("abcdef"), evaluation_of(pairs, 6), {})
    quality = values(section["multiclass_classification_metrics"])
    assert quality["weighted_precision_best_constant_classifier"] == pytest.approx(0.0375, abs=5e-5)
    assert quality["weighted_f1_best_constant_classifier"] == pytest.approx(0.0629, abs=5e-5)


def test_confusion_matrix_is_nested_by_true_then_predicted_label():
    """SageMaker's form: the true class outside, how often which class was predicted inside."""
    section = model_quality("test", LABELS, RESULT, {})["multiclass_classification_metrics"]
    confusion = section["confusion_matrix"]
    assert confusion["Größe"] == {"Größe": 3, 'a "quoted", name': 1, "never": 0}
    assert confusion["never"] == dict.fromkeys(LABELS, 0)
    assert list(confusion) == list(LABELS)


def drawn(count: int, seed: int = 0) -> Evaluation:
    """Return texts of two classes, separated with some noise; scores are rounded, so that many are equal."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 2, count)
    margins = (rng.standard_normal(count) + 1.5 * targets).round(1)
    return Evaluation(np.stack([np.zeros(count), margins], axis=1).astype(np.float32), targets)


def binary_scores(targets: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return what scikit-learn says of predictions of the class 1."""
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        targets, predicted, average="binary", zero_division=0
    )
    return {
        "accuracy": metrics.accuracy_score(targets, predicted),
        "precision": precision,
        "recall": recall,
        "f0_5": metrics.fbeta_score(targets, predicted, beta=0.5),
        "f1": f1,
        "f2": metrics.fbeta_score(targets, predicted, beta=2),
    }


@pytest.mark.parametrize("positive", [0, 1])
@pytest.mark.parametrize("seed", range(5))
def test_two_classes_have_the_binary_form_too(positive, seed):
    """Every metric of the documented form, for the class that matters, as scikit-learn computes it."""
    result = drawn(100, seed)
    section = model_quality("test", ("no", "yes"), result, {}, positive)["binary_classification_metrics"]
    targets, predicted = (np.equal(of, positive).astype(int) for of in (result.targets, result.predicted))
    (rest, alarms), (misses, hits) = metrics.confusion_matrix(targets, predicted).tolist()
    assert section["confusion_matrix"] == {"0": {"0": rest, "1": alarms}, "1": {"0": misses, "1": hits}}
    recall = metrics.recall_score(targets, predicted)
    specificity = metrics.recall_score(targets, predicted, pos_label=0)
    constant = binary_scores(targets, np.ones_like(targets))
    expected = {
        **binary_scores(targets, predicted),
        "true_positive_rate": recall,
        "true_negative_rate": specificity,
        "false_positive_rate": 1 - specificity,
        "false_negative_rate": 1 - recall,
        "auc": metrics.roc_auc_score(targets, softmax(result.logits, 1.0)[:, positive]),
        **{f"{name}_best_constant_classifier": value for name, value in constant.items()},
    }
    assert values(section) == pytest.approx(expected)


@given(count=st.integers(20, 90), seed=st.integers(0, 99))
def test_the_curves_are_scikit_learns(count, seed):
    """With few thresholds nothing is left out: every point of both curves is there."""
    result = drawn(count, seed)
    section = model_quality("test", ("no", "yes"), result, {})["binary_classification_metrics"]
    scores = softmax(result.logits, 1.0)[:, 1]
    alarms, hits, _ = metrics.roc_curve(result.targets, scores, drop_intermediate=False)
    roc = section["receiver_operating_characteristic_curve"]
    assert roc["false_positive_rates"] == pytest.approx(alarms)
    assert roc["true_positive_rates"] == pytest.approx(hits)
    precisions, recalls, _ = metrics.precision_recall_curve(result.targets, scores)
    assert section["precision_recall_curve"]["precisions"] == pytest.approx(precisions[::-1])
    assert section["precision_recall_curve"]["recalls"] == pytest.approx(recalls[::-1])


def test_the_curves_run_from_nothing_to_everything():
    """Both rise with the recall; of many thresholds about a hundred points are kept."""
    section = model_quality("test", ("no", "yes"), drawn(5000), {})["binary_classification_metrics"]
    roc, precision = (
        section[f"{name}_curve"] for name in ("receiver_operating_characteristic", "precision_recall")
    )
    for rates in (roc["false_positive_rates"], roc["true_positive_rates"], precision["recalls"]):
        assert rates == sorted(rates)
        assert (rates[0], rates[-1]) == (0, 1)
        assert len(rates) <= 101
    assert precision["precisions"][0] == 1
    assert precision["precisions"][-1] == pytest.approx(drawn(5000).targets.mean())


@pytest.mark.parametrize("targets", [[0, 0, 0], [1, 1, 1], []])
def test_one_class_alone_divides_by_nothing(targets):
    """Where there are no positive or no negative texts, rates are 0 and not an error."""
    result = Evaluation(
        np.array([[0.5, 1.0], [1.0, 0.0], [2.0, 1.0]], dtype=np.float32)[: len(targets)],
        np.array(targets, dtype=np.int64),
    )
    section = model_quality("test", ("no", "yes"), result, {})["binary_classification_metrics"]
    assert all(0 <= value <= 1 for value in values(section).values())


def test_the_file_is_strict_json():
    """Strict readers take it: no NaN as a number."""
    json.dumps(model_quality("validation", LABELS, RESULT, {"ece": 0.1}), allow_nan=False)
