"""The results of finished trainings: kept, verified, and in the place of their checkpoints."""

import dataclasses
from pathlib import Path

import pytest
import torch

from bert_classifier.training.state.checkpoint import Checkpoint
from bert_classifier.training.state.results import ResultFiles
from bert_classifier.training.state.store import CheckpointStore, digest_of_fingerprint

JOB, OTHER = {"seed": 1}, {"seed": 2}
KEY = {"fold": 0, "folds": 3}
RESULT = Checkpoint(0, {"score": 0.5, "run": "x"}, {"logits": torch.arange(6.0).reshape(3, 2)})


def test_a_result_is_found_again_by_its_job_and_its_training(tmp_path: Path) -> None:
    """Another training of the job, and another job, do not get it."""
    ResultFiles(tmp_path, JOB).save(KEY, RESULT)
    found = ResultFiles(tmp_path, JOB).load(KEY)
    assert found is not None
    assert found.state == RESULT.state
    assert torch.equal(found.tensors["logits"], RESULT.tensors["logits"])
    assert ResultFiles(tmp_path, JOB).load({**KEY, "fold": 1}) is None
    assert ResultFiles(tmp_path, OTHER).load(KEY) is None


@pytest.mark.parametrize("position", [0, 100, -40, -1])
def test_a_damaged_result_is_not_used(
    tmp_path: Path, position: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever byte is wrong: the training is repeated, and a warning says so."""
    files = ResultFiles(tmp_path, JOB)
    files.save(KEY, RESULT)
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    assert files.load(KEY) is None
    assert f"result {path.name} cannot be used, so that training is repeated" in caplog.text
    files.save(KEY, RESULT)
    assert files.load(KEY) is not None


def checkpoints_of(folder: Path, fingerprint: dict[str, int]) -> set[Path]:
    """Save two checkpoints of a run; return their files."""
    store = CheckpointStore(folder, fingerprint)
    checkpoint = Checkpoint(1, {"lives": []}, {})
    return {store.save(dataclasses.replace(checkpoint, step=step)) for step in (1, 2)}


def test_only_the_checkpoints_that_a_result_replaces_are_deleted(tmp_path: Path) -> None:
    """Those of another run stay, and so do all of them as long as the result is not there."""
    replaced, others = checkpoints_of(tmp_path, {"run": 1}), checkpoints_of(tmp_path, {"run": 2})
    files = ResultFiles(tmp_path, JOB)
    files.replaces(KEY, digest_of_fingerprint({"run": 1}))
    files.prune()
    assert all(path.exists() for path in replaced | others)
    files.save(KEY, RESULT)
    files.prune()
    assert not any(path.exists() for path in replaced)
    assert all(path.exists() for path in others)


def test_checkpoints_wait_for_the_upload_of_the_result(tmp_path: Path) -> None:
    """Where SageMaker marks uploads: it repeats the deletion in S3, where the result must be by then."""
    replaced = checkpoints_of(tmp_path, {"run": 1})
    files = ResultFiles(tmp_path, JOB)
    files.save(KEY, RESULT)
    (result,) = tmp_path.glob("result-*.safetensors")
    for path in replaced:
        path.with_name(f"{path.name}.sagemaker-uploaded").touch()
    files.replaces(KEY, digest_of_fingerprint({"run": 1}))
    files.prune()
    assert all(path.exists() for path in replaced)
    result.with_name(f"{result.name}.sagemaker-uploaded").touch()
    files.prune()
    assert not any(path.exists() for path in replaced)


def test_without_a_folder_nothing_is_kept() -> None:
    """A job without checkpoints trains all of its models in each attempt."""
    files = ResultFiles(None, JOB)
    files.save(KEY, RESULT)
    files.replaces(KEY, "x")
    files.prune()
    assert files.load(KEY) is None
