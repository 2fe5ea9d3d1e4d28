"""The precision of a served model, and the check that a lower one keeps the labels.

Where training has measured a precision (artifact.agreement), its figures decide, and the probe texts only show that
this machine computes what was measured. Elsewhere the probe texts' labels decide.
"""

import copy
import dataclasses
import logging
import math
import warnings
from collections.abc import Mapping
from typing import Any

import torch

from bert_classifier.artifact.agreement import Agreement
from bert_classifier.artifact.contents import PROBES, THRESHOLDS, Artifact
from bert_classifier.engine.linear import steps_of_int8
from bert_classifier.engine.model import EngineModel
from bert_classifier.errors import UserError
from bert_classifier.modeling.inference import is_bf16
from bert_classifier.modeling.int8_rounding import STEPS
from bert_classifier.modeling.low_precision import to_bfloat16
from bert_classifier.modeling.probes import probe_logits, texts_of
from bert_classifier.modeling.proof import mean_distance_of
from bert_classifier.serving.model.probe_labels import other_labels

logger = logging.getLogger(__name__)

_PROBES_PER_TIE = 6  # one text in six may be a near-tie that changes its label
# Rounding error of a layer's output, as a fraction of its standard deviation. bf16 has 8 significant bits. torch's int8
# has 127 steps on x86 (reduce_range) over the activations' range of about 8 standard deviations; the error is uniform
# within a step, so its standard deviation is step / sqrt(12). For MiniLM (38 layers), this predicts 1.2 % and 11 % of a
# lead; measured: 0.3-0.7 % and 7-21 %. The engine's int8 is no coarser: 127 or 255 steps over one token's range.
_ROUNDING = {"bf16": 2.0**-9, "int8": 8 / 127 / math.sqrt(12)}
# Of the probe texts' logits from float32's, as a multiple of what training measured. Other hardware sums in another
# order, so other values are rounded up or down: a factor of 3 excuses that on a dozen texts, but no overflow.
_FARTHER = 3
_DIGITS = 1e-3  # the artifact's logits have four decimals
_USE_FP32 = "Set SERVING_PRECISION=fp32."
LOGITS_TOLERANCE = 1e-3  # of the largest logit, or of 1; the artifact's have four decimals


def on_device(artifact: Artifact, device: torch.device, setting: str) -> Artifact:
    """Return the artifact with its model on a device, in the precision of a setting.

    Without one, or with `auto`, it is bf16 on a GPU that supports it, if no labels change by it.

    Args:
        setting: ServeConfig.serving_precision.
    Raises:
        UserError: when an explicit precision is not supported here, or changes labels.
    """
    if setting in ("", "auto"):
        return _in_auto_precision(artifact, device)
    if setting == "bf16" and not _has_bf16(device):
        raise UserError("This GPU does not compute in bf16.", _USE_FP32)
    if setting == "int8" and device.type != "cpu":
        raise UserError("SERVING_PRECISION=int8 is for CPUs.", "Set SERVING_PRECISION=auto on a GPU.")
    converted = _converted(artifact, device, setting)
    if setting != "fp32":
        require_labels(converted, setting, _linear_layers(artifact.model))
    return converted


def _in_auto_precision(artifact: Artifact, device: torch.device) -> Artifact:
    if device.type == "cuda" and _has_bf16(device):
        converted = _converted(artifact, device, "bf16")
        problem = doubt_of(converted, "bf16", _linear_layers(artifact.model))
        if not problem:
            return converted
        logger.warning("serving in fp32 instead of bf16: %s", problem)
    return _converted(artifact, device, "fp32")


def _has_bf16(device: torch.device) -> bool:
    return device.type == "cpu" or torch.cuda.get_device_capability(device) >= (8, 0)


def _converted(artifact: Artifact, device: torch.device, precision: str) -> Artifact:
    if precision == "fp32" and device.type == "cpu":  # all threads may share the loaded model
        return artifact
    model: Any = copy.deepcopy(artifact.model)
    if precision == "int8":
        model = _quantised(model)
    elif precision == "bf16":
        model = to_bfloat16(model.to(device))
    else:
        model = model.to(device)
    return dataclasses.replace(artifact, model=model)


def _quantised(model: Any) -> Any:
    """Return the model with its linear layers in int8: weights per channel, activations by their range in a pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it will move to another package; the pinned torch still has it
        from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

        return quantize_dynamic(model, {torch.nn.Linear: per_channel_dynamic_qconfig})


def is_quantised(model: torch.nn.Module) -> bool:
    """Return whether texts in one pass affect each other's scores, since their activations share a range."""
    return any(isinstance(module, torch.ao.nn.quantized.dynamic.Linear) for module in model.modules())


def precision_of(model: torch.nn.Module) -> str:
    """Return the arithmetic of a model's forward pass: fp32, bf16 or int8."""
    if isinstance(model, EngineModel):
        return model.precision
    return "int8" if is_quantised(model) else "bf16" if is_bf16(model) else "fp32"


def _linear_layers(model: torch.nn.Module) -> int:
    return sum(isinstance(module, torch.nn.Linear) for module in model.modules())


def measured_int8(info: Mapping[str, Any]) -> Agreement | None:
    """Return what training measured of the engine's int8 as this CPU computes it; None if nothing."""
    return Agreement.of(info, "int8_7_bits" if steps_of_int8() == STEPS[7] else "int8")


def measured_of(converted: Artifact) -> Agreement | None:
    """Return what training measured of a converted model's precision; None if nothing."""
    precision = precision_of(converted.model)
    if precision == "int8":  # torch's own is another one, which training does not measure
        return measured_int8(converted.info) if isinstance(converted.model, EngineModel) else None
    return Agreement.of(converted.info, precision)


def described(artifact: Artifact) -> dict[str, Any]:
    """Return the precision of a served model and what training measured of it, in JSON values for GET /model."""
    measured = measured_of(artifact)
    return {"precision": precision_of(artifact.model), **({"measured": measured.facts} if measured else {})}


def with_own_threshold(artifact: Artifact) -> Artifact:
    """Return a classifier in int8 with the threshold that guarantees its target accuracy there, if there is one.

    Float32's proves nothing for int8.
    """
    measured = measured_of(artifact)
    if measured is not None and measured.is_multi_label:
        return _with_own_thresholds(artifact, measured)
    if measured is None or measured.threshold is None or measured.threshold == artifact.abstain_below:
        return artifact
    logger.info(
        "in int8 the threshold %g guarantees target_accuracy=%g, and not %g as in float32",
        measured.threshold, measured.target_accuracy, artifact.abstain_below,
    )  # fmt: skip
    return dataclasses.replace(artifact, abstain_below=measured.threshold)


def _with_own_thresholds(artifact: Artifact, measured: Agreement) -> Artifact:
    if measured.thresholds is None or set(measured.thresholds) != set(artifact.labels):
        return artifact
    logger.info(
        "in int8 the labels have thresholds of their own, for target_precision=%g", measured.target_precision
    )
    return dataclasses.replace(artifact, info={**artifact.info, THRESHOLDS: dict(measured.thresholds)})


def require_labels(converted: Artifact, precision: str, linear_layers: int) -> None:
    """Refuse a precision, set by hand, that changes labels; warn if it is only not good enough to be chosen.

    Args:
        linear_layers: of the model, whose rounding errors add up.
    Raises:
        UserError: when training measured that too many labels change, or this machine computes something else; without
            its figures, when a probe text's label differs that was no near-tie, or several near-ties do.
    """
    measured = _judging_figures_of(converted)
    if measured is None:
        problem = _disagreement(converted, precision, linear_layers)
    else:
        problem = measured.harm or _unlike_measured(converted, measured)
    if problem:
        raise UserError(f"{precision} may change predicted labels: {problem}.", _USE_FP32)
    _say_what_was_measured(measured or measured_of(converted), precision)


def _say_what_was_measured(measured: Agreement | None, precision: str) -> None:
    """Log the figures for a precision that was set by hand: a warning where they miss the rule for `auto`."""
    if measured and measured.shortage:
        logger.warning(
            "whether %s keeps the labels is not known: %s; %s", precision, measured.shortage, measured.remedy
        )
    elif measured and measured.problem:
        logger.warning("%s is not advisable here: %s; %s", precision, measured.problem, measured.sentence)
    elif measured:
        logger.info("%s: %s", precision, measured.sentence)


def doubt_of(converted: Artifact, precision: str, linear_layers: int) -> str:
    """Return why a precision should not be chosen automatically; "" if nothing speaks against it."""
    measured = _judging_figures_of(converted)
    if measured is None:
        return _disagreement(converted, precision, linear_layers) or ""
    return measured.problem or _unlike_measured(converted, measured)


def _judging_figures_of(converted: Artifact) -> Agreement | None:
    measured = measured_of(converted)
    return None if measured is None or measured.shortage else measured


def _unlike_measured(converted: Artifact, measured: Agreement) -> str:
    """Return whether this machine computes another thing than training measured; "" if it does not."""
    logits = _probe_logits(converted)
    if isinstance(logits, str):
        return logits
    wanted, found = logits
    distance = mean_distance_of(found, wanted)
    if not distance <= _FARTHER * measured.probe_distance + _DIGITS:
        in_training = f"{measured.probe_distance:.2g} off in training"
        return f"the logits of the probe texts are {distance:.2g} off here, and were {in_training}"
    return ""


def is_judged_by_figures(converted: Artifact) -> bool:
    """Return whether training has measured enough of a converted model's precision to judge it by."""
    return _judging_figures_of(converted) is not None


def distance_from_training(artifact: Artifact) -> float:
    """Return how far a float32 model's logits of the artifact's probe texts are from training's; see LOGITS_TOLERANCE.

    Raises:
        KeyError: when the artifact has no probe texts, and whatever else the model raises.
    """
    wanted, found = _recorded_and_own(artifact)
    return float((found - wanted).abs().max() / wanted.abs().max().clamp(min=1))


def warn_if_unlike_training(artifact: Artifact) -> None:
    """Warn where a float32 model's logits are not those that training recorded for the same weights."""
    if not artifact.info.get(PROBES):
        return
    try:
        distance = distance_from_training(artifact)
    except (RuntimeError, TypeError, ValueError) as error:
        logger.warning("the model cannot be compared with what training recorded (%s)", error)
        return
    if not distance <= LOGITS_TOLERANCE:
        logger.warning(
            "scores are not those of training: the logits of its probe texts are off by %.2g. Serve training's files"
            " unchanged, with the image that trained them, or train again",
            distance,
        )


def _recorded_and_own(artifact: Artifact) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits of the artifact's probe texts in training, and by its model, both (texts, classes)."""
    probes = artifact.info[PROBES]
    own = probe_logits(artifact.model, artifact.encoder, texts_of(probes))
    return torch.tensor(probes["logits"]), torch.tensor(own)


def _probe_logits(converted: Artifact) -> tuple[torch.Tensor, torch.Tensor] | str:
    """Return training's logits of the artifact's probe texts and those of a converted model, (texts, classes).

    Or return why there are none.
    """
    if not converted.info.get(PROBES):
        return "the artifact has no probe texts to check this with: an older version wrote it"
    try:
        return _recorded_and_own(converted)
    except torch.OutOfMemoryError:
        raise
    except (
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:  # such as FNet, whose Fourier transforms know no bf16
        return f"this encoder cannot compute with such weights ({str(error).splitlines()[0]})"


def _disagreement(converted: Artifact, precision: str, linear_layers: int) -> str | None:
    """Return how a converted model's labels differ from training's on the artifact's probe texts, if they do.

    Near-ties count only if there are several.
    """
    logits = _probe_logits(converted)
    if isinstance(logits, str):
        return logits
    wanted, found = logits
    infinite = int((~(wanted.isfinite() & found.isfinite()).all(dim=1)).sum())
    if infinite:
        return f"{infinite} of {len(found)} probe texts get scores that are not finite"
    # The layers' rounding errors are independent, so they grow with the square root of the number of layers.
    rounding = _ROUNDING[precision] * math.sqrt(linear_layers)
    differ, ties = other_labels(converted, wanted, found, rounding)
    if differ.sum() > ties.sum() or ties.sum() > len(differ) // _PROBES_PER_TIE:
        return f"{int(differ.sum())} of {len(differ)} probe texts get another label"
    if ties.any():
        logger.info("%d probe text(s) with nearly tied labels in float32 change theirs", int(ties.sum()))
    logger.info("%s: %d of %d probe texts keep their label", precision, int((~differ).sum()), len(differ))
    return None
