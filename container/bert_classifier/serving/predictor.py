"""Texts to class probabilities with one loaded artifact. No HTTP, no threads of its own."""

import dataclasses
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch

from bert_classifier.micro_batches import pad, plan_micro_batches
from bert_classifier.model import Artifact, load_artifact, logits_of, quiet_transformers

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Prediction:
    """What the model makes of one text.

    Attributes:
        scores: calibrated probability of each class, float64 (classes,).
        truncated: whether the text was longer than the model reads.
    """

    scores: np.ndarray
    truncated: bool


class Predictor:
    """Classifies texts.

    Args:
        max_batch_tokens: most tokens, padding counted, in one forward pass.
    """

    def __init__(self, artifact: Artifact, max_batch_tokens: int) -> None:
        self.labels = artifact.labels
        self._artifact = artifact
        self._max_batch_tokens = max_batch_tokens

    @classmethod
    def load(cls, folder: Path, max_batch_tokens: int, threads: int | None = None) -> Self:
        """Return a predictor for the artifact in a folder, after it has classified a first text.

        Args:
            threads: of the model, for the whole process; default: the cores this process may use.
        Raises:
            UserError: when the folder holds no sound artifact.
        """
        torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
        quiet_transformers()
        predictor = cls(load_artifact(folder), max_batch_tokens)
        predictor.predict(["A first text, so that no request meets a cold model."])
        logger.info("model ready: classes=%d threads=%d", len(predictor.labels), torch.get_num_threads())
        return predictor

    def cost_of(self, text: str) -> int:
        """Return about how many tokens a text takes, without tokenising it."""
        return min(self._artifact.encoder.max_length, 2 + len(text) // 4)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Return a prediction for each text, in order; a text's neighbours change it by rounding at most.

        Args:
            texts: such that records.text_problem finds none.
        Raises:
            ArithmeticError: when the model gives a number that is not finite.
        """
        encoded = self._artifact.encoder.encode_batch(texts)
        scores = np.empty((len(texts), len(self.labels)), dtype=np.float64)
        with torch.inference_mode():
            for rows in plan_micro_batches(encoded.lengths, self._max_batch_tokens):
                input_ids, attention_mask = pad(encoded, rows, self._artifact.encoder.pad_id)
                scores[rows] = self._probabilities(input_ids, attention_mask)
        if not np.isfinite(scores).all():
            raise ArithmeticError("the model gave a number that is not finite")
        return [Prediction(row, bool(cut)) for row, cut in zip(scores, encoded.truncated, strict=True)]

    def _probabilities(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> np.ndarray:
        logits = logits_of(self._artifact.model, input_ids, attention_mask)
        return torch.softmax(logits.double() / self._artifact.temperature, dim=1).numpy()
