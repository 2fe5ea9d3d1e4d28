"""Measure at the end of a job what each precision would change in the exported model's answers.

Nothing else of the artifact depends on it: a stop signal or a failure costs these figures, never the model.
"""

import copy
import logging
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from bert_classifier.artifact.agreement import PRECISIONS, Agreement
from bert_classifier.encoding.text_encoder import EncodedTexts, TextEncoder
from bert_classifier.engine.families import can_compute
from bert_classifier.evaluation.evaluation_of import AnyEvaluation, evaluation_of
from bert_classifier.evaluation.multi_label.precisions import LabelReading
from bert_classifier.evaluation.precisions import Reading
from bert_classifier.job.wording import counted
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.inference import compute_logits, plan_inference
from bert_classifier.modeling.int8_rounding import rounded_to_int8
from bert_classifier.modeling.low_precision import to_bfloat16
from bert_classifier.modeling.probes import probes_for
from bert_classifier.modeling.proof import mean_distance_of
from bert_classifier.training.batching import Split
from bert_classifier.training.signals import Stopped
from bert_classifier.training.trainer import Trainer

logger = logging.getLogger(__name__)

MOST_TEXTS, MOST_TO_PROVE = 500, 2000  # the latter where something is guaranteed
# On CPUs the texts cost at most 5 % of what training has cost: a step computes each text about three times as long as a
# pass, and there are three passes.
_TRAINED_PER_TEXT = 20
_CHEAP = 2e11  # operations of a pass that are worth a few seconds in any case
_BITS = {"int8": 8, "int8_7_bits": 7}
_IN_WORDS = {"int8": "int8", "int8_7_bits": "int8 on CPUs without VNNI", "bf16": "bf16"}


def measure_precisions(
    trainer: Trainer,
    split: Split,
    channel: str,
    encoder: TextEncoder,
    reading: Reading | LabelReading,
) -> dict[str, Any]:
    """Return the field of training.json on the precisions that can be measured here; none after a stop signal.

    int8 is measured for the families that the serving engine computes, bf16 where the hardware has it. The model has
    the weights to export, and keeps them bit by bit.

    Args:
        split: labelled texts.
        channel: where they come from.
        encoder: of the artifact, as is `reading`.
    """
    started = time.process_time()
    try:
        measured = _Measurement(trainer, split, channel, encoder, reading).facts()
    except Stopped:
        logger.info("what int8 would change is not measured: the job was told to stop")
        return {}
    except Exception as error:  # noqa: BLE001 - the model must not be lost for these figures
        logger.warning("what int8 would change cannot be measured (%s: %s)", type(error).__name__, error)
        return {}
    fields = {PRECISIONS: measured}
    for name, agreement in ((name, Agreement.of(fields, name)) for name in _IN_WORDS):
        if agreement:
            logger.info("served in %s, %s", _IN_WORDS[name], agreement.sentence)
    logger.info("measuring this took %.1f s of CPU time", time.process_time() - started)
    return fields if set(measured) & set(_IN_WORDS) else {}


class _Measurement:
    def __init__(
        self, trainer: Trainer, split: Split, channel: str, encoder: TextEncoder, reading: Any
    ) -> None:
        self._trainer, self._channel, self._reading = trainer, channel, reading
        most = MOST_TO_PROVE if reading.has_promise else MOST_TEXTS
        self._model: Any = trainer.model
        self._forward = _float32_pass(trainer)
        rows = choose_texts(len(split.targets), _most_texts(trainer, split.encoded, most))
        self._texts, self._targets = split.encoded.take(rows), np.array(split.targets)[rows]
        self._probes = encoder.encode_batch(probes_for(encoder))

    def facts(self) -> dict[str, Any]:
        """Return the content of the field."""
        self._model.eval()
        shown = counted(len(self._targets), f"{self._channel} text")
        logger.info("measuring what serving in other precisions would change, on %s", shown)
        exact, exact_probes = self._compute(self._forward)
        found: dict[str, Any] = {
            "texts": len(self._targets),
            "channel": self._channel,
            "fp32": self._reading.facts(exact),
        }
        # bf16 moves scores no farther than training itself, which may have computed them in bf16.
        for name, (result, probes) in self._in_lower_precisions():
            reading = self._reading if name in _BITS else self._reading.without_promise
            found[name] = {
                **reading.compared(exact, result),
                "probe_distance": mean_distance_of(probes, exact_probes),
            }
        return found

    def _in_lower_precisions(self) -> Iterator[tuple[str, tuple[AnyEvaluation, torch.Tensor]]]:
        if can_compute(self._model.config.to_dict()):
            for name, bits in _BITS.items():
                with rounded_to_int8(self._model, bits):
                    yield name, self._compute(self._forward)
        if _has_bf16(self._trainer.device):
            rounded = to_bfloat16(copy.deepcopy(self._model))
            yield "bf16", self._compute(Forward(rounded, self._forward.pad_id, self._trainer.device, "fp32"))

    def _compute(self, forward: Forward) -> tuple[AnyEvaluation, torch.Tensor]:
        """Return the predictions for the texts, and the logits of the probe texts."""
        logits = self._logits(forward, self._texts)
        return evaluation_of(logits, self._targets), torch.from_numpy(self._logits(forward, self._probes))

    def _logits(self, forward: Forward, texts: EncodedTexts) -> np.ndarray:
        planned = plan_inference(forward, texts, self._trainer.state.token_budget)
        return compute_logits(forward, texts, self._until_stopped(planned), self._trainer.num_classes)

    def _until_stopped(self, micro_batches: list[np.ndarray]) -> Iterator[np.ndarray]:
        for micro_batch in micro_batches:
            self._trainer.stop.check()
            yield micro_batch


def choose_texts(count: int, most: int) -> np.ndarray:
    """Return the indices of at most so many of `count` texts, ascending: the same at each attempt, from everywhere."""
    return np.sort(np.random.default_rng(0).permutation(count)[:most])


def _most_texts(trainer: Trainer, encoded: EncodedTexts, most: int) -> int:
    if trainer.device.type != "cpu":
        return most
    trained = trainer.state.step * trainer.recipe.global_batch_size
    encoder: Any = trainer.model.base_model
    layers = (module for module in encoder.modules() if isinstance(module, torch.nn.Linear))
    products = max(1, sum(layer.weight.numel() for layer in layers))
    operations = 2 * products * max(1.0, float(encoded.text_lengths.mean()))
    return min(most, max(trained // _TRAINED_PER_TEXT, int(_CHEAP / operations)))


def _float32_pass(trainer: Trainer) -> Forward:
    """Return the forward pass of the weights to export in float32: the run's own, if it computes with them."""
    forward = trainer.forward
    if forward.model is trainer.model and forward.precision == "fp32":
        return forward
    return Forward(trainer.model, forward.pad_id, trainer.device, "fp32")


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.cpu._is_avx512_bf16_supported()
