"""A stop during the preparation of 400,000 rows: the job ends in the middle of a long phase."""

import signal
import time
from pathlib import Path

import pytest

from support.fakes import make_ml_root, toy_rows, write_csv
from support.train_cluster import started

ROWS = 400_000
SECONDS = 120  # that SageMaker gives; two on a machine to itself
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
def test_a_stop_ends_a_long_phase_in_its_middle(huge_root: Path, tmp_path: Path, phase: str) -> None:
    """143 with nothing left behind; the next phase does not begin."""
    root, scratch = tmp_path / "ml", tmp_path / "tmp"
    for folder in (root, scratch):
        folder.mkdir()
    (root / "input").symlink_to(huge_root / "input")
    with started([root], environ={"TMPDIR": str(scratch)}, is_forked=True) as (host,):
        host.wait_for(phase)
        time.sleep(LATER)
        host.process.send_signal(signal.SIGTERM)
        assert host.process.wait(SECONDS) == 143
    log = host.log.read_text()
    assert phase in log.splitlines()[-2], log
    assert "stopped by SIGTERM" in log.splitlines()[-1]
    assert list(scratch.iterdir()) == []
    assert not (root / "output" / "failure").exists()
