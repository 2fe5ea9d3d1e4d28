"""The baseline of a model with several labels per text: computed by parts of the texts, the same as at once."""

import numpy as np

from bert_classifier.artifact.profile import LABELS
from bert_classifier.artifact.profile_values import label_values
from bert_classifier.evaluation.calibration import Temperature
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation
from bert_classifier.evaluation.multi_label.result import MultiLabelResult
from bert_classifier.evaluation.multi_label.thresholds import fixed_thresholds
from bert_classifier.training.baseline import _labels_and_answers


def test_parts_of_the_texts_give_the_values_of_all():
    """Two million scores are three parts."""
    rng = np.random.default_rng(0)
    targets = (rng.random((3000, 700)) < 0.01).astype(np.uint8)
    logits = (rng.standard_normal(targets.shape) + 3 * targets - 2).astype(np.float32)
    names = [str(number) for number in range(700)]
    evaluations = {"validation": MultiLabelEvaluation(logits, targets)}
    result = MultiLabelResult(evaluations, names, Temperature(1.3), fixed_thresholds(0.5, 700))
    expected = label_values(result.probabilities("validation"), result.thresholds)
    found = _labels_and_answers(result)
    assert found.pop(LABELS).tolist() == np.nonzero(targets)[1].tolist()
    assert {*found} == {*expected}
    assert [name for name, values in found.items() if values.tolist() != expected[name].tolist()] == []
