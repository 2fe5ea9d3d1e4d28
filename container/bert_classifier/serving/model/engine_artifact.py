"""Serve on CPUs without transformers, whose import alone takes longer than all the rest of a start."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from bert_classifier.artifact.contents import PROBES, Artifact, Contents
from bert_classifier.engine.families import is_of_layers, name_of_words, why_not
from bert_classifier.engine.model import EngineModel
from bert_classifier.serving.model.precision import (
    LOGITS_TOLERANCE,
    distance_from_training,
    doubt_of,
    is_judged_by_figures,
    measured_int8,
    require_labels,
    with_own_threshold,
)

logger = logging.getLogger(__name__)

# What a config.json raises that contradicts the tensors; transformers knows more, or refuses in its own words.
_CANNOT = (LookupError, ValueError, TypeError, ArithmeticError, RuntimeError, SafetensorError)
_EXACT = "Set SERVING_PRECISION=fp32 for float32's scores"
_GAIN = "int8 would take less CPU time"


def in_engine(contents: Contents, setting: str) -> Artifact | None:
    """Return the classifier as the engine computes it on the CPU; None where transformers must.

    In float32, the engine's logits of the artifact's probe texts are compared with those that transformers gave them in
    training. The manifest's digests prove that the weights are the same.

    Args:
        setting: ServeConfig.serving_precision.
    Raises:
        UserError: when int8 or bf16 is asked for and changes labels.
    """
    if reason := _why_not(contents, setting):
        logger.info("transformers computes the model: %s", reason)
        return None
    if setting in ("bf16", "int8"):
        return _as_asked(contents, setting)
    doubt = _doubt_of_int8(contents)
    if setting == "auto" and not doubt and (artifact := _in_int8_if_as_measured(contents)):
        return artifact
    artifact = _in_float32(contents)
    if artifact and setting == "auto":
        logger.info("served in float32 and not in int8: %s", doubt or "see the warning above")
    elif artifact and not setting and not doubt:
        logger.info("%s (SERVING_PRECISION=auto): %s", _GAIN, _measured(contents))
    return artifact


def _why_not(contents: Contents, setting: str) -> str:
    if PROBES not in contents.info:
        return "training has recorded no logits that could prove the engine"
    if reason := why_not(contents.config):
        return f"the engine cannot, since {reason}"
    if setting == "bf16" and not torch.cpu._is_avx512_bf16_supported():
        return "the engine cannot, since this CPU has no AVX512_BF16, by which it computes bf16"
    return ""


def _doubt_of_int8(contents: Contents) -> str:
    """Return why int8 should not be chosen automatically; "" if nothing speaks against it."""
    measured = measured_int8(contents.info)
    if measured is None:
        return "training has not measured what int8 changes"
    if measured.shortage:
        return f"{measured.shortage}; for int8, {measured.remedy}, or set SERVING_PRECISION=int8"
    if measured.problem:
        return f"{measured.problem} ({measured.sentence})"
    return "" if _gains_by_int8() else "this CPU has no AVX2"


def _gains_by_int8() -> bool:
    """Return whether the CPU multiplies 8 bits faster than float32: a flag, so that every start decides alike."""
    return torch.cpu._is_avx2_supported()


def _measured(contents: Contents) -> str:
    measured = measured_int8(contents.info)
    return measured.sentence if measured else ""


def _as_asked(contents: Contents, precision: str) -> Artifact | None:
    artifact = _computed(contents, precision)
    if artifact is None or not (is_judged_by_figures(artifact) or _reads_as_training(contents)):
        return None
    require_labels(artifact, precision, artifact.model.linear_layers)
    logger.info("the engine computes the model in %s, without transformers", precision)
    return with_own_threshold(artifact)


def _reads_as_training(contents: Contents) -> bool:
    """Return whether float32's logits are training's: labels alone would hide that the engine misreads config.json."""
    artifact = _computed(contents, "fp32", is_compiled=False)
    return artifact is not None and _computes_the_same(artifact)


def _in_int8_if_as_measured(contents: Contents) -> Artifact | None:
    artifact = _computed(contents, "int8")
    if artifact is None:
        return None
    if doubt := doubt_of(artifact, "int8", artifact.model.linear_layers):
        logger.warning("int8 is not served: %s", doubt)
        return None
    logger.info("served in int8, without transformers: %s. %s", _measured(contents), _EXACT)
    return with_own_threshold(artifact)


def _in_float32(contents: Contents) -> Artifact | None:
    artifact = _computed(contents, "fp32")
    return artifact if artifact and _computes_the_same(artifact) else None


def _computed(contents: Contents, precision: str, *, is_compiled: bool = True) -> Artifact | None:
    """Return the classifier with the engine's model; None if the engine cannot compute it."""
    try:
        return contents.with_model(_model(contents, precision, is_compiled=is_compiled))
    except _CANNOT as error:
        logger.info("transformers computes the model, since the engine cannot (%r)", error)
        return None


def _model(contents: Contents, precision: str, *, is_compiled: bool) -> EngineModel:
    tensors = _tensors(contents.folder / "model.safetensors", contents.config)
    if {tensor.dtype for tensor in tensors.values()} != {torch.float32}:
        raise ValueError("the weights are not float32")
    has_types = bool(contents.info.get("has_token_types"))
    model = EngineModel(
        contents.config, tensors, precision, has_token_types=has_types, is_compiled=is_compiled
    )
    model.check_room(max(contents.tokenizer.get_vocab().values()), contents.info["max_seq_length"])
    return model.eval()


def _tensors(file: Path, config: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Return the tensors such that the file's pages leave memory with the layers' weights, which the engine packs anew.

    The file is mapped twice: for the embeddings of words, of which few pages are read, and for what the engine drops.
    """
    tensors, words = load_file(file), load_file(file)
    for name, tensor in tensors.items():
        if name == name_of_words(config):
            tensors[name] = words[name]
        elif tensor.dim() == 1 or not is_of_layers(name, config):
            tensors[name] = tensor.clone()
    return tensors


def _computes_the_same(artifact: Artifact) -> bool:
    try:
        difference = distance_from_training(artifact)
    except _CANNOT as error:
        logger.warning("transformers computes the model, since the engine cannot (%r)", error)
        return False
    if not difference <= LOGITS_TOLERANCE:
        logger.warning("transformers computes the model: the engine's logits are off by %.2g", difference)
        return False
    logger.info(
        "the engine computes the model, without transformers (off by %.1g in training's logits)", difference
    )
    return True
