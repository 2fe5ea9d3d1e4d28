"""The reports of real trainings: the same after an interruption, and never worth more than the model."""

import hashlib
import json
import os
import signal
from pathlib import Path

import pytest

from support.fakes import make_ml_root
from support.forked_jobs import train_forked
from support.patience import PATIENCE_S
from support.train_cluster import started
from support.train_process import CONTAINER

SETTINGS = {
    "num_train_epochs": "4", "logging_steps": "1", "checkpoint_interval_seconds": "1", "eval_steps": "10",
    "target_accuracy": "0.9",
}  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a job that ran through."""
    root = make_ml_root(tmp_path_factory.mktemp("job") / "ml", hyperparameters=SETTINGS, rows=120)
    (root / "checkpoints").mkdir()
    outcome = train_forked(root)
    assert outcome.code == 0, outcome.log
    assert "WARNING the reports" not in outcome.log
    return root


def kill_at_first_checkpoint(root: Path) -> None:
    """Start the job, which ends by SIGKILL as soon as it has saved a checkpoint: from inside, at that very moment."""
    path = os.pathsep.join((str(CONTAINER), str(Path(__file__).parents[1] / "support" / "faulty_moment")))
    environ = {
        "PYTHONPATH": path,
        "SIGNAL_AT": "checkpoint at step ",
        "SIGNAL_NUMBER": str(int(signal.SIGKILL)),
    }
    with started([root], environ=environ) as (host,):
        assert host.process.wait(PATIENCE_S) == -signal.SIGKILL, host.log.read_text()


def without_the_run(page: str) -> str:
    """Return a report without its head and its last section, which tell of times and interruptions."""
    head, _, body = page.partition("</header>")
    kept, _, rest = body.rpartition('<section id="run"')
    assert "began" in head
    assert "interruptions" in rest
    return kept


def test_an_interruption_leaves_no_trace_in_the_reports(undisturbed, tmp_path):
    """Killed and resumed: the same files, the same calibration, the same learning curve; only the run's facts tell."""
    root = tmp_path / "ml"
    (root / "checkpoints").mkdir(parents=True)
    (root / "input").symlink_to(undisturbed / "input")
    kill_at_first_checkpoint(root)
    outcome = train_forked(root)
    assert outcome.code == 0, outcome.log
    assert "resuming from step" in outcome.log
    ours, theirs = (folder / "output" / "data" for folder in (root, undisturbed))
    assert {path.name for path in ours.iterdir()} == {path.name for path in theirs.iterdir()}
    for path in ours.iterdir():
        if path.name not in {"report.html", "training.json"}:  # these say how often the run was interrupted
            assert path.read_bytes() == (theirs / path.name).read_bytes(), path.name
    pages = [(folder / "report.html").read_text(encoding="utf-8") for folder in (ours, theirs)]
    assert without_the_run(pages[0]) == without_the_run(pages[1])
    assert "<dt>interruptions</dt><dd>1</dd>" in pages[0]
    infos = [json.loads((folder / "model" / "training.json").read_text()) for folder in (root, undisturbed)]
    assert [len(info.pop("lives")) for info in infos] == [2, 1]
    assert infos[0] == infos[1]
    assert infos[0]["temperature"] > 0


def test_the_encoder_is_named_by_what_is_known_of_it(undisturbed):
    """With a model channel nobody says that a model of the hub was used: neither the artifact nor the report."""
    info = json.loads((undisturbed / "model" / "training.json").read_text())
    page = (undisturbed / "output" / "data" / "report.html").read_text(encoding="utf-8")
    config = (undisturbed / "input" / "data" / "model" / "config.json").read_bytes()
    assert "bert-base-uncased" not in json.dumps(info) + page
    assert info["hyperparameters"]["model_name"] is None
    assert info["encoder"]["source"] == "model channel"
    assert info["encoder"]["config_sha256"] == hashlib.sha256(config).hexdigest()
    assert f"<dd>{info['encoder']['config_sha256']}</dd>" in page
    assert "<dt>encoder</dt><dd>from the model channel</dd>" in page


def test_what_automatic_settings_became_is_told(undisturbed):
    """Artifact and report have the effective values; a setting that is gone stays in the artifact only."""
    info = json.loads((undisturbed / "model" / "training.json").read_text())
    page = (undisturbed / "output" / "data" / "report.html").read_text(encoding="utf-8")
    assert (info["reproducible"], info["token_budget"], info["precision"]) == (True, 2048, "fp32")
    assert info["hyperparameters"]["precision"] == "auto"
    for name, value in {
        "reproducible": "true", "tokens per micro-batch": "at most 2048", "precision": "fp32",
    }.items():  # fmt: skip
        assert f"<dt>{name}</dt><dd>{value}</dd>" in page
    assert ", 1 gradient group(s)</dd>" in page
    assert info["hyperparameters"]["compile"] == "false"
    assert "<dt>compile</dt>" not in page


def test_a_report_that_cannot_be_written_costs_no_model(undisturbed, tmp_path):
    """Something stands where a file should go: the job succeeds with its model, and a warning says what is missing."""
    root = tmp_path / "ml"
    (root / "output" / "data" / "report.html").mkdir(parents=True)
    for name in ("input", "checkpoints"):
        (root / name).symlink_to(undisturbed / name)
    outcome = train_forked(root)
    assert (outcome.code, outcome.failure) == (0, "")
    assert "WARNING the reports in" in outcome.log
    assert "are incomplete" in outcome.log
    assert (root / "model" / "manifest.json").is_file()
    assert (root / "output" / "data" / "evaluation.json").is_file()


def exported_again(undisturbed: Path, root: Path, changes: dict[str, str]) -> str:
    """Start the finished run again in a folder of its own with changed settings; return the log."""
    (root / "input" / "config").mkdir(parents=True)
    (root / "input" / "data").symlink_to(undisturbed / "input" / "data")
    (root / "checkpoints").symlink_to(undisturbed / "checkpoints")
    settings = json.loads((undisturbed / "input" / "config" / "hyperparameters.json").read_text())
    del settings["target_accuracy"]
    for path in (undisturbed / "input" / "config").iterdir():
        (root / "input" / "config" / path.name).write_bytes(path.read_bytes())
    (root / "input" / "config" / "hyperparameters.json").write_text(json.dumps(settings | changes))
    outcome = train_forked(root)
    assert outcome.code == 0, outcome.log
    assert "run already finished" in outcome.log
    return outcome.log


def test_a_target_that_validation_cannot_show_is_told_of_first_and_last(undisturbed, tmp_path):
    """Before the work and after it; the artifact and evaluation.json say what it would take."""
    log = exported_again(undisturbed, tmp_path / "ml", {"target_accuracy": "0.999"})
    texts = "2,995 validation texts even if all answers were right, and there are "
    assert (
        f"WARNING target_accuracy=0.999 will give no threshold: with 95% confidence it needs at least {texts}"
        in log
    )
    assert f"cannot be guaranteed: with 95% confidence it needs at least {texts}" in log
    info = json.loads((tmp_path / "ml" / "model" / "training.json").read_text())
    assert info["abstain_below"] == 0
    assert (info["guarantee"]["threshold"], info["guarantee"]["needed_texts"]) == (None, 2995)
    quality = json.loads((tmp_path / "ml" / "output" / "data" / "evaluation.json").read_text())
    assert quality["multiclass_classification_metrics"]["accuracy_bound"]["value"] == 0


@pytest.mark.slow
def test_a_new_threshold_needs_no_new_training(undisturbed, tmp_path):
    """What decides only how scores are answered or the page looks can be changed: the run is exported again."""
    root = tmp_path / "ml"
    exported_again(undisturbed, root, {"abstain_below": "0.75", "page_examples": "2"})
    before, after = (json.loads((r / "model" / "training.json").read_text()) for r in (undisturbed, root))
    assert after["abstain_below"] == 0.75
    assert len(after["page_examples"]) == 2
    assert "page_examples" not in before
    assert ("guarantee" in before, "guarantee" in after) == (True, False)
    assert after["run_fingerprint"] == before["run_fingerprint"]
    assert after["lives"] == before["lives"]
