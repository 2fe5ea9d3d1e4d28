"""Multinomial logistic regression with an L2 penalty, in float64, with scikit-learn's objective and its C."""

import dataclasses
from collections.abc import Callable
from typing import Self

import numpy as np
import torch
from torch.nn import functional

_MOST_EVALUATIONS = 200  # of the objective; some 30 suffice for most texts
_TOLERANCE = 1e-6  # of the gradient of the mean loss; scikit-learn's default is 1e-4


@dataclasses.dataclass(frozen=True)
class LogisticRegression:
    """A fitted regression.

    Attributes:
        classes: index of each class that occurred, in increasing order, int64 (k,).
        weight: float64 (k, features).
        bias: float64 (k,).
    """

    classes: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    @classmethod
    def fit(
        cls, features: np.ndarray, targets: np.ndarray, *, c: float = 1.0, weights: np.ndarray | None = None
    ) -> Self:
        """Minimise C · Σ weight · cross-entropy + ½ · |W|²; biases are not penalised.

        With two classes there is one vector of weights w, as in scikit-learn; the rows of W are -w/2 and w/2.

        Args:
            features: (n, features).
            targets: class index of each row, int64 (n,).
            weights: of each row, (n,); default 1.
        """
        classes, own = np.unique(targets, return_inverse=True)
        wide = torch.from_numpy(features).double()
        if len(classes) == 1:
            return cls(classes, np.zeros((1, wide.shape[1])), np.zeros(1))
        center = wide.mean(dim=0)  # the optimum is the same, and is found in fewer steps
        row_weights = torch.ones(len(wide)) if weights is None else torch.from_numpy(weights)
        found = _minimise(wide - center, torch.from_numpy(own), row_weights.double(), len(classes), c)
        weight, bias = found[:, :-1], found[:, -1]
        return cls(classes, weight.numpy(), (bias - weight @ center).numpy())

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the class index of each row of features (n, features), int64 (n,)."""
        logits = features.astype(np.float64) @ self.weight.T + self.bias
        predicted: np.ndarray = self.classes[logits.argmax(axis=1)]
        return predicted


def _minimise(
    features: torch.Tensor, targets: torch.Tensor, row_weights: torch.Tensor, num_classes: int, c: float
) -> torch.Tensor:
    """Return weights and, in the last column, biases, float64 (classes, features + 1)."""
    free = torch.zeros(
        1 if num_classes == 2 else num_classes, features.shape[1] + 1, dtype=torch.float64, requires_grad=True
    )
    total = row_weights.sum()

    def objective() -> torch.Tensor:
        matrix = _matrix(free)
        losses = functional.cross_entropy(
            features @ matrix[:, :-1].T + matrix[:, -1], targets, reduction="none"
        )
        return ((row_weights * losses).sum() + free[:, :-1].square().sum() / (2 * c)) / total

    minimise(free, objective)
    return _matrix(free.detach())


def minimise(
    free: torch.Tensor, objective: Callable[[], torch.Tensor], tolerance: float = _TOLERANCE
) -> None:
    """Change a float64 tensor to where the objective, a convex function of it, is lowest.

    Args:
        tolerance: it ends where no element of the gradient is larger.
    """
    optimizer = torch.optim.LBFGS(
        [free], max_iter=_MOST_EVALUATIONS, max_eval=_MOST_EVALUATIONS, tolerance_grad=tolerance,
        tolerance_change=1e-14, history_size=20, line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = objective()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(closure)


def _matrix(free: torch.Tensor) -> torch.Tensor:
    """Return a row per class: of one row w, for two classes, -w/2 and w/2."""
    return torch.cat([-free / 2, free / 2]) if len(free) == 1 else free
