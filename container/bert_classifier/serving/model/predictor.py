"""Texts to class probabilities with one loaded artifact. No HTTP, no threads of its own."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from bert_classifier.artifact.artifact import Artifact, load_artifact
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.inference import compute_logits, plan_inference
from bert_classifier.modeling.packed import PackedForward, packed_or_padded
from bert_classifier.modeling.pretrained import quiet_transformers
from bert_classifier.modeling.probes import PROBE_TEXTS
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.batcher import PROBE
from bert_classifier.serving.model.plan import Plan
from bert_classifier.serving.model.precision import is_quantised, on_device
from bert_classifier.serving.model.thread_budget import ThreadBudget

logger = logging.getLogger(__name__)

_ALONE = 1  # a budget in tokens that no text is within, so that each is a pass of its own


@dataclasses.dataclass(frozen=True, slots=True)
class Prediction:
    """What the model makes of one text.

    Attributes:
        scores: calibrated probability of each class.
        order: numbers of the classes, most likely first.
        truncated: whether the text was longer than the model reads.
        is_empty: whether the tokenizer left nothing of the text: the scores are of no text at all.
    """

    scores: list[float]
    order: list[int]
    truncated: bool
    is_empty: bool = False


def predictions_of(scores: np.ndarray, truncated: Iterable[bool]) -> list[Prediction]:
    """Return n predictions of scores (n, classes); all at once, since request threads would queue for each text's."""
    order = np.argsort(-scores, axis=1, kind="stable")
    return [
        Prediction(*row) for row in zip(scores.tolist(), order.tolist(), map(bool, truncated), strict=True)
    ]


def load_predictors(
    folder: Path, plan: Plan, *, max_batch_tokens: int, precision: str, metrics: Metrics
) -> list["Predictor"]:
    """Return a predictor for each model thread of the plan, after each has classified a first text.

    Each GPU has a model of its own; on the CPU all threads compute with the same weights.

    Args:
        precision: as ServeConfig.serving_precision.
    Raises:
        UserError: when the folder holds no sound artifact, or the precision cannot be had or changes answers.
    """
    quiet_transformers()
    artifact = load_artifact(folder)
    placed = {name: on_device(artifact, torch.device(name), precision) for name in plan.devices}
    cores = ThreadBudget(plan)
    forwards = {name: _forward_of(artifact) for name, artifact in placed.items()}
    predictors = [
        Predictor(placed[name], max_batch_tokens, metrics, cores, forwards[name]) for name in plan.devices
    ]
    for predictor in predictors:
        predictor.predict([PROBE])  # so that no request meets a cold model
    logger.info("model ready: classes=%d", len(artifact.labels))
    return predictors


class Predictor:
    """Classifies texts, on the device where the artifact's model is.

    Args:
        max_batch_tokens: most tokens, padding counted, in one forward pass.
        cores: shared with the other predictors of the process; by default as many threads as torch takes.
        forward: computes with the artifact's model, perhaps in several predictors at the same time.
    """

    def __init__(
        self,
        artifact: Artifact,
        max_batch_tokens: int,
        metrics: Metrics | None = None,
        cores: ThreadBudget | None = None,
        forward: Forward | None = None,
    ) -> None:
        self.labels = artifact.labels
        self.abstain_below = artifact.abstain_below
        self._artifact = artifact
        self._max_batch_tokens = _ALONE if is_quantised(artifact.model) else max_batch_tokens
        self._metrics = metrics or Metrics()
        self._forward = forward or _forward_of(artifact)
        self._share = cores.for_a_pass if cores else contextlib.nullcontext

    def cost_of(self, text: str) -> int:
        """Return about how many tokens a text takes, in all its windows, without tokenising it."""
        return self._artifact.encoder.cost_of(text)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Return a prediction for each text, in order; a text's neighbours change it by rounding at most, in int8 too.

        Args:
            texts: such that records.text_problem finds none.
        Raises:
            ArithmeticError: when the model gives a number that is not finite.
        """
        began = time.monotonic()
        encoded = self._artifact.encoder.encode_batch(texts)
        tokenised = time.monotonic()
        micro_batches = plan_inference(self._forward, encoded, self._max_batch_tokens)
        with self._share():
            logits = compute_logits(self._forward, encoded, micro_batches, len(self.labels), dtype=np.float64)
        scores = self._probabilities(logits)
        self._metrics.observe_stage("tokenise", tokenised - began)
        self._metrics.observe_stage("model", time.monotonic() - tokenised)
        padded = sum(self._forward.tokens_of(encoded.lengths[windows]) for windows in micro_batches)
        self._metrics.note_pass(len(texts), int(encoded.lengths.sum()), padded)
        if not np.isfinite(scores).all():
            raise ArithmeticError("the model gave a number that is not finite")
        predictions = predictions_of(scores, encoded.truncated)
        for index in np.flatnonzero(encoded.text_lengths <= self._artifact.encoder.num_special).tolist():
            predictions[index] = dataclasses.replace(predictions[index], is_empty=True)
        return predictions

    def _probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities of logits, both float64 (n, classes)."""
        return torch.softmax(torch.from_numpy(logits) / self._artifact.temperature, dim=1).numpy()


def _forward_of(artifact: Artifact) -> Forward:
    """Return how logits are computed: on a CPU without padding, where that gives the same as the padded way."""
    model, encoder = artifact.model, artifact.encoder
    if model.device.type != "cpu" or is_quantised(model):  # quantised, each text is alone in its pass
        return Forward(model, encoder.pad_id, model.device, "fp32")
    sample = encoder.encode_batch(PROBE_TEXTS)
    forward = packed_or_padded(model, encoder.pad_id, model.device, "fp32", sample)
    return forward.for_threads() if isinstance(forward, PackedForward) else forward
