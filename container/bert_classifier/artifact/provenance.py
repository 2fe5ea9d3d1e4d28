"""The origin of an encoder, as far as its files and transformers know it."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import transformers

from bert_classifier.job.json_files import read_object
from bert_classifier.modeling.heads import loaded_head
from bert_classifier.modeling.hub import commit_of
from bert_classifier.modeling.mean_layer import HAS_MEAN_LAYER, mean_layer_parameters

# A hub name; anything else is a path on somebody's machine.
_NAME = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)?")


def describe_encoder(
    source: str, model: transformers.PreTrainedModel, *, is_channel: bool, revision: str = ""
) -> dict[str, Any]:
    """Describe a pretrained encoder in JSON values, None for what is unknown.

    Args:
        source: a folder, or a name on the model hub.
        model: the model loaded from it.
        is_channel: whether the folder is the job's model channel.
        revision: branch, tag or commit of a name on the model hub; "" for its default branch.
    Returns:
        source: "model channel", "folder" or "model hub"; name: on the hub; name_in_config: the name in a
        folder's config.json, its own or its base model's; commit: of the hub; model_type; config_sha256 of the folder's
        config.json; weight_bytes of its safetensors files; parameters of the encoder, without the head and the
        layer that pooling=mean adds; has_mean_layer: whether the model has that layer; head: what became of the
        checkpoint's own classification head, see LoadedHead.
    """
    folder, head = Path(source), loaded_head(model)
    known = {
        "source": "model channel" if is_channel else "folder" if folder.is_dir() else "model hub",
        "name": None if folder.is_dir() else source,
        "name_in_config": None,
        "commit": commit_of(source, revision),
        "model_type": model.config.model_type,
        "config_sha256": None,
        "weight_bytes": None,
        "parameters": sum(p.numel() for p in model.base_model.parameters()) - mean_layer_parameters(model),
        "has_mean_layer": bool(getattr(model.config, HAS_MEAN_LAYER, False)),
        "head": head.became if head.labels else None,
    }
    return {**known, **_files(folder)} if folder.is_dir() else known


def _files(folder: Path) -> dict[str, Any]:
    config = folder / "config.json"
    name = str(read_object(config, "Copy the checkpoint again.").get("_name_or_path") or "")
    return {
        "name_in_config": name if _NAME.fullmatch(name) else None,
        "config_sha256": hashlib.sha256(config.read_bytes()).hexdigest(),
        "weight_bytes": sum(path.stat().st_size for path in folder.glob("*.safetensors")),
    }


def true_settings(settings: Mapping[str, Any], encoder: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyperparameters, with model_name None if a model channel was used instead."""
    return {**settings, **({"model_name": None} if encoder["source"] == "model channel" else {})}


def encoder_facts(encoder: Mapping[str, Any]) -> dict[str, str]:
    """Return the known facts from describe_encoder, for display."""
    own = encoder["name_in_config"]
    facts = {
        "encoder": encoder["name"] or f"from the {encoder['source']}",
        "its config.json names": own,
        "commit": encoder["commit"],
        "type": encoder["model_type"],
        "parameters": f"{encoder['parameters'] / 1e6:.1f} million, without the head{_one_more(encoder)}",
        "weights": encoder["weight_bytes"] and f"{encoder['weight_bytes'] / 1e6:.1f} MB",
        "SHA-256 of config.json": encoder["config_sha256"],
    }
    return {name: value for name, value in facts.items() if value}


def encoder_name(encoder: Mapping[str, Any]) -> str:
    """Return the best name that is known of an encoder, with its size."""
    own = encoder["name"] or encoder["name_in_config"]
    source = f"from the {encoder['source']}"
    size = f"{encoder['parameters'] / 1e6:.1f} million parameters{_one_more(encoder)}"
    return f"{own} ({source}, {size})" if own else f"{encoder['model_type']} {source} ({size})"


def _one_more(encoder: Mapping[str, Any]) -> str:
    return (
        ", and one more layer" if encoder.get("has_mean_layer") else ""
    )  # earlier versions did not record it


def encoder_line(encoder: Mapping[str, Any]) -> str:
    """Return encoder_facts in one line."""
    name, *rest = (f"{name} {value}" for name, value in encoder_facts(encoder).items())
    return f"{name} ({', '.join(rest)})"
