"""local_test/train_local.sh: what a training gets, how a failed or interrupted one ends, what comes next."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.local_scripts import copy_repository, run, write_train
from support.patience import PATIENCE_S


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with the real scripts and a `train` that does what the test writes."""
    return copy_repository(tmp_path / "a repository")


def test_a_training_gets_its_folder_and_stays_off_the_network(repository: Path) -> None:
    """ML_ROOT is the folder; with a model channel the hub is not asked, without one it may be."""
    write_train(repository, "print(root, os.environ.get('HF_HUB_OFFLINE'), os.environ['PYTHONPATH'])")
    script, folder = repository / "local_test" / "train_local.sh", repository / "ml"
    result = run(script, folder, ENGINE="process")
    assert f"{folder} 1 {repository / 'container'}" in result.stdout
    assert result.returncode == 0
    (folder / "input" / "data" / "model").rmdir()
    assert f"{folder} None" in run(script, folder, ENGINE="process").stdout


@pytest.mark.parametrize(
    ("code", "last"),
    [
        (0, "Next: make serve-local TEST_DIR={} ENGINE=process"),
        (143, "To go on: make train-local TEST_DIR={} ENGINE=process"),
    ],
)
def test_the_next_command_is_told(repository: Path, code: int, last: str) -> None:
    """For the same folder, in a form for the shell, and engine; the training knows the folder's name too."""
    write_train(repository, f"print('as', os.environ['ML_ROOT_SHOWN_AS']); sys.exit({code})")
    folder = repository / "ml"
    result = run(repository / "local_test" / "train_local.sh", folder, ENGINE="process", IMAGE="mine")
    assert result.returncode == code
    assert f"as {folder}\n" in result.stdout
    said = (result.stdout + result.stderr).splitlines()[-1]
    assert said == last.format(str(folder).replace(" ", "\\ "))


def test_a_failed_training_tells_its_reason_once(repository: Path) -> None:
    """What the training logged is followed by where the reason lies; its exit code and older results stay."""
    (repository / "ml" / "model").mkdir()
    (repository / "ml" / "model" / "mine").touch()
    reason = "UserError: bad rows."
    write_train(
        repository, f"(root / 'output' / 'failure').write_text({reason!r})", f"print({reason!r}); sys.exit(2)"
    )
    result = run(repository / "local_test" / "train_local.sh", repository / "ml", ENGINE="process")
    assert result.returncode == 2
    assert (result.stdout + result.stderr).count(reason) == 1
    assert f"exit code 2; its reason is also in {repository / 'ml' / 'output' / 'failure'}" in result.stderr
    assert (repository / "ml" / "model" / "mine").exists()


def test_an_old_failure_is_not_reported_again(repository: Path) -> None:
    """A training that is killed before it can say why does not get the reason of the run before it."""
    (repository / "ml" / "output").mkdir()
    (repository / "ml" / "output" / "failure").write_text("UserError: long ago.")
    write_train(repository, "os.kill(os.getpid(), 9)")
    result = run(repository / "local_test" / "train_local.sh", repository / "ml", ENGINE="process")
    assert result.returncode == 137
    assert "was ended by SIGKILL" in result.stderr
    assert not (repository / "ml" / "output" / "failure").exists()


def test_an_interruption_reaches_the_training_and_is_waited_for(repository: Path) -> None:
    """SIGTERM to the script lets the training save: the script ends after it, with its exit code."""
    write_train(
        repository,
        "import signal, time",
        "def stop(*_): time.sleep(0.5); (root / 'saved').touch(); sys.exit(7)",
        "signal.signal(signal.SIGTERM, stop)",
        "(root / 'ready').touch()",
        "time.sleep(50)",
    )
    script, folder = repository / "local_test" / "train_local.sh", repository / "ml"
    environ = {"PATH": "/usr/bin:/bin", "ENGINE": "process"}
    with subprocess.Popen(["bash", str(script), str(folder)], env=environ) as process:
        while not (folder / "ready").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 7
    assert (folder / "saved").exists()
