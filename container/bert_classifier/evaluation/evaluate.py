"""Evaluate a trained artifact on a labelled file."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from bert_classifier.artifact.artifact import Artifact
from bert_classifier.builder import build_dataset, build_label_mapper
from bert_classifier.data.examples import Examples, read_examples
from bert_classifier.encoding.token_file import encode_to_file
from bert_classifier.errors import UserError
from bert_classifier.evaluation.calibration import Temperature
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.result import EvaluationResult
from bert_classifier.label_mapper import class_names, positive_index
from bert_classifier.modeling.gpus import count_gpus, require_kernels
from bert_classifier.modeling.inference import compute_logits, plan_inference
from bert_classifier.modeling.packed import packed_or_padded

logger = logging.getLogger(__name__)

_MOST_TOKENS = 4096  # per forward pass, padding included


def read_labelled(path: Path, labels: Sequence[str]) -> tuple[Examples, int | None]:
    """Read a labelled file as training does, with the class indices of an artifact.

    Args:
        labels: the artifact's labels.
    Returns:
        the examples, and the index of the positive class if the label mapper has one.
    Raises:
        UserError: when the file is missing, a row is invalid, or its labels are not the artifact's.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}.", "Name a CSV or JSON Lines file with labels and texts.")
    dataset = build_dataset([path])
    mapper = build_label_mapper(labels, dataset)
    if list(class_names(mapper)) != list(labels):
        raise UserError(
            f"The classes of builder.py are not those of the model: {', '.join(labels[:10])}.",
            "Use the builder.py that the model was trained with.",
        )
    return read_examples(dataset, mapper, path.name), positive_index(mapper)


def _device() -> torch.device:
    if not count_gpus():
        return torch.device("cpu")
    require_kernels(0)
    return torch.device("cuda")


def logits_for(artifact: Artifact, texts: Sequence[str]) -> np.ndarray:
    """Return the logits of n texts, float32 (n, classes), computed on a GPU if there is one."""
    device = _device()
    model = artifact.model.to(device)  # type: ignore[arg-type]
    # The memory-mapped file remains readable after its folder is removed.
    with tempfile.TemporaryDirectory(prefix="tokens-") as folder:
        encoded = encode_to_file(artifact.encoder, texts, Path(folder) / "ids", lambda _: None)
    forward = packed_or_padded(model, artifact.encoder.pad_id, device, "fp32", encoded)
    micro_batches = plan_inference(forward, encoded, _MOST_TOKENS)
    return compute_logits(forward, encoded, micro_batches, len(artifact.labels))


def evaluate_artifact(
    artifact: Artifact, examples: Examples, name: str, labels: Sequence[str]
) -> EvaluationResult:
    """Evaluate an artifact on labelled texts as it would be served.

    Args:
        name: name of the texts, in place of a channel's.
        labels: class order of `examples`; the artifact may have another.
    """
    order = [artifact.labels.index(label) for label in labels]
    result = Evaluation(logits_for(artifact, examples.texts)[:, order], examples.targets)
    return EvaluationResult({name: result}, Temperature(artifact.temperature), artifact.abstain_below)
