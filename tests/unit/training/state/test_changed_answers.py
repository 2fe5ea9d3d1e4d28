"""A finished run that is started again with other settings of its answers says which they are."""

from pathlib import Path
from typing import Any

import pytest

from bert_classifier.job.environment import Environment
from bert_classifier.training.state.manager import CheckpointManager
from support.toy_trainer import make_trainer

SETTINGS: dict[str, Any] = {"rows": 12, "global_batch_size": 8, "num_train_epochs": 1, "learning_rate": 1e-3}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"learning_rate": 1e-3}, ""),
        (
            {"label_threshold": 0.3},
            "label_threshold was auto in training, now 0.3: the weights are unchanged",
        ),
        (
            {"abstain_below": 0.0, "target_accuracy": 0.95, "target_precision": 0.9},
            "abstain_below was 0.75 in training, now 0; target_accuracy was 0 in training, now 0.95;"
            " target_precision was 0 in training, now 0.9: the weights are unchanged",
        ),
    ],
)
def test_a_finished_run_names_the_settings_that_changed(
    tmp_path: Path,
    ml_root: Path,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, float],
    said: str,
) -> None:
    """Those that only decide how scores are answered; the run is exported again, and nothing else is said."""
    environment = Environment.read(ml_root, {})
    environment.prepare_outputs()
    (ml_root / "checkpoints").mkdir(exist_ok=True)
    first = make_trainer(tmp_path, **SETTINGS, abstain_below=0.75)
    manager = CheckpointManager(environment, first, {"run": 1}, 1)
    manager.fit()
    caplog.set_level("INFO")
    CheckpointManager(
        environment,
        make_trainer(tmp_path, **{**SETTINGS, "abstain_below": 0.75, **changes}),
        {"run": 1},
        1,
    )
    _, _, after = caplog.text.partition("re-exporting the model")
    assert after
    assert (said in after) if said else ("unchanged" not in after)
