"""Serve on CPUs without transformers, whose import alone takes longer than all the rest of a start."""

import logging

import torch
from safetensors.torch import load_file

from bert_classifier.artifact.contents import Artifact, Contents
from bert_classifier.engine.model import EngineModel
from bert_classifier.engine.tensors import can_compute
from bert_classifier.modeling.probes import probe_logits
from bert_classifier.serving.model.precision import check_labels

logger = logging.getLogger(__name__)

_PRECISIONS = {"auto": "fp32", "fp32": "fp32", "int8": "int8"}
_TOLERANCE = 1e-3  # of the largest logit, or of 1; the artifact's have four decimals


def in_engine(contents: Contents, setting: str) -> Artifact | None:
    """Return the classifier as the engine computes it on the CPU; None where transformers must.

    In float32, the engine's logits of the artifact's probe texts are compared with those that transformers gave them in
    training. The manifest's digests prove that the weights are the same.

    Args:
        setting: ServeConfig.serving_precision.
    Raises:
        UserError: when int8 changes a label.
    """
    if setting not in _PRECISIONS or not can_compute(contents.config) or "probes" not in contents.info:
        return None
    try:
        model = _model(contents, _PRECISIONS[setting])
    except (LookupError, ValueError, TypeError, RuntimeError) as error:
        logger.info("transformers computes the model, since the engine cannot (%r)", error)
        return None
    artifact = contents.with_model(model)
    if setting == "int8":
        check_labels(artifact, "int8", model.linear_layers)
        logger.info("the engine computes the model in int8, without transformers")
        return artifact
    return artifact if _computes_the_same(artifact) else None


def _model(contents: Contents, precision: str) -> EngineModel:
    tensors = load_file(contents.folder / "model.safetensors")
    if {tensor.dtype for tensor in tensors.values()} != {torch.float32}:
        raise ValueError("the weights are not float32")
    model = EngineModel(contents.config, tensors, precision)
    model.check_room(max(contents.tokenizer.get_vocab().values()), contents.info["max_seq_length"])
    return model.eval()


def _computes_the_same(artifact: Artifact) -> bool:
    probes = artifact.info["probes"]
    wanted = torch.tensor(probes["logits"])
    found = torch.tensor(probe_logits(artifact.model, artifact.encoder, probes["texts"]))
    difference = float((found - wanted).abs().max() / wanted.abs().max().clamp(min=1))
    if not difference <= _TOLERANCE:
        logger.warning("transformers computes the model: the engine's logits are off by %.2g", difference)
        return False
    logger.info(
        "the engine computes the model, without transformers (off by %.1g in training's logits)", difference
    )
    return True
