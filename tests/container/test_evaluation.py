"""`make evaluate` and `make compare` in the image, without a network and as whoever calls them."""

import os
import subprocess
from pathlib import Path

from support.containers import REPOSITORY
from support.fakes import toy_rows, write_csv
from support.patience import PATIENCE_S
from support.toy_artifact import make_artifact


def test_models_are_scored_and_compared_in_the_image(image, tmp_path: Path) -> None:
    """The results lie beside the model, belong to the caller, and hold the plots."""
    model, other = (
        make_artifact(tmp_path / name / "model", classes_from="class file") for name in ("one", "two")
    )
    data = write_csv(tmp_path / "mine.csv", toy_rows(40))
    name, tag = image.split(":")
    environ = {**os.environ, "ENGINE": "docker", "IMAGE": name, "TAG": tag}
    for arguments, written in (
        ((model, data), "evaluation-mine/report.html"),
        ((model, data, "", other), "comparison-mine/comparison.html"),
    ):
        command = [str(REPOSITORY / "local_test" / "evaluate.sh"), *map(str, arguments)]
        result = subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr
        page = tmp_path / "one" / written
        assert page.stat().st_uid == os.getuid()
        assert str(model) in page.read_text(encoding="utf-8")
        assert "WARNING" not in result.stdout
    assert "<svg" in (tmp_path / "one" / "evaluation-mine" / "report.html").read_text(encoding="utf-8")
