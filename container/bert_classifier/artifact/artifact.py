"""A trained classifier as a folder: written atomically, verified when loaded."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import transformers
from safetensors import SafetensorError

from bert_classifier.artifact.contents import (
    RETRAIN,
    TRAINING_INFO,
    WITHOUT_WINDOWS,
    Artifact,
    Contents,
    read_contents,
)
from bert_classifier.artifact.manifest import put_files
from bert_classifier.artifact.model_card import MODEL_CARD, model_card
from bert_classifier.artifact.profile import BASELINE, Profile, write_profile
from bert_classifier.artifact.saved_tokenizer import save_tokenizer
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.errors import PlatformError, UserError, remedy_for
from bert_classifier.job.encoder_folder import check_length
from bert_classifier.job.json_files import write_json
from bert_classifier.modeling.model_folder import check_config
from bert_classifier.modeling.positions import positions_of_model
from bert_classifier.modeling.pretrained import incomplete_keys, load_config, load_model
from bert_classifier.modeling.probes import probe_facts


def save_artifact(
    folder: Path,
    model: transformers.PreTrainedModel,
    tokenizer: Any,
    labels: Sequence[str],
    info: Mapping[str, Any],
    baseline: Profile | None = None,
) -> None:
    """Write a trained classifier atomically.

    Args:
        info: the content of training.json; its CUT_SETTINGS apply to served texts too.
        baseline: of the validation texts, with which later ones are compared; None without validation.
    Raises:
        PlatformError: when it cannot be written; `folder` then holds no artifact, or the old one intact.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="artifact-") as scratch:
            staged = Path(scratch)
            model.save_pretrained(staged, safe_serialization=True)
            pad_id = tokenizer.pad_token_id
            fields = {**WITHOUT_WINDOWS, **info, "labels": list(labels), "pad_token_id": pad_id}
            has_types = fields.get("has_token_types")
            save_tokenizer(staged, tokenizer, model, fields["max_seq_length"], has_token_types=has_types)
            encoder = TextEncoder.from_settings(tokenizer.backend_tokenizer, pad_id, fields)
            fields["probes"] = probe_facts(model, encoder)
            write_json(staged / TRAINING_INFO, fields)
            if baseline is not None:
                write_profile(staged / BASELINE, baseline)
            (staged / MODEL_CARD).write_text(model_card(fields), encoding="utf-8")
            put_files(staged, folder)
    except (OSError, SafetensorError) as error:
        raise PlatformError(
            f"The model cannot be written to {folder}: {error}.",
            remedy_for(error) or "Give the job a larger volume (volume_size), and mount the folder writable.",
        ) from error


def load_artifact(folder: Path) -> Artifact:
    """Load the classifier that save_artifact wrote.

    Raises:
        UserError: when the folder is not an artifact, or has been altered.
    """
    return load_classifier(read_contents(folder))


def load_classifier(contents: Contents) -> Artifact:
    """Return the classifier of an artifact with transformers' model.

    Raises:
        UserError: when the model does not fit what the artifact says.
    """
    folder, info = contents.folder, contents.info
    config = load_config(str(folder))
    highest_id = max(contents.tokenizer.get_vocab().values())
    check_config(config, str(folder), highest_id)
    model, report = load_model(str(folder), config)
    if gaps := incomplete_keys(report):
        raise UserError(f"{folder}: model.safetensors does not fit config.json at {gaps[0]}.", RETRAIN)
    check_length(positions_of_model(model), str(folder), info["max_seq_length"])
    return contents.with_model(model.eval())
