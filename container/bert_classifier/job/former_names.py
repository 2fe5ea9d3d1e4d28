"""Hyperparameters under the names of earlier versions and of the older sample. Standard library only."""

import logging
from collections.abc import Mapping

from bert_classifier.job.settings import shown

logger = logging.getLogger(__name__)

# Former names and those of the older sample, so that existing job definitions keep working.
ALIASES = {
    "gradient_shards": "num_gradient_groups",
    "epochs": "num_train_epochs",
    "batch": "global_batch_size",
    "lr": "learning_rate",
    "maxseqlen": "max_seq_length",
    "gradaccumulation": "gradient_accumulation_steps",
    "finetune": "freeze_encoder",
    "earlystoppingpatience": "early_stopping_patience",
    "trainfile": "train_file",
    "valfile": "validation_file",
    "classfile": "class_file",
}
# Hyperparameters that are accepted and have no effect, and why.
IGNORED = {
    "checkpointfreq": "checkpoints are saved by time, not by epochs",
    "log-level": "the log has one level",
    "compile": "torch.compile is not used, since it was never measured to help",
}
_FOREIGN_PREFIXES = ("sagemaker_", "_tuning_")  # added by the SDK and by tuning jobs


def translated(raw: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
    """Return the hyperparameters under their current names, and a sentence for each name given twice."""
    own: dict[str, object] = {}
    mistakes: list[str] = []
    used: list[str] = []
    for name, value in raw.items():
        if name.startswith(_FOREIGN_PREFIXES):
            continue
        if name in IGNORED:
            logger.warning("%s=%s is ignored: %s", name, shown(value).strip("'\""), IGNORED[name])
            continue
        current = current_name(name, raw)
        if current != name:
            used.append(f"{name} → {current}")
        if current in own:
            mistakes.append(f"hyperparameter {current} is given twice, once as an older name")
        own[current] = value
    if used:
        logger.warning("older names of hyperparameters are accepted: %s", ", ".join(used))
    return own, mistakes


def override(settings: Mapping[str, object], newer: Mapping[str, object]) -> dict[str, object]:
    """Return hyperparameters with newer ones in place of those that they replace, under a former name too."""
    raw = {**settings, **newer}
    replaced = {current_name(name, raw) for name in newer}
    kept = {name: value for name, value in settings.items() if current_name(name, raw) not in replaced}
    return {**kept, **newer}


def current_name(name: str, raw: Mapping[str, object]) -> str:
    """Return the current name of one of the hyperparameters `raw`."""
    if name == "batch" and "gradaccumulation" in raw:
        return "per_device_batch_size"  # in the sample, batch was the size of one forward pass
    return ALIASES.get(name, name)
