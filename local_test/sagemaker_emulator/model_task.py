"""What a model answers: one label per text or any number; by what the server or its model's files say."""

import json
from pathlib import Path

from sagemaker_emulator.client import Server
from sagemaker_emulator.client_judgements import json_of

_PROBLEM_TYPES = {"multi_label_classification": True, "single_label_classification": False}  # of transformers
_TASKS = {"multi": True, "single": False}  # of this project's GET /model


def gives_several_labels(server: Server, model: Path | None) -> bool | None:
    """Return whether a text may have any number of labels; None where nobody says, so that answers must show it.

    Args:
        model: its folder, whose `config.json` tells where the server has no `GET /model`.
    """
    said = json_of(server.ask("GET", "/model"))
    task = _TASKS.get(str(said.get("task"))) if isinstance(said, dict) else None
    return _of_config(model) if task is None else task


def _of_config(model: Path | None) -> bool | None:
    try:
        config = json.loads((model / "config.json").read_bytes()) if model else None
    except (OSError, ValueError):
        return None
    return _PROBLEM_TYPES.get(str(config.get("problem_type"))) if isinstance(config, dict) else None
