"""What a job leaves when it ends at any moment says what it is, and the next start on that disk completes it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.artifact.manifest import put_files
from bert_classifier.errors import UserError
from bert_classifier.evaluation.outputs import OUTPUTS
from support.fakes import make_ml_root
from support.forked_jobs import train_forked
from support.patience import PATIENCE_S
from support.train_process import CONTAINER, train_in_process
from support.weights import digest_of_weights

MOMENTS = Path(__file__).parents[1] / "support" / "faulty_moment"
# 12 steps an epoch; 48 texts in validation and test are enough to calibrate on.
SETTINGS = {
    "num_train_epochs": "10",
    "logging_steps": "1",
    "checkpoint_interval_seconds": "1",
    "target_accuracy": "0.9",
}
STEPS = 120


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a toy job; its input is shared by all roots of this module."""
    return make_ml_root(tmp_path_factory.mktemp("job") / "ml", hyperparameters=SETTINGS, rows=96)


@pytest.fixture(scope="module")
def undisturbed(job: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what the job leaves when nothing happens."""
    root = root_of(job, tmp_path_factory.mktemp("undisturbed"))
    assert train_forked(root).code == 0
    return root


def root_of(job: Path, folder: Path) -> Path:
    """Return an /opt/ml of its own for the job."""
    root = folder / "ml"
    (root / "checkpoints").mkdir(parents=True)
    (root / "input").symlink_to(job / "input")
    return root


def info_of(root: Path) -> dict[str, Any] | None:
    """Return what training.json of the model says; None where the folder is refused as no model."""
    try:
        return load_artifact(root / "model").info
    except UserError:
        return None


EVALUATED, EXPORTED, REPORTED = f"checkpoint at step {STEPS}:", "ml/model/model.safetensors", "per_class.csv"
ON_THE_WAY = "step=100 total_steps"


@pytest.mark.parametrize(
    ("moment", "number", "code", "is_complete"),
    [
        (ON_THE_WAY, signal.SIGTERM, 143, False),
        (ON_THE_WAY, signal.SIGKILL, -9, None),
        pytest.param(EVALUATED, signal.SIGTERM, 143, False, marks=pytest.mark.slow),
        pytest.param(EXPORTED, signal.SIGTERM, 0, True, marks=pytest.mark.slow),
        (EXPORTED, signal.SIGKILL, -9, None),
        pytest.param(REPORTED, signal.SIGTERM, 0, True, marks=pytest.mark.slow),
        pytest.param(REPORTED, signal.SIGKILL, -9, True, marks=pytest.mark.slow),
    ],
)
def test_whenever_it_ends_the_next_start_completes_it(
    job: Path,
    undisturbed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    moment: str,
    number: signal.Signals,
    code: int,
    is_complete: bool | None,
) -> None:
    """On the way, in the final evaluation, in the export, in the reports; by a stop or by a kill."""
    root = root_of(job, tmp_path)
    first = train_forked(root, signal_at=moment, number=number)
    assert first.code == code, first.log
    assert first.failure == ""
    info = info_of(root)
    assert (info and info["is_complete"]) == is_complete
    if info is not None:
        # Calibrated on the validation scores that were known, with the threshold that target_accuracy asks for.
        assert info["temperature"] != 1
        assert info["abstain_below"] == info["guarantee"]["threshold"] > 0
        assert set(info["metrics"]) == ({"validation", "test"} if is_complete else {"validation"})
    second = train_in_process(root, capsys)
    assert second.code == 0, second.log
    assert ("resuming from step" if moment == ON_THE_WAY else "re-exporting the model") in second.log
    assert_complete(root, undisturbed)


def assert_complete(root: Path, undisturbed: Path) -> None:
    """The root holds the model and all reports of the run that was not disturbed, and nothing half written."""
    ours, theirs = info_of(root), info_of(undisturbed)
    assert ours is not None
    assert theirs is not None
    for field in ("is_complete", "steps", "best_step", "temperature", "abstain_below", "metrics"):
        assert ours[field] == theirs[field], field
    assert digest_of_weights(root / "model") == digest_of_weights(undisturbed / "model")
    for folder in ("model", "output/data"):
        assert {p.name for p in (root / folder).iterdir()} == {
            p.name for p in (undisturbed / folder).iterdir()
        }
    assert {path.name for path in (root / "output" / "data").iterdir()} >= set(OUTPUTS)


@pytest.mark.slow
def test_reports_of_an_earlier_model_do_not_stand_beside_a_stopped_one(
    job: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """A root with an earlier stop's results gets another model that was stopped: the reports are not about it."""
    root = root_of(job, tmp_path)
    shutil.copytree(undisturbed / "output", root / "output")
    staged = shutil.copytree(undisturbed / "model", tmp_path / "staged")
    (staged / "manifest.json").unlink()
    (staged / "vocab.txt").write_text("an earlier tokenizer's")
    info = json.loads((staged / "training.json").read_text())
    (staged / "training.json").write_text(json.dumps({**info, "is_complete": False}))
    put_files(staged, root / "model")
    assert train_forked(root, signal_at=ON_THE_WAY, number=signal.SIGTERM).code == 143
    assert {path.name for path in (root / "output" / "data").iterdir()} == {"data_report.json"}
    assert not (root / "model" / "vocab.txt").exists()
    assert json.loads((root / "model" / "training.json").read_text())["is_complete"] is False


@pytest.mark.slow
def test_a_stop_takes_nothing_that_was_known(job: Path, undisturbed: Path, tmp_path: Path) -> None:
    """Neither a second stop of an unfinished run, nor one while a finished one is judged again on a used volume."""
    root = root_of(job, tmp_path)
    first, second, third = (
        (train_forked(root, signal_at=moment, number=signal.SIGTERM), info_of(root))
        for moment in (ON_THE_WAY, "step=101 total_steps", EVALUATED)
    )
    for outcome, info in (first, second, third):
        assert outcome.code == 143, outcome.log
        assert info is not None
        assert info["is_complete"] is False
        assert set(info["metrics"]) == {"validation"}
    assert [info and info["steps"] for _, info in (first, second, third)] == [100, 101, STEPS]
    for field in ("kept_step", "temperature", "abstain_below", "metrics"):
        assert (first[1] or {})[field] == (second[1] or {})[field], field
    assert train_forked(root).code == 0
    assert_complete(root, undisturbed)
    before = contents_of(root)
    again = train_forked(root, signal_at="re-exporting the model", number=signal.SIGTERM)
    assert again.code == 143, again.log
    assert "it is complete, and of this run" in again.log
    assert contents_of(root) == before


@pytest.mark.slow
def test_a_stop_does_not_replace_another_runs_complete_model(
    job: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """With another seed in the same folder: the whole model is worth more; the checkpoint is kept."""
    root = tmp_path / "ml"
    shutil.copytree(undisturbed, root, symlinks=True)
    (root / "input").unlink()
    shutil.copytree(job / "input", root / "input")
    described = root / "input" / "config" / "hyperparameters.json"
    described.write_text(json.dumps({**json.loads(described.read_text()), "seed": "8"}))
    before = contents_of(root)
    outcome = train_forked(root, signal_at="step=1 total_steps", number=signal.SIGTERM)
    assert outcome.code == 143, outcome.log
    assert "it is complete, of another run. This run's model so far" in outcome.log
    assert contents_of(root) == before
    assert len(list((root / "checkpoints").glob("checkpoint-*-000000001.safetensors"))) == 1


def contents_of(root: Path) -> dict[str, bytes]:
    """Return the model and the reports, byte for byte."""
    folders = (root / "model", root / "output" / "data")
    return {str(path): path.read_bytes() for folder in folders for path in sorted(folder.iterdir())}


def may_mount() -> bool:
    """Say whether this user may make a volume of its own."""
    probe = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return (
        shutil.which("unshare") is not None
        and not subprocess.run(probe, capture_output=True, check=False).returncode
    )


@pytest.mark.slow
@pytest.mark.skipif(not may_mount(), reason="this user may not mount a volume (unshare)")
def test_a_second_start_on_a_volume_for_five_checkpoints_goes_on(job: Path, tmp_path: Path) -> None:
    """Stopped with three checkpoints there, the run needs room for one more, not for four."""
    root = root_of(job, tmp_path)
    weights = (job / "input" / "data" / "model" / "model.safetensors").stat().st_size
    script = f"""
        mount -t tmpfs -o size={5 * 4 * weights} tmpfs {root}/checkpoints
        SIGNAL_AT='{ON_THE_WAY}' SIGNAL_NUMBER=15 {sys.executable} {CONTAINER}/train; echo first $?
        ls {root}/checkpoints
        {sys.executable} {CONTAINER}/train; echo second $?
    """
    path = os.pathsep.join((str(CONTAINER), str(MOMENTS)))
    environ = {**os.environ, "ML_ROOT": str(root), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert "first 143" in ended.stdout, ended.stdout + ended.stderr
    assert ended.stdout.count(".safetensors\n") == 3, ended.stdout
    assert "second 0" in ended.stdout, ended.stdout + ended.stderr
    assert "resuming from step 100" in ended.stdout + ended.stderr
