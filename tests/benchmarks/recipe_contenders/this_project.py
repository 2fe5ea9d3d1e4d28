"""This project's `train` on a task: a job as `make train-local` starts it, from CSV files to the exported model.

A setting is any hyperparameter, or one of these:

    held_out   use no validation texts; the job holds out a tenth of the training rows, as it does by default
    steps      about so many optimizer steps, and at least 3 epochs
"""

import csv
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bert_classifier.training import worker  # noqa: F401 - what it imports is not measured
from bert_classifier.training.launch import main as train
from bert_classifier.training.recipe import automatic_batch_size
from support.recipe_task import Row, Stopwatch, Task

_LEAST_EPOCHS = 3


def main() -> None:
    """Train and test."""
    task = Task.given()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lay_out(root, task)
        stopwatch = Stopwatch()
        code = train({"ML_ROOT": str(root)})
        if code:
            raise SystemExit(code)
        info = json.loads((root / "model" / "training.json").read_text(encoding="utf-8"))
    chosen = {name: info["hyperparameters"][name] for name in info["automatic_hyperparameters"]}
    stopwatch.answer(
        info["metrics"]["test"]["accuracy"], steps=info["steps"], kept_step=info["kept_step"], chosen=chosen
    )


def lay_out(root: Path, task: Task) -> None:
    """Write what SageMaker would: channels and hyperparameters."""
    data, config = root / "input" / "data", root / "input" / "config"
    config.mkdir(parents=True)
    _write_channel(data / "train", task.train)
    _write_channel(data / "test", task.test)
    if not task.setting.get("held_out"):
        _write_channel(data / "validation", task.validation)
    (data / "model").symlink_to(Path(task.encoder).resolve())
    settings = {name: str(value) for name, value in hyperparameters(task).items()}
    (config / "hyperparameters.json").write_text(json.dumps(settings), encoding="utf-8")


def hyperparameters(task: Task) -> dict[str, Any]:
    """Return the settings of the job, with the epochs that give the steps wished for."""
    own = {"held_out", "steps"}
    settings = {name: value for name, value in task.setting.items() if name not in own}
    if "steps" in task.setting:
        rows = len(task.train)
        batch = min(rows, settings.get("global_batch_size") or automatic_batch_size(rows))
        settings["num_train_epochs"] = max(_LEAST_EPOCHS, round(task.setting["steps"] * batch / rows))
    return {"seed": task.seed, **settings}


def _write_channel(folder: Path, rows: Sequence[Row]) -> None:
    folder.mkdir(parents=True)
    with (folder / "texts.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("label", "text"), *rows])


if __name__ == "__main__":
    main()
