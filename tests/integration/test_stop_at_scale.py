"""A stop during the preparation of 400,000 rows: the real `train` program ends within two seconds, in a long phase."""

import signal
import time
from pathlib import Path

import pytest

from support.fakes import make_ml_root, toy_rows, write_csv
from support.patience import PATIENCE_S
from support.train_cluster import started

ROWS = 400_000
SECONDS = 20.0  # two on a machine to itself; SageMaker gives 120
LATER = 0.7  # in the middle of a phase; each takes longer


@pytest.fixture(scope="module")
def huge_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a toy job of different texts, in part longer than the model takes."""
    root = make_ml_root(tmp_path_factory.mktemp("huge") / "ml")
    toys = toy_rows(500)
    rows = [(*toys[n % 500][:-1], f"{n} {toys[n % 500][-1]} " + "word " * (n % 40)) for n in range(ROWS)]
    write_csv(root / "input" / "data" / "train" / "train.csv", rows)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["reading the data", "tokenising the texts"])
def test_a_stop_takes_two_seconds(huge_root: Path, tmp_path: Path, phase: str) -> None:
    """143 with nothing left behind, from the signal to the end of the process."""
    root, scratch = tmp_path / "ml", tmp_path / "tmp"
    for folder in (root, scratch):
        folder.mkdir()
    (root / "input").symlink_to(huge_root / "input")
    with started([root], environ={"TMPDIR": str(scratch)}) as (host,):
        host.wait_for(phase)
        time.sleep(LATER)
        begun = time.monotonic()
        host.process.send_signal(signal.SIGTERM)
        assert host.process.wait(PATIENCE_S) == 143
        seconds = time.monotonic() - begun
    log = host.log.read_text()
    assert phase in log.splitlines()[-2], log
    assert "stopped by SIGTERM" in log.splitlines()[-1]
    assert list(scratch.iterdir()) == []
    assert seconds < SECONDS
