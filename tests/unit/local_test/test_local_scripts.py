"""local_test/*.sh: where a run happens, what a failed one says, what is sent to a server."""

import http.server
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
SCRIPTS = REPOSITORY / "local_test"
DOCKER = """#!/usr/bin/env bash
case "$1 $2" in
    "version ") exit {engine} ;;
    "image inspect") [[ "$*" != *program-digest* ]] || echo "{label}"; exit {image} ;;
    *) printf '%s\\n' "$@" ;;
esac
"""


def run(
    script: Path, *arguments: object, path: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a script with a bare environment; `path` comes first in PATH."""
    search = os.pathsep.join([*([str(path)] if path else []), "/usr/bin", "/bin"])
    command = ["bash", str(script), *map(str, arguments)]
    environ = {"PATH": search, **variables}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)


def digest_of(repository: Path = REPOSITORY) -> str:
    """Return the digest of the program's files in a repository."""
    return run(repository / "docker" / "program_digest.sh").stdout.strip()


def fake_docker(folder: Path, *, engine: int = 0, image: int = 0, label: str = "") -> Path:
    """Put a docker on a PATH: `version` and `image inspect` exit as asked, `run` prints its arguments."""
    folder.mkdir()
    (folder / "docker").write_text(DOCKER.format(engine=engine, image=image, label=label))
    (folder / "docker").chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("asked", "engine", "image", "chosen", "message"),
    [
        ("auto", 0, 0, "docker", "engine: docker, image mine:1"),
        ("auto", 1, 0, "process", "no Docker engine answers"),
        ("auto", 0, 1, "process", "there is no image mine:1"),
        ("process", 0, 0, "process", ""),
        ("docker", 0, 0, "docker", ""),
        ("docker", 1, 0, "", "Docker does not respond. Start it, or use ENGINE=process."),
        ("docker", 0, 1, "", "ENGINE=docker cannot be used: there is no image mine:1. Run make build"),
        ("podman", 0, 0, "", "ENGINE=podman is not one of auto, docker, process."),
    ],
)
def test_the_engine_is_chosen_and_named(
    tmp_path: Path, asked: str, engine: int, image: int, chosen: str, message: str
) -> None:
    """`auto` needs an engine and the image and says what it took; what was asked for is taken or refused."""
    path = fake_docker(tmp_path / "bin", engine=engine, image=image, label=digest_of())
    result = run(SCRIPTS / "engine.sh", path=path, ENGINE=asked, IMAGE="mine", TAG="1")
    assert (result.stdout.strip(), result.returncode == 0) == (chosen, bool(chosen))
    assert message in result.stderr
    assert result.stderr.count("\n") == bool(message)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with the real scripts and a `train` that does what the test writes."""
    root = tmp_path / "a repository"
    (root / ".venv" / "bin").mkdir(parents=True)
    for folder in ("container", "docker"):
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "LICENSE", root)
    (root / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (root / "ml" / "input" / "data" / "model").mkdir(parents=True)
    shutil.copytree(SCRIPTS, root / "local_test", ignore=shutil.ignore_patterns("test_dir"))
    return root


def write_train(repository: Path, *lines: str) -> None:
    """Write the program that stands for container/train."""
    head = ["import os, pathlib, sys", "root = pathlib.Path(os.environ['ML_ROOT'])"]
    (repository / "container" / "train").write_text("\n".join([*head, *lines]) + "\n")


def test_a_training_gets_its_folder_and_stays_off_the_network(repository: Path) -> None:
    """ML_ROOT is the folder; with a model channel the hub is not asked, without one it may be."""
    write_train(repository, "print(root, os.environ.get('HF_HUB_OFFLINE'), os.environ['PYTHONPATH'])")
    script, folder = repository / "local_test" / "train_local.sh", repository / "ml"
    result = run(script, folder, ENGINE="process")
    assert f"{folder} 1 {repository / 'container'}" in result.stdout
    assert result.returncode == 0
    (folder / "input" / "data" / "model").rmdir()
    assert f"{folder} None" in run(script, folder, ENGINE="process").stdout


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
        assert process.wait(timeout=30) == 7
    assert (folder / "saved").exists()


def test_a_container_gets_the_same_folder(repository: Path, tmp_path: Path) -> None:
    """With ENGINE=docker the folder is mounted as /opt/ml, for the user's own account, and `train` is run."""
    path = fake_docker(tmp_path / "bin", label=digest_of(repository))
    (repository / "ml" / "model").mkdir()
    (repository / "ml" / "model" / "model.safetensors").touch()
    scripts = repository / "local_test"
    result = run(scripts / "train_local.sh", repository / "ml", path=path, ENGINE="docker")
    trained = result.stdout.splitlines()
    assert trained[:2] == ["run", "--rm"]
    assert f"{repository / 'ml'}:/opt/ml" in trained
    assert "--env=HF_HUB_OFFLINE=1" in trained
    assert trained[trained.index("bert-classifier:cpu") + 1] == "train"
    ended = run(
        scripts / "serve_local.sh",
        repository / "ml",
        path=path,
        ENGINE="docker",
        PORT="8081",
        SERVING_PRECISION="fp32",
        SAGEMAKER_MAX_PAYLOAD_IN_MB="6",
        SAGEMAKER_BIND_TO_PORT="9999",
    )
    assert "SAGEMAKER_BIND_TO_PORT is not used here" in ended.stderr
    assert "SERVING_HOST" not in ended.stderr
    served = ended.stdout.splitlines()
    assert "SAGEMAKER_MAX_PAYLOAD_IN_MB" in served
    assert "SAGEMAKER_BIND_TO_PORT" not in served
    assert served[served.index("SERVING_PRECISION") - 1] == "--env"
    assert "127.0.0.1:8081:8080" in served
    assert f"{repository / 'ml' / 'model'}:/opt/ml/model:ro" in served
    assert served[-1] == "serve"


def test_a_model_of_before_a_failed_training_is_named_as_such(repository: Path, tmp_path: Path) -> None:
    """The model that a failed training has left in place is served, and it is said whose it is."""
    path, folder = fake_docker(tmp_path / "bin", label=digest_of(repository)), repository / "ml"
    for file in ("model/model.safetensors", "output/failure"):
        (folder / file).parent.mkdir()
        (folder / file).write_text("x")
    script = repository / "local_test" / "serve_local.sh"
    assert "this is the model of an earlier one" in run(script, folder, path=path, ENGINE="docker").stderr
    (folder / "output" / "failure").unlink()
    assert run(script, folder, path=path, ENGINE="docker").stderr == ""


@pytest.mark.parametrize(
    ("script", "message"),
    [("train_local.sh", "TRAIN=my.csv"), ("serve_local.sh", "run make train-local TEST_DIR=")],
)
def test_a_folder_without_the_input_is_refused(tmp_path: Path, script: str, message: str) -> None:
    """Training without data and serving without a model each say in one sentence what comes first."""
    result = run(SCRIPTS / script, tmp_path, ENGINE="process")
    assert result.returncode == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", ["train_local.sh", "serve_local.sh"])
def test_an_empty_name_is_not_the_sample(script: str) -> None:
    """`train_local.sh "$dir"` without a dir: what is meant is not the folder of the sample."""
    result = run(SCRIPTS / script, "", ENGINE="process")
    assert result.returncode == 2
    assert "TEST_DIR is empty" in result.stderr


@pytest.mark.parametrize("script", ["predict.sh", "serve_local.sh"])
@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "80 80"])
def test_what_is_no_port_is_refused_at_once(script: str, port: str) -> None:
    """No server can be there, so none is waited for."""
    result = run(SCRIPTS / script, PORT=port)
    assert result.returncode == 2
    assert f"PORT={port} is not a port" in result.stderr


def test_an_empty_url_or_patience_is_refused() -> None:
    """Neither is a server asked that nobody named, nor is a word counted as seconds."""
    assert "The URL is empty" in run(SCRIPTS / "predict.sh", "").stderr
    assert "PATIENCE=long is not a number" in run(SCRIPTS / "predict.sh", PORT="9", PATIENCE="long").stderr


class _Handler(http.server.BaseHTTPRequestHandler):
    """Notes what it is sent; answers 503 to the first two pings and 400 to `refused` types."""

    received: dict[str, bytes]
    accepted: list[str]
    refused: str
    pings: int

    def do_GET(self) -> None:
        type(self).pings += 1
        self._answer(200 if self.pings > 2 else 503, b"")

    def do_POST(self) -> None:
        kind = str(self.headers["Content-Type"])
        self.accepted.append(str(self.headers["Accept"]))
        self.received[kind] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(400 if kind == self.refused else 200, f"answer to {kind}".encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[tuple[type[_Handler], int]]:
    """Return a running server's handler and port."""
    handler = type("Handler", (_Handler,), {"received": {}, "accepted": [], "refused": "", "pings": 0})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
        thread.start()
        yield handler, httpd.server_port
        httpd.shutdown()
        thread.join()


def test_every_payload_is_sent_as_it_is(server: tuple[type[_Handler], int]) -> None:
    """After the server turns healthy, each payload arrives unchanged under its type, CSV once more for a table."""
    handler, port = server
    result = run(SCRIPTS / "predict.sh", PORT=str(port), http_proxy="http://127.0.0.1:9")
    assert result.returncode == 0, result.stderr
    kinds = {"csv": "text/csv", "txt": "text/plain"}
    kinds |= {"json": "application/json", "jsonl": "application/jsonlines"}
    expected = {kind: (SCRIPTS / f"payload.{suffix}").read_bytes() for suffix, kind in kinds.items()}
    assert handler.received == expected
    assert handler.accepted[:-1] == ["*/*"] * len(kinds)
    assert handler.accepted[-1].startswith("text/csv; header=present; output=")
    assert all(f"answer to {kind}" in result.stdout for kind in kinds.values())


def test_one_refused_payload_fails_the_command(server: tuple[type[_Handler], int]) -> None:
    """The other payloads are still sent, the server's words are shown, and the exit status is not 0."""
    handler, port = server
    handler.refused = "application/jsonlines"
    result = run(SCRIPTS / "predict.sh", f"http://127.0.0.1:{port}")
    assert result.returncode == 1
    assert len(handler.received) == 4
    assert "answer to application/jsonlines" in result.stdout


def test_no_server_is_reported(tmp_path: Path) -> None:
    """When nothing listens, the command gives up in time and says how to start a server."""
    result = run(SCRIPTS / "predict.sh", PORT="9", PATIENCE="0")
    assert result.returncode == 1
    assert "make serve-local" in result.stderr
