"""Logistic regressions, one for each label that a text may have, as in modeling.logistic_regression."""

import dataclasses
import math
from typing import Self

import numpy as np
import torch
from torch.nn import functional

from bert_classifier.modeling.logistic_regression import minimise

_TOLERANCE = 1e-4  # of the gradient of the sum of losses; probabilities then differ by about as much
_MOST_NUMBERS = 5e8  # texts × features × labels; a fit of so many takes about 20 s of one core


def check_affordable(texts: int, features: int, labels: int) -> None:
    """Refuse a fit that would take longer than some tens of seconds.

    Raises:
        ValueError: with the sizes.
    """
    if texts * features * labels > _MOST_NUMBERS:
        raise ValueError(
            f"{labels:,} regressions on {texts:,} texts with {features:,} features each would take too long"
        )


@dataclasses.dataclass(frozen=True)
class LabelRegressions:
    """The fitted regressions.

    Attributes:
        weight: float64 (labels, features).
        bias: float64 (labels,).
    """

    weight: np.ndarray
    bias: np.ndarray

    @classmethod
    def fit(
        cls, features: np.ndarray, targets: np.ndarray, *, c: float = 1.0, weights: np.ndarray | None = None
    ) -> Self:
        """Minimise for each label C · Σ weight · cross-entropy + ½ · |w|²; biases are not penalised.

        A label that all texts have, or none, gets weights of 0 and the log-odds of half a text more on both sides.

        Args:
            features: (n, features).
            targets: 1 where a row has a label, else 0, uint8 (n, labels).
            weights: of each row and label, (n, labels); default 1.
        """
        counts = targets.sum(axis=0, dtype=np.int64)
        weight = np.zeros((targets.shape[1], features.shape[1]))
        bias = np.log((counts + 0.5) / (len(targets) - counts + 0.5))
        varies = (counts > 0) & (counts < len(targets))
        if varies.any():
            row_weights = np.ones(targets.shape) if weights is None else weights
            weight[varies], bias[varies] = _fit(features, targets[:, varies], row_weights[:, varies], c)
        return cls(weight, bias)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return for rows of features (n, features) whether each has each label, bool (n, labels)."""
        logits: np.ndarray = features.astype(np.float64) @ self.weight.T + self.bias
        return logits >= 0


def _fit(
    features: np.ndarray, targets: np.ndarray, weights: np.ndarray, c: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights, float64 (labels, features), and biases (labels,).

    All labels are fitted at once. What is sought is w in other coordinates, in which the second derivatives of no
    label's unweighted loss are above 1, since they are at most XᵀX/4 + 1/C in those of w (Böhning and Lindsay 1988,
    Monotonicity of Quadratic-Approximation Algorithms): less than 100 evaluations then suffice for most texts.
    """
    wide = torch.from_numpy(features).double()
    center = wide.mean(dim=0)
    wide = wide - center
    wanted, row_weights = (torch.from_numpy(np.ascontiguousarray(of)).double() for of in (targets, weights))
    bound = wide.T @ wide / 4 + torch.eye(wide.shape[1], dtype=torch.float64) / c
    back = torch.linalg.inv(torch.linalg.cholesky(bound))  # w = u · back
    inputs, unit = wide @ back.T, 2 / math.sqrt(len(wide))
    free = torch.zeros(targets.shape[1], wide.shape[1] + 1, dtype=torch.float64, requires_grad=True)

    def objective() -> torch.Tensor:
        logits = inputs @ free[:, :-1].T + unit * free[:, -1]
        losses = functional.binary_cross_entropy_with_logits(logits, wanted, row_weights, reduction="sum")
        penalty: torch.Tensor = (free[:, :-1] @ back).square().sum() / (2 * c)
        return losses + penalty

    minimise(free, objective, _TOLERANCE)
    found = free.detach()
    weight = found[:, :-1] @ back
    return weight.numpy(), (unit * found[:, -1] - weight @ center).numpy()
