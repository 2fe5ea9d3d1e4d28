"""Jobs with several trainings, several seeds or cross-validation: what they leave, undisturbed and interrupted."""

import csv
import json
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.training.batching import derive_seed
from support.fakes import make_ml_root, remove_channel
from support.forked_jobs import log_of, run_job
from support.train_cluster import make_root
from support.train_process import train_in_process

ROWS = 48
GROUPS = {"num_gradient_groups": "2"}  # so that one rank and two train the same model
VARIANTS: dict[str, dict[str, str]] = {
    "seeds": {**GROUPS, "seeds": "2"},
    "folds": {**GROUPS, "cross_validation": "3"},
}
SECOND = {"seeds": "seed 2 of 2", "folds": "fold 2 of 3"}


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a toy job with a validation channel, and one without."""
    folder = tmp_path_factory.mktemp("jobs")
    seeds = make_ml_root(folder / "seeds", rows=ROWS)
    shutil.copytree(seeds, folder / "folds")
    remove_channel(folder / "folds", "validation")
    return {"seeds": seeds, "folds": folder / "folds"}


def outputs(root: Path) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of the weights, and training.json without what attempts and times change."""
    info = json.loads((root / "model" / "training.json").read_text(encoding="utf-8"))
    info.pop("lives")
    return (root / "model" / "model.safetensors").read_bytes(), info


@pytest.fixture(scope="module")
def undisturbed(jobs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the folder of each variant, trained without interruption."""
    roots = {}
    for name, settings in VARIANTS.items():
        roots[name] = make_root(jobs[name], tmp_path_factory.mktemp(name) / "ml", **settings)
        assert run_job(roots[name]) == 0, log_of(roots[name])
    return roots


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_interrupted_job_ends_as_the_undisturbed_one(
    jobs: dict[str, Path], undisturbed: dict[str, Path], tmp_path: Path, variant: str
) -> None:
    """Killed and then stopped in its second part: weights, scores, thresholds are the same; nothing is repeated."""
    root = make_root(jobs[variant], tmp_path / "ml", **VARIANTS[variant])
    assert run_job(root, signal_at=f"{SECOND[variant]}: step=5 ") == -9, log_of(root)
    stop = f"{SECOND[variant]}: step=9 "
    assert run_job(root, signal_at=stop, number=signal.SIGTERM) == 143, log_of(root)
    assert_goes_on(root, variant)
    _, info = outputs(root)
    assert info["is_complete"] is False
    # Of the training that is finished, not the one in progress.
    assert info["steps"] == info["kept_step"] == 24
    finished = info["seeds"] if variant == "seeds" else info["cross_validation"]["fold_scores"]
    assert len(finished) == 1
    assert info["metrics"]["validation"]["texts"] == (ROWS // 2 if variant == "seeds" else ROWS // 3)
    assert run_job(root) == 0, log_of(root)
    assert_goes_on(root, variant)
    assert outputs(root) == outputs(undisturbed[variant])


def assert_goes_on(root: Path, variant: str) -> None:
    """The last attempt trained, but not what the first part had done."""
    steps = [line for line in log_of(root).splitlines() if " train_loss=" in line]
    first_part = "seed 1 of 2: step=" if variant == "seeds" else " INFO step="
    assert steps
    assert not any(first_part in line or "fold 1 of 3: step=" in line for line in steps)


def test_the_best_seed_is_the_job_with_that_seed(
    jobs: dict[str, Path], undisturbed: dict[str, Path], tmp_path: Path
) -> None:
    """The exported model is, bit for bit, that of a job with its seed alone, and has the best score."""
    weights, info = outputs(undisturbed["seeds"])
    assert [each["seed"] for each in info["seeds"]] == [7, derive_seed(7, "seeds", 1) % 2**32]
    (best,) = [each for each in info["seeds"] if each["is_exported"]]
    ranked = max(info["seeds"], key=lambda each: (not each["is_collapsed"], each["score"], -each["loss"]))
    assert best == ranked
    assert best["score"] == info["metrics"]["validation"]["accuracy"]
    assert best["loss"] == pytest.approx(info["metrics"]["validation"]["loss"])
    alone = make_root(jobs["seeds"], tmp_path / "ml", **GROUPS, seed=str(best["seed"]))
    assert run_job(alone) == 0, log_of(alone)
    assert outputs(alone)[0] == weights
    assert outputs(alone)[1]["metrics"] == info["metrics"]


@pytest.mark.slow
def test_further_seeds_are_added_to_a_finished_run(
    jobs: dict[str, Path], undisturbed: dict[str, Path], tmp_path: Path
) -> None:
    """A job without seeds, started again with two in the same checkpoint folder, trains only the second."""
    root = make_root(jobs["seeds"], tmp_path / "ml", **GROUPS)
    for settings in ({}, {"seeds": "2"}):
        path = root / "input" / "config" / "hyperparameters.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
        assert run_job(root) == 0, log_of(root)
    log = log_of(root)
    assert "already finished at step 24" in log
    assert "seed 1 of 2: step=1 total" not in log
    assert outputs(root) == outputs(undisturbed["seeds"])


def exported_seed(info: Mapping[str, Any]) -> int:
    """Return the number of the seed whose model is exported, from 1."""
    return 1 + [each["is_exported"] for each in info["seeds"]].index(True)


def test_a_finished_job_stays_the_same_run_until_other_weights_are_kept(
    jobs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where a later seed is the best, and opened first; results for other weights to keep are not used."""
    root = make_root(jobs["seeds"], tmp_path / "ml", seeds="2", seed="3")
    assert train_in_process(root, capsys).code == 0
    first = outputs(root)
    assert exported_seed(first[1]) == 2, "this test needs a job whose second seed wins"
    again = train_in_process(root, capsys)
    assert again.code == 0
    assert outputs(root) == first
    assert " train_loss=" not in again.log
    path = root / "input" / "config" / "hyperparameters.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "keep_weights": "best"}))
    other = train_in_process(root, capsys)
    assert other.code == 0
    assert "seed 1 of 2: step=1 " in other.log
    assert "seed 2 of 2: step=1 " not in other.log


def test_only_the_exported_run_keeps_checkpoints(undisturbed: dict[str, Path]) -> None:
    """Every finished training leaves a small file; the folder does not grow with their number."""
    for variant, root in undisturbed.items():
        names = sorted(path.name for path in (root / "checkpoints").iterdir())
        runs = {name.split("-")[1] for name in names if name.startswith("checkpoint-")}
        results = [name for name in names if name.startswith("result-")]
        assert len(runs) == 1
        assert len(results) == {"seeds": 2, "folds": 3}[variant]
        assert all((root / "checkpoints" / name).stat().st_size < 10_000 for name in results)


def test_every_training_text_is_judged_once_and_found_again_in_its_file(undisturbed: dict[str, Path]) -> None:
    """The pooled predictions are those of `validation`; the log says by what; the last eval values are theirs."""
    root = undisturbed["folds"]
    info, log = outputs(root)[1], (root / "log").read_text()
    assert info["cross_validation"]["folds"] == 3
    assert info["cross_validation"]["texts"] == info["metrics"]["validation"]["texts"] == ROWS
    assert info["data"]["train_texts"] == ROWS
    floor = info["floor"]
    assert (floor["trained_on"], floor["validation"]["texts"], floor["test"]["texts"]) == (
        ROWS,
        ROWS,
        ROWS // 2,
    )
    assert "logistic regression on the frozen encoder" in info["headline"]
    assert info["is_complete"] is True
    assert "validation scores are by 3-fold cross-validation on 48 texts" in log
    last = [line for line in log.splitlines() if " eval_accuracy=" in line][-1]
    assert f" eval_accuracy={info['metrics']['validation']['accuracy']:.4f} " in last
    assert "fold" not in last


def test_mistakes_of_a_cross_validation_name_the_training_file(
    jobs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a test channel the report is about the training texts: each line has that label and that text."""
    settings = {"cross_validation": "2", "num_train_epochs": "1"}
    root = make_root(jobs["folds"], tmp_path / "ml", **settings)
    (root / "input" / "data").unlink()
    shutil.copytree(jobs["folds"] / "input" / "data", root / "input" / "data")
    shutil.rmtree(root / "input" / "data" / "test")
    outcome = train_in_process(root, capsys)
    assert outcome.code == 0, outcome.log
    with (root / "input" / "data" / "train" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    classes = (root / "input" / "data" / "class" / "classes.txt").read_text(encoding="utf-8").split()
    with (root / "output" / "data" / "errors.csv").open(encoding="utf-8", newline="") as file:
        mistakes = list(csv.DictReader(file))
    assert mistakes
    for mistake in mistakes:
        name, _, line = mistake["place"].rpartition(" line ")
        row = rows[int(line) - 1]
        assert (name, mistake["true"], mistake["text"]) == ("train.csv", classes[int(row[0]) - 1], row[2])


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_several_processes_give_the_same_bits(
    jobs: dict[str, Path], undisturbed: dict[str, Path], tmp_path: Path, variant: str
) -> None:
    """Two ranks that share each batch decide alike, and end with the model of one."""
    root = make_root(jobs[variant], tmp_path / "ml", **VARIANTS[variant], processes_per_host="2")
    assert run_job(root) == 0, log_of(root)
    ours, theirs = outputs(root), outputs(undisturbed[variant])
    assert ours[0] == theirs[0]
    for name in ("metrics", "seeds", "cross_validation"):
        assert ours[1].get(name) == theirs[1].get(name)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"early_stopping_patience": "2"}, "so none are left for early_stopping_patience: leave one"),
        ({"keep_weights": "best", "seeds": "3"}, "so none are left for keep_weights=best, seeds=3: leave"),
        ({"target_accuracy": "0.9"}, "target_accuracy cannot be promised with cross_validation"),
        ({"cross_validation": "1"}, "With cross_validation=1 nothing is left to train on"),
        ({"cross_validation": "20"}, "needs at least 20 training texts; there are 12"),
        ({}, "the job has a validation channel"),
    ],
)
def test_what_does_not_go_with_cross_validation_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: dict[str, str], expected: str
) -> None:
    """In one sentence, exit code 2, before anything is trained."""
    root = make_ml_root(tmp_path / "ml", hyperparameters={"cross_validation": "3", **settings}, rows=12)
    if settings:
        remove_channel(root, "validation")
    outcome = train_in_process(root, capsys)
    assert outcome.code == 2
    assert expected in outcome.failure
    assert "train_loss" not in outcome.log
