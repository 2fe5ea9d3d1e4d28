"""local_test/serve_local.sh refuses what cannot be served, before it starts anything."""

import os
import re
import socket
import subprocess
from pathlib import Path

from support.free_port import free_port
from support.patience import PATIENCE_S
from support.source_tree import ROOT


def serve_local(folder: Path, port: int, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script on a folder until it ends."""
    environment = {**os.environ, **variables, "ENGINE": "process", "PORT": str(port)}
    command = [str(ROOT / "local_test" / "serve_local.sh"), str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)


def test_a_port_that_is_taken_is_told_with_the_setting_that_mends_it(tmp_path: Path) -> None:
    """The server's own variables are not used here, so the server's own remedy would be none."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").touch()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = serve_local(tmp_path, port)
    assert refused.returncode == 2
    assert f"Port {port} of 127.0.0.1 is taken" in refused.stderr
    assert "PORT=" in refused.stderr


def test_a_folder_without_a_model_is_named_in_the_remedy(tmp_path: Path) -> None:
    """make train-local alone would train another folder."""
    refused = serve_local(tmp_path, 8080)
    assert refused.returncode == 2
    assert f"make train-local TEST_DIR={tmp_path}" in refused.stderr


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """As when TEST_DIR and TRAIN were mixed up."""
    (tmp_path / "my.csv").touch()
    refused = serve_local(tmp_path / "my.csv", 8080)
    assert refused.returncode == 2
    assert "is a file: name a folder" in refused.stderr


def test_the_server_is_not_told_of_a_port_that_was_used(tmp_path: Path) -> None:
    """It would say that PORT is ignored, as it says of what is another program's."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").touch()
    # The server ends at once, at a setting that it refuses.
    refused = serve_local(tmp_path, free_port(), WEB_CONCURRENCY="2", SERVING_THREADS="many")
    assert "SERVING_THREADS" in refused.stderr + refused.stdout
    (line,) = (line for line in (refused.stderr + refused.stdout).splitlines() if "other programs" in line)
    named = re.findall(r"[A-Z_]+", line)
    assert "WEB_CONCURRENCY" in named
    assert "PORT" not in named
