"""The logistic regression of each label finds scikit-learn's optimum."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression as Oracle

from bert_classifier.modeling.label_regressions import LabelRegressions, check_affordable


def texts_of(labels: int, rows: int = 200, width: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors that overlap, one of their numbers far from 0 as in BERT, and labels from rare to frequent."""
    draw = np.random.default_rng(labels)
    targets = (draw.random((rows, labels)) < np.linspace(0.05, 0.8, labels)).astype(np.uint8)
    vectors = targets @ draw.normal(size=(labels, width)) + 2 * draw.normal(size=(rows, width))
    vectors[:, 3] = 10 * vectors[:, 3] - 80
    return vectors.astype(np.float32), targets


@pytest.mark.parametrize("c", [1.0, 0.01])
@pytest.mark.parametrize("is_balanced", [False, True])
def test_each_label_has_the_optimum_of_scikit_learn(c, is_balanced):
    """The same probabilities for the same C, with weights of positives and negatives and without."""
    vectors, targets = texts_of(6)
    wide = vectors.astype(np.float64)
    counts = np.stack([200 - targets.sum(axis=0), targets.sum(axis=0)])
    weights = np.where(targets == 1, 100 / counts[1], 100 / counts[0]) if is_balanced else None
    found = LabelRegressions.fit(vectors, targets, c=c, weights=weights)
    logits = wide @ found.weight.T + found.bias
    for label in range(6):
        kind = "balanced" if is_balanced else None
        oracle = Oracle(C=c, tol=1e-9, max_iter=20_000, class_weight=kind).fit(wide, targets[:, label])
        np.testing.assert_allclose(
            1 / (1 + np.exp(-logits[:, label])), oracle.predict_proba(wide)[:, 1], atol=2e-4
        )
    assert found.predict(vectors).tolist() == (logits >= 0).tolist()


def test_a_label_of_all_texts_or_of_none_is_a_constant():
    """Nothing can be learned of it; the others are fitted as without it."""
    vectors, targets = texts_of(3)
    alone = LabelRegressions.fit(vectors, targets)
    targets = np.insert(targets, [0, 3], [0, 1], axis=1)
    found = LabelRegressions.fit(vectors, targets)
    assert found.predict(vectors)[:, [0, 4]].tolist() == [[False, True]] * 200
    assert not found.weight[[0, 4]].any()
    np.testing.assert_allclose(found.bias[[0, 4]], [-np.log(401), np.log(401)])
    assert found.weight[1:4].tobytes() == alone.weight.tobytes()
    assert found.bias[1:4].tobytes() == alone.bias.tobytes()


def test_labels_that_never_vary_need_no_fit():
    """There is still an answer for each text."""
    vectors, targets = texts_of(2)
    found = LabelRegressions.fit(vectors, np.zeros_like(targets))
    assert not found.predict(vectors).any()


def test_fits_of_very_many_labels_are_refused_before_they_begin():
    """200 labels of 1,000 texts take seconds; 10,000 would take minutes."""
    check_affordable(1000, 768, 200)
    with pytest.raises(ValueError, match=r"^10,000 regressions on 1,000 texts with 768 features each would"):
        check_affordable(1000, 768, 10_000)
