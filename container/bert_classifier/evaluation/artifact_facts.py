"""What the pages of `evaluate` and `compare` say of the models and the data."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from bert_classifier.artifact.contents import Artifact
from bert_classifier.artifact.provenance import encoder_facts, encoder_name
from bert_classifier.evaluation.report.context import ABOUT
from bert_classifier.job.wording import counted, moment_text

_KNOWN = ("max_seq_length", "truncation", "precision", "steps", "best_step", "kept_step", "is_complete")


def artifact_facts(artifact: Artifact, name: str, texts: str) -> dict[str, Mapping[str, Any]]:
    """Return the groups of facts about an artifact evaluated on `texts`, in the order of the report."""
    data = artifact.info.get("data", {})
    model = {
        "folder": name,
        "classes": len(artifact.labels),
        "temperature": artifact.temperature,
        "abstains below": artifact.abstain_below,
        **{key: artifact.info[key] for key in _KNOWN if key in artifact.info},
        **{key: data[key] for key in ("train_texts", "train_sha256") if key in data},
    }
    # Artifacts of early versions did not record their encoder.
    encoder = {"Encoder": encoder_facts(artifact.info["encoder"])} if "encoder" in artifact.info else {}
    about = {"model": name, **_training(artifact), **evaluated_on(texts)}
    return {ABOUT: about, "Model": model, **encoder, "Versions": artifact.info.get("versions", {})}


def about_both(names: Sequence[str], artifacts: Sequence[Artifact], texts: str) -> dict[str, str]:
    """Return what the head of a comparison says of two models and their texts."""
    models = {
        which: "; ".join([name, *_training(artifact).values()])
        for which, name, artifact in zip(("first model", "second model"), names, artifacts, strict=True)
    }
    return {**models, **evaluated_on(texts)}


def evaluated_on(texts: str) -> dict[str, str]:
    """Return the texts and the time."""
    return {"texts": texts, "evaluated": moment_text(datetime.datetime.now(datetime.UTC))}


def _training(artifact: Artifact) -> dict[str, str]:
    """Return encoder, data and time of a model's training, as far as its artifact has recorded them."""
    info = artifact.info
    encoder, lives = info.get("encoder"), info.get("lives") or [{}]
    count = info.get("data", {}).get("train_texts")
    classes = counted(len(artifact.labels), "class", "classes")
    began = lives[0].get("began", "")
    facts = {
        "encoder": encoder_name(encoder) if encoder else "",
        "trained on": f"{counted(count, 'text')} of {classes}" if count else classes,
        "trained": moment_text(datetime.datetime.fromisoformat(began)) if began else "",
    }
    return {name: value for name, value in facts.items() if value}
