"""Our logistic regression finds scikit-learn's optimum; classes that are not there are never predicted."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression as Oracle

from bert_classifier.modeling.logistic_regression import LogisticRegression


def texts_of(num_classes: int, rows: int = 200, width: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors that overlap, one of their numbers far from 0 as in BERT, and unevenly many per class."""
    draw = np.random.default_rng(num_classes)
    targets = np.minimum(draw.geometric(0.5, rows) - 1, num_classes - 1)
    vectors = draw.normal(size=(num_classes, width))[targets] + 2 * draw.normal(size=(rows, width))
    vectors[:, 3] = 10 * vectors[:, 3] - 80
    return vectors.astype(np.float32), targets


@pytest.mark.parametrize("c", [1.0, 0.01])
@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("is_balanced", [False, True])
def test_the_optimum_is_that_of_scikit_learn(c, num_classes, is_balanced):
    """The same probabilities for the same C, with class weights and without, for two classes and for several."""
    vectors, targets = texts_of(num_classes)
    counts = np.bincount(targets)
    weights = len(targets) / (num_classes * counts) if is_balanced else np.ones(num_classes)
    oracle = Oracle(C=c, tol=1e-9, max_iter=20_000, class_weight=dict(enumerate(weights)))
    wanted = oracle.fit(vectors.astype(np.float64), targets).predict_proba(vectors.astype(np.float64))
    found = LogisticRegression.fit(vectors, targets, c=c, weights=weights[targets].astype(np.float32))
    logits = vectors.astype(np.float64) @ found.weight.T + found.bias
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(powers / powers.sum(axis=1, keepdims=True), wanted, atol=2e-4)
    assert found.predict(vectors).tolist() == wanted.argmax(axis=1).tolist()


def test_of_two_classes_one_row_mirrors_the_other():
    """No class has more weight than the other."""
    found = LogisticRegression.fit(*texts_of(2))
    assert np.array_equal(found.weight[0], -found.weight[1])
    np.testing.assert_allclose(found.bias[0], -found.bias[1])


def test_the_same_vectors_give_the_same_bits():
    """Nothing is drawn."""
    first, second = (LogisticRegression.fit(*texts_of(5)) for _ in range(2))
    assert first.weight.tobytes() + first.bias.tobytes() == second.weight.tobytes() + second.bias.tobytes()


def test_a_class_without_rows_is_never_predicted():
    """Predictions keep the classes' own indices; of a single class, they are that class."""
    vectors, targets = texts_of(3)
    found = LogisticRegression.fit(vectors, targets * 2 + 1)
    assert found.classes.tolist() == [1, 3, 5]
    assert {*found.predict(vectors).tolist()} == {1, 3, 5}
    assert LogisticRegression.fit(vectors, np.full(200, 4)).predict(vectors).tolist() == [4] * 200
