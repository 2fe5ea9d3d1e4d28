"""`serve` with a model that answers at once: what is left of a request's cost is HTTP's.

ML_ROOT=… SAGEMAKER_BIND_TO_PORT=… PYTHONPATH=container python tests/benchmarks/serving_peers/at_once.py
"""

import os

from bert_classifier.serving.model import predictor as predictors
from bert_classifier.serving.server import main


class AtOnce(predictors.Predictor):
    """The loaded model's labels and settings, and the same answer to every text."""

    def predict(self, texts, *, on_one_core=False):
        """Return as many predictions as there are texts, without computing."""
        if not hasattr(self, "_same"):
            (self._same,) = super().predict(["apple"])
        return [self._same] * len(texts)


setattr(predictors, "Predictor", AtOnce)  # noqa: B010 - to mypy, a class is no variable
raise SystemExit(main(os.environ))
