"""local_test/*.sh: where a run happens, what a failed one says, what is sent to a server."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.local_scripts import SCRIPTS, copy_repository, digest_of, fake_docker, run


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
    return copy_repository(tmp_path / "a repository")


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
    assert f"--env=ML_ROOT_SHOWN_AS={repository / 'ml'}" in trained
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
    """Notes what it is sent; answers 503 to the first two pings, 400 to `refused` types, `model` to GET /model."""

    received: dict[str, bytes]
    accepted: list[str]
    refused: str
    pings: int
    model: bytes

    def do_GET(self) -> None:
        if self.path == "/model":
            self._answer(200 if self.model else 404, self.model)
            return
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
    fields = {"received": {}, "accepted": [], "refused": "", "pings": 0, "model": b""}
    handler = type("Handler", (_Handler,), fields)
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


def test_a_model_of_pairs_gets_pairs(server: tuple[type[_Handler], int]) -> None:
    """GET /model says that it reads pairs: it gets the files of pairs, which plain text cannot hold, and no others."""
    handler, port = server
    handler.model = b'{"labels": ["no", "yes"], "is_paired": true}'
    result = run(SCRIPTS / "predict.sh", PORT=str(port))
    assert result.returncode == 0, result.stderr
    kinds = {"csv": "text/csv", "json": "application/json", "jsonl": "application/jsonlines"}
    assert handler.received == {
        kind: (SCRIPTS / f"pairs.{suffix}").read_bytes() for suffix, kind in kinds.items()
    }
    assert "== pairs.json (application/json)" in result.stdout


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
