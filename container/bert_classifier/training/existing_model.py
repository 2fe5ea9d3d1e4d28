"""The complete model that lies in the model folder when a run is told to stop on its way: it stays.

On SageMaker the folder is empty when a job starts; on a laptop an earlier start, or another run, may have filled it.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bert_classifier.artifact.artifact import ARTIFACT_FILES, TRAINING_INFO
from bert_classifier.artifact.manifest import verify
from bert_classifier.errors import ContainerError
from bert_classifier.job.json_files import read_object

logger = logging.getLogger(__name__)

_SETTINGS = ("abstain_below", "target_accuracy")  # which change the artifact, but not the run


def keep_existing_model(folder: Path, info: Mapping[str, Any]) -> bool:
    """Say whether a folder holds a complete model, which less must not replace, and log why it stays.

    Args:
        info: what training.json would say of the model so far.
    """
    standing = _complete_model(folder)
    if standing is None:
        return False
    if _essence(standing) == _essence(info):
        logger.info("the model in %s is complete, and this run's: it stays as it is", folder)
        return True
    run = standing.get("run_fingerprint")
    whose = "this run with other settings" if run == info["run_fingerprint"] else "another run"
    logger.warning(
        "the model in %s stays: it is complete, of %s; what this run has learnt so far, that of step %d, is not"
        " exported. Start the job again to complete it, or empty the folder first if a stop shall leave that model",
        folder,
        whose if run else "a run that it does not name",
        info["kept_step"],
    )
    return True


def _complete_model(folder: Path) -> dict[str, Any] | None:
    """Return what training.json says of the model in a folder; None where there is none, or not a whole one."""
    try:
        verify(folder, ARTIFACT_FILES)
        told = read_object(folder / TRAINING_INFO, "")
    except ContainerError:
        return None
    # A version that knew no better called a model without scores complete, too.
    return told if told.get("is_complete", True) and told.get("metrics") else None


def _essence(info: Mapping[str, Any]) -> list[Any]:
    """Return what two artifacts agree in that are the same."""
    settings = info.get("hyperparameters", {})
    return [info.get("run_fingerprint"), info.get("kept_step"), *(settings.get(name) for name in _SETTINGS)]
