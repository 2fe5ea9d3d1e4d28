"""evaluation.json: numbers worked out by hand or by brute force, in the layout SageMaker reads."""

import json

import numpy as np
import pytest

from bert_classifier.evaluation.calibration import softmax
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.model_quality import model_quality
from support.evaluations import evaluation_of

LABELS = ("Größe", 'a "quoted", name', "never")
RESULT = evaluation_of([(0, 0)] * 3 + [(0, 1)] + [(1, 0)] * 2 + [(1, 1)] * 4, classes=3)


def values(section):
    """Return the values of a section's metrics by name."""
    return {name: told["value"] for name, told in section.items() if "value" in told}


def test_the_scores_are_those_worked_out_by_hand():
    """Precision 3/5 and 4/5, recall 3/4 and 4/6, weighted by 4 and 6 texts; macro F1 over the two there."""
    told = model_quality("test", LABELS, RESULT, {"ece": 0.125})
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
    section = told["multiclass_classification_metrics"]
    assert values(section) == pytest.approx(expected)
    assert {section[name]["standard_deviation"] for name in expected} == {"NaN"}
    assert set(section) == {*expected, "confusion_matrix"}
    assert told["dataset"] == {"item_count": 10, "channel": "test"}
    assert told["version"] == 0.0
    assert "binary_classification_metrics" not in told


def test_the_documented_example_of_a_constant_classifier():
    """The developer guide's baseline: of classes of which the largest has 19.37 %, precision .0375 and F1 .0629."""
    sizes = [1937, 1613, 1613, 1613, 1612, 1612]
    pairs = [(label, label) for label, size in enumerate(sizes) for _ in range(size)]
    section = model_quality("test", list("abcdef"), evaluation_of(pairs, 6), {})
    told = values(section["multiclass_classification_metrics"])
    assert told["weighted_precision_best_constant_classifier"] == pytest.approx(0.0375, abs=5e-5)
    assert told["weighted_f1_best_constant_classifier"] == pytest.approx(0.0629, abs=5e-5)


def test_confusion_matrix_is_nested_by_true_then_predicted_label():
    """SageMaker's form: the true class outside, how often which class was predicted inside."""
    section = model_quality("test", LABELS, RESULT, {})["multiclass_classification_metrics"]
    confusion = section["confusion_matrix"]
    assert confusion["Größe"] == {"Größe": 3, 'a "quoted", name': 1, "never": 0}
    assert confusion["never"] == dict.fromkeys(LABELS, 0)
    assert list(confusion) == list(LABELS)


def drawn(count: int, seed: int = 0) -> Evaluation:
    """Return texts of two classes, told apart with some noise; scores are rounded, so that many are equal."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 2, count)
    margins = (rng.standard_normal(count) + 1.5 * targets).round(1)
    return Evaluation(np.stack([np.zeros(count), margins], axis=1).astype(np.float32), targets)


@pytest.mark.parametrize("positive", [0, 1])
def test_two_classes_have_the_binary_form_too(positive):
    """Every metric of the documented form, for the class that matters, against counts and brute force."""
    result = drawn(100)
    section = model_quality("test", ("no", "yes"), result, {}, positive)["binary_classification_metrics"]
    is_positive, said = result.targets == positive, result.predicted == positive
    hits, misses = int((is_positive & said).sum()), int((is_positive & ~said).sum())
    alarms, rest = int((~is_positive & said).sum()), int((~is_positive & ~said).sum())
    assert section["confusion_matrix"] == {"0": {"0": rest, "1": alarms}, "1": {"0": misses, "1": hits}}
    scores = softmax(result.logits, 1.0)[:, positive]
    pairs = scores[is_positive][:, None] - scores[~is_positive][None]
    share = (hits + misses) / 100

    def f_score(beta, hits, misses, alarms):
        return (1 + beta**2) * hits / ((1 + beta**2) * hits + beta**2 * misses + alarms)

    expected = {
        "accuracy": (hits + rest) / 100,
        "precision": hits / (hits + alarms),
        "recall": hits / (hits + misses),
        "true_positive_rate": hits / (hits + misses),
        "true_negative_rate": rest / (rest + alarms),
        "false_positive_rate": alarms / (rest + alarms),
        "false_negative_rate": misses / (hits + misses),
        "auc": ((pairs > 0).sum() + 0.5 * (pairs == 0).sum()) / pairs.size,
        "accuracy_best_constant_classifier": share,
        "precision_best_constant_classifier": share,
        "recall_best_constant_classifier": 1.0,
    }
    for name, beta in (("f0_5", 0.5), ("f1", 1.0), ("f2", 2.0)):
        expected[name] = f_score(beta, hits, misses, alarms)
        expected[f"{name}_best_constant_classifier"] = f_score(beta, hits + misses, 0, rest + alarms)
    assert values(section) == pytest.approx(expected)


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


def test_deviations_come_with_200_texts():
    """As SageMaker's do: over five samples of 80 %; the same ones each time."""
    large = model_quality("test", ("no", "yes"), drawn(300), {})
    for section in ("multiclass_classification_metrics", "binary_classification_metrics"):
        deviation = large[section]["accuracy"]["standard_deviation"]
        # Of a mean over 240 of 300 texts, drawn without putting back: √(p(1-p)/240 · 60/299), about 0.0115.
        assert 0.002 < deviation < 0.03
    assert model_quality("test", ("no", "yes"), drawn(300), {}) == large
    small = model_quality("test", ("no", "yes"), drawn(199), {})
    assert small["multiclass_classification_metrics"]["accuracy"]["standard_deviation"] == "NaN"


def test_the_file_is_strict_json():
    """Strict readers take it: no NaN as a number."""
    json.dumps(model_quality("validation", LABELS, RESULT, {"ece": 0.1}), allow_nan=False)
