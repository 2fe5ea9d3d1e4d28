"""Evaluate a trained artifact on a labelled file."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from bert_classifier.artifact.contents import Artifact
from bert_classifier.data.examples import Examples
from bert_classifier.encoding.token_file import encode_to_file
from bert_classifier.evaluation.assessment import AnyResult
from bert_classifier.evaluation.calibration import Temperature
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation
from bert_classifier.evaluation.multi_label.result import MultiLabelResult
from bert_classifier.evaluation.multi_label.thresholds import trained_thresholds
from bert_classifier.evaluation.result import EvaluationResult
from bert_classifier.job.task import Task
from bert_classifier.modeling.equal_lengths import padded_or_by_length
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.gpus import count_gpus, require_kernels
from bert_classifier.modeling.inference import compute_logits, plan_inference
from bert_classifier.modeling.packed import packed_or_padded

_MOST_TOKENS = 4096  # per forward pass, padding included


def device_for_inference() -> torch.device:
    """Return the GPU, if there is one that has the kernels, or else the CPU."""
    if not count_gpus():
        return torch.device("cpu")
    require_kernels(0)
    return torch.device("cuda")


def logits_for(artifact: Artifact, texts: Sequence[str], *, are_alike: bool = False) -> np.ndarray:
    """Return the logits of n texts, float32 (n, classes), computed on a GPU if there is one.

    Args:
        are_alike: whether they are about as long, so that padding costs less than to look for a way without, unless it
            changes the scores.
    """
    device = device_for_inference()
    model = artifact.model.to(device)
    # The memory-mapped file remains readable after its folder is removed.
    with tempfile.TemporaryDirectory(prefix="tokens-") as folder:
        encoded = encode_to_file(artifact.encoder, texts, Path(folder) / "ids", lambda _: None)
    pad_id = artifact.encoder.pad_id
    forward = (
        padded_or_by_length(Forward(model, pad_id, device, "fp32"), encoded)
        if are_alike
        else packed_or_padded(model, pad_id, device, "fp32", encoded)
    )
    micro_batches = plan_inference(forward, encoded, _MOST_TOKENS)
    return compute_logits(forward, encoded, micro_batches, len(artifact.labels))


def evaluate_artifact(artifact: Artifact, examples: Examples, name: str, labels: Sequence[str]) -> AnyResult:
    """Evaluate an artifact on labelled texts as it would be served.

    Args:
        name: name of the texts, in place of a channel's.
        labels: class order of `examples`; the artifact may have another.
    """
    index_of = {label: index for index, label in enumerate(artifact.labels)}
    order = [index_of[label] for label in labels]
    logits, temperature = logits_for(artifact, examples.texts)[:, order], Temperature(artifact.temperature)
    if artifact.task is Task.MULTI:
        of_labels = MultiLabelEvaluation(logits, examples.targets)
        chosen = trained_thresholds(artifact.thresholds[order])
        return MultiLabelResult({name: of_labels}, labels, temperature, chosen)
    result = Evaluation(logits, examples.targets)
    return EvaluationResult({name: result}, temperature, artifact.abstain_below)
