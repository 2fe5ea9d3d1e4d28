"""A tiny served model: what `train` would leave behind, in a second and untrained."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.encoders import make_encoder
from support.fakes import ARCHITECTURES, CLASS_NAMES, make_pretrained

MAX_LENGTH = 32
OF_PAIRS: dict[str, Any] = {"is_paired": True, "pair_truncation": "longest_first", "has_token_types": True}


def make_artifact(
    folder: Path,
    *,
    classes: int = 3,
    names: Sequence[str] = CLASS_NAMES,
    temperature: float = 1.5,
    hidden: int = 32,
    architecture: str = "bert",
    **more: Any,
) -> Path:
    """Save a random classifier over the first names that reads MAX_LENGTH tokens; return the folder.

    Args:
        hidden: size of the encoder's hidden vectors.
        architecture: of the encoder, one of fakes.ARCHITECTURES, or of encoders.FAMILIES in its own size.
        more: fields of training.json; with task="multi" a text may have several labels.
    """
    import torch

    from bert_classifier.artifact.artifact import save_artifact
    from bert_classifier.job.task import Task
    from bert_classifier.modeling.pretrained import load_pretrained, quiet_transformers
    from bert_classifier.modeling.tokenizer import load_tokenizer

    quiet_transformers()
    source = folder.with_name(f"{folder.name}-pretrained")
    if architecture in ARCHITECTURES:
        make_pretrained(source, architecture, hidden=hidden)
    else:
        make_encoder(source, architecture)
    tokenizer = load_tokenizer(str(source))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        task = Task(more.get("task", Task.SINGLE))
        model = load_pretrained(str(source), names[:classes], tokenizer, MAX_LENGTH, task=task)
    info = {"max_seq_length": MAX_LENGTH, "truncation": "head", "temperature": temperature, **more}
    save_artifact(folder, model, tokenizer, names[:classes], info)
    return folder


def reordered(source: Path, folder: Path, order: Sequence[int], **more: object) -> Path:
    """Save the classifier of a folder with its classes, and what it answers, in another order; return the new folder.

    Args:
        more: fields of training.json that differ.
    """
    import torch
    from transformers import AutoTokenizer

    from bert_classifier.artifact.artifact import load_artifact, save_artifact

    artifact = load_artifact(source)
    labels = [artifact.labels[index] for index in order]
    model = artifact.model
    model.config.id2label = dict(enumerate(labels))
    model.config.label2id = {label: index for index, label in enumerate(labels)}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("classifier.") and len(parameter) == len(order):
                parameter.copy_(parameter[list(order)].clone())
    save_artifact(folder, model, AutoTokenizer.from_pretrained(source), labels, {**artifact.info, **more})
    return folder
