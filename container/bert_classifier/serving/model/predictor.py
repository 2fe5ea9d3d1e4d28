"""Predict class probabilities of texts with a loaded artifact. No HTTP, no threads."""

import contextlib
import dataclasses
import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bert_classifier.artifact.about import about
from bert_classifier.artifact.contents import Artifact, Contents, read_contents
from bert_classifier.data.text_fields import TextFields
from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.engine.model import EngineForward, EngineModel
from bert_classifier.errors import UserError
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.inference import compute_logits, is_bf16, plan_inference
from bert_classifier.modeling.probabilities import softmax
from bert_classifier.modeling.probes import probes_for
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.engine_artifact import in_engine
from bert_classifier.serving.model.facts import ModelFacts
from bert_classifier.serving.model.plan import Plan
from bert_classifier.serving.model.precision import (
    described,
    is_quantised,
    on_device,
    precision_of,
    warn_if_unlike_training,
)
from bert_classifier.serving.model.thread_budget import ThreadBudget

logger = logging.getLogger(__name__)

_ALONE = 1  # a token budget that every text exceeds, so that each gets its own pass
_MOST_TOKENS = 4096  # per forward pass
# A text costs the engine the same in long passes and in short ones, after which fewer requests have to wait.
_MOST_TOKENS_IN_ENGINE = 512
# On a GPU in bf16 that is 256 texts of 64 tokens, which keep it busy for 5 to 40 ms (estimated: not yet run on a GPU).
_MOST_TOKENS_ON_GPU = 16_384
_PASSES_AT_ONCE = 4  # with padding, among which texts are sorted by length: less padding, still quick


@dataclasses.dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for one text.

    Attributes:
        scores: calibrated probability of each class; they sum to 1 unless a text may have several labels.
        order: class indices, most likely first.
        truncated: whether part of the text was dropped.
        is_empty: whether the text has no tokens, so that its scores are meaningless; they are alike where the tokenizer
            adds none of its own.
    """

    scores: list[float]
    order: list[int]
    truncated: bool
    is_empty: bool = False


def predictions_of(
    scores: np.ndarray, truncated: Sequence[bool], is_empty: Sequence[bool] = ()
) -> list[Prediction]:
    """Return the predictions for scores (n, classes), vectorised, since request threads compete for the interpreter.

    Args:
        truncated: of each text.
        is_empty: of each text; default: none is.
    """
    order = (-scores).argsort(axis=1, kind="stable")
    empty = is_empty or [False] * len(scores)
    return [Prediction(*row) for row in zip(scores.tolist(), order.tolist(), truncated, empty, strict=True)]


def load_predictors(
    folder: Path, plan: Plan, *, max_batch_tokens: int | None, precision: str, metrics: Metrics
) -> list["Predictor"]:
    """Return a predictor for each model thread of the plan, after each has classified a first text.

    Each GPU has its own model, which its threads share; on the CPU, all threads share the same weights.

    Args:
        precision: ServeConfig.serving_precision.
    Raises:
        UserError: when the folder holds no valid artifact, or the precision is not supported or changes labels.
    """
    placed = _placed(read_contents(folder), list(dict.fromkeys(plan.devices)), precision)
    cores = ThreadBudget(plan)
    forwards = {
        name: _forward_of(artifact, max_batch_tokens or _most_tokens(artifact.model))
        for name, artifact in placed.items()
    }
    predictors = [
        Predictor(placed[name], max_batch_tokens, metrics, cores, forwards[name]) for name in plan.devices
    ]
    for predictor in predictors:
        _predict_first(predictor, folder)  # so that no request meets a cold model
    artifact = placed[plan.devices[0]]
    metrics.note_model(artifact.model.config.model_type, len(artifact.labels), precision_of(artifact.model))
    if predictors[0].thresholds is not None:
        metrics.count_labels()
    several = ", any number of them per text" if predictors[0].thresholds is not None else ""
    pairs = ", of pairs of texts" if artifact.encoder.is_paired else ""
    logger.info("model ready: classes=%d%s%s", len(artifact.labels), several, pairs)
    return predictors


def _placed(contents: Contents, devices: Sequence[str], precision: str) -> dict[str, Artifact]:
    """Return the classifier on each device, in its precision."""
    if devices == ["cpu"] and (artifact := in_engine(contents, precision)):
        return {"cpu": artifact}
    from bert_classifier.artifact.artifact import load_classifier
    from bert_classifier.modeling.pretrained import quiet_transformers

    quiet_transformers()
    artifact = load_classifier(contents)
    if devices == ["cpu"]:
        warn_if_unlike_training(artifact)
    return {name: on_device(artifact, torch.device(name), precision) for name in devices}


class Predictor:
    """Classifies texts on the device of the artifact's model.

    Args:
        max_batch_tokens: maximum tokens per forward pass, padding included; default: what suits the device.
        cores: shared with the other predictors of the process; default: torch's number of threads.
        forward: computes with the artifact's model; may be shared by several predictors.

    Attributes:
        max_cost: maximum cost of texts to predict at once.
        quick_cost: cost up to which a text has one core alone, so that any thread may predict it; 0: none.
        lane: what it computes with; the passes of predictors with the same lane are computed in turn.
        probe: a text, or a pair, that a sound model can always predict.
    """

    def __init__(
        self,
        artifact: Artifact,
        max_batch_tokens: int | None = None,
        metrics: Metrics | None = None,
        cores: ThreadBudget | None = None,
        forward: Forward | None = None,
    ) -> None:
        self.labels = artifact.labels
        self.fields = TextFields.of(artifact.info)
        self.about = {**about(artifact.info), "served": described(artifact)}
        self.facts = ModelFacts.of(artifact.info)
        self.thresholds = artifact.thresholds.tolist() if self.facts.is_multi_label else None
        self.abstain_below = 0.0 if self.facts.is_multi_label else artifact.abstain_below
        self.probe = probes_for(artifact.encoder)[0]
        self._artifact = artifact
        self._metrics = metrics or Metrics()
        most = max_batch_tokens or _most_tokens(artifact.model)
        self._forward = forward or _forward_of(artifact, most)
        self._max_batch_tokens = _ALONE if is_quantised(artifact.model) else most
        device, is_padded = artifact.model.device, self._forward.is_padded
        self._is_in_engine = isinstance(artifact.model, EngineModel)
        in_one_pass = self._is_in_engine or (device.type == "cuda" and not is_padded)
        self.max_cost = most if in_one_pass else _PASSES_AT_ONCE * most
        self.lane = str(device) if device.type == "cuda" else str(id(self))
        self._cores = cores
        self.quick_cost = 0
        if self._is_in_engine and cores is not None:
            self.quick_cost = int(min(most, cores.most_work_of_one() / artifact.model.work_per_token))

    def cost_of(self, text: str) -> int:
        """Estimate the tokens of a text in all its windows, without tokenising it."""
        return self._artifact.encoder.cost_of(text)

    def predict(self, texts: Sequence[str], *, on_one_core: bool = False) -> list[Prediction]:
        """Return a prediction for each text, in order; other texts affect it by rounding at most, even in int8.

        Args:
            texts: texts without a records.text_problem; TextPairs if the model is one of pairs.
            on_one_core: whatever their tokens are. A thread that computes on several keeps as many others for itself.
        Raises:
            ArithmeticError: when a logit is not finite.
        """
        began = time.monotonic()
        encoder = self._artifact.encoder
        encoded = encoder.encode_batch(texts)
        tokenised = time.monotonic()
        micro_batches = plan_inference(self._forward, encoded, self._max_batch_tokens)
        with self._share(encoded, on_one_core=on_one_core):
            logits = compute_logits(self._forward, encoded, micro_batches, len(self.labels), dtype=np.float64)
        self._metrics.observe_stage("tokenise", tokenised - began)
        self._metrics.observe_stage("model", time.monotonic() - tokenised)
        padded = sum(self._forward.tokens_of(encoded.lengths[windows]) for windows in micro_batches)
        self._metrics.note_pass(len(texts), int(encoded.offsets[-1]), padded)
        if not math.isfinite(logits.sum()):  # of float64, which no sum of logits exceeds
            raise ArithmeticError("the model gave a number that is not finite")
        is_empty = encoded.text_lengths <= encoder.num_special
        return predictions_of(self._probabilities(logits), encoded.truncated.tolist(), is_empty.tolist())

    def _share(self, encoded: EncodedTexts, *, on_one_core: bool) -> contextlib.AbstractContextManager[None]:
        """Return a context in which a pass over these texts has its threads."""
        if self._cores is None:
            return contextlib.nullcontext()
        if on_one_core:
            return self._cores.for_a_pass(0.0)
        if not self._is_in_engine:
            return self._cores.for_a_pass()
        return self._cores.for_a_pass(self._artifact.model.work_per_token * int(encoded.offsets[-1]))

    def _probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return the calibrated probabilities for logits, both float64 (n, classes)."""
        if self.facts.is_multi_label:
            return torch.sigmoid(torch.from_numpy(logits / self._artifact.temperature)).numpy()
        return softmax(logits, self._artifact.temperature)


def _predict_first(predictor: Predictor, folder: Path) -> None:
    """Classify a first text.

    Raises:
        UserError: when a model that has learned nothing usable gives no numbers.
    """
    try:
        predictor.predict([predictor.probe])
    except ArithmeticError as error:
        cause = f"The model in {folder} gives numbers that are not finite, for a plain text too."
        raise UserError(cause, "Serve the model of another training, or train again.") from error


def _most_tokens(model: Any) -> int:
    if isinstance(model, EngineModel):
        return _MOST_TOKENS_IN_ENGINE
    return _MOST_TOKENS_ON_GPU if model.device.type == "cuda" and is_bf16(model) else _MOST_TOKENS


def _forward_of(artifact: Artifact, most_tokens: int) -> Forward:
    """Return the forward pass: without padding where that is possible and matches the padded pass."""
    model, encoder = artifact.model, artifact.encoder
    if isinstance(model, EngineModel):
        return EngineForward(model)
    if is_quantised(model):  # each text is alone in its pass
        return Forward(model, encoder.pad_id, model.device, "fp32")
    from bert_classifier.modeling.graphs import with_graphs
    from bert_classifier.modeling.packed import PackedForward, packed_or_padded

    sample = encoder.encode_batch(probes_for(encoder))
    forward = packed_or_padded(model, encoder.pad_id, model.device, "fp32", sample)
    if not isinstance(forward, PackedForward):
        return forward
    shared = forward.for_threads()
    if model.device.type == "cpu":
        return shared
    return with_graphs(shared, encoder.max_length, most_tokens, sample)
