"""Keep a complete model that is already in the model folder when a run is stopped.

On SageMaker the folder is empty when a job starts; on a laptop it may hold the model of an earlier attempt or run.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bert_classifier.artifact.contents import ARTIFACT_FILES, TRAINING_INFO
from bert_classifier.artifact.manifest import verify
from bert_classifier.errors import ContainerError
from bert_classifier.job.json_files import read_object

logger = logging.getLogger(__name__)

# They change the artifact but not the run.
_SETTINGS = (
    "abstain_below", "target_accuracy", "label_threshold", "target_precision", "page_examples", "seeds",
    "cross_validation",
)  # fmt: skip


def keep_existing_model(folder: Path, info: Mapping[str, Any]) -> bool:
    """Return whether a folder holds a complete model, which must not be replaced; log why.

    Args:
        info: training.json of this run's model so far.
    """
    existing = _complete_model(folder)
    if existing is None:
        return False
    if _artifact_key(existing) == _artifact_key(info):
        logger.info("keeping the model in %s: it is complete, and of this run", folder)
        return True
    run = existing.get("run_fingerprint")
    whose = "this run with other settings" if run == info["run_fingerprint"] else "another run"
    logger.warning(
        "keeping the model in %s: it is complete, of %s. This run's model so far (step %d) is not exported. Start the"
        " job again to complete it; empty the folder first if the next stop should export the model so far",
        folder,
        whose if run else "an unknown run",
        info["kept_step"],
    )
    return True


def _complete_model(folder: Path) -> dict[str, Any] | None:
    """Return training.json of the model in a folder; None if there is no complete model."""
    try:
        verify(folder, ARTIFACT_FILES)
        info = read_object(folder / TRAINING_INFO, "")
    except ContainerError:
        return None
    # Early versions marked even a model without scores as complete.
    return info if info.get("is_complete", True) and info.get("metrics") else None


def _artifact_key(info: Mapping[str, Any]) -> list[Any]:
    """Return what identifies the artifact of a run."""
    settings = info.get("hyperparameters", {})
    return [info.get("run_fingerprint"), info.get("kept_step"), *(settings.get(name) for name in _SETTINGS)]
