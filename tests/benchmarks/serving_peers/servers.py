"""This project's server and those it is compared with: started, and ended with all their processes."""

import contextlib
import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bert_classifier.job.cpu_quota import available_cores

PEERS = Path(__file__).parent
CONTAINER = PEERS.parents[2] / "container"
PRECISIONS = ("fp32", "int8")  # of this project
BATCH = 16  # of peers that have such a setting
START_S = 180
ASK_AGAIN_S = 0.1
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Server(NamedTuple):
    """A server: how it is started, and asked."""

    command: Sequence[str]  # {port} stands for its port
    path: str = "/invocations"
    body: str = '{"inputs": "TEXT"}'
    environ: Mapping[str, str] = {}
    prepare: Sequence[str] = ()  # a command before the start


class Running(NamedTuple):
    """A server that has answered: its port and first process, and how long it took."""

    port: int
    pid: int
    seconds: float


def servers_of(root: Path, environments: Path | None, only: Sequence[str] = ("",)) -> dict[str, Server]:
    """Return this project and the servers to compare it with, by name.

    Args:
        root: folder with `model`, the artifact, and `peer/model`, a copy for the others.
        environments: folder with the others' environments; without it, only what needs none is compared.
        only: give those servers whose names hold one of these.
    """
    found = _servers(root, environments)
    return {name: server for name, server in found.items() if any(part in name for part in only)}


def _servers(root: Path, environments: Path | None) -> dict[str, Server]:
    servers = {f"this project, {precision}": ours(root, precision) for precision in PRECISIONS}
    cores = str(available_cores())
    by_worker = _gunicorn(sys.executable, "one_forward_each:app", "--workers", cores)
    servers["Flask, one forward a request"] = Server(by_worker)
    if environments is None:
        return servers
    model = str(root / "peer" / "model")
    litserve, infinity, toolkit, onnx = (
        environments / name / "bin" for name in ("litserve", "infinity", "toolkit", "onnxruntime")
    )
    infinity_options = [
        "--model-id", model, "--served-model-name", "model", "--host", "127.0.0.1", "--port", "{port}",
        "--engine", "torch", "--device", "cpu", "--batch-size", str(BATCH), "--no-bettertransformer",
    ]  # fmt: skip
    found = {
        "ONNX Runtime, int8": Server(
            # Faster than a worker for each core, and than one worker whose passes take all cores.
            _gunicorn(str(onnx / "python"), "onnx_app:app", "--threads", cores, "--keep-alive", "65"),
            prepare=[str(onnx / "python"), str(PEERS / "onnx_export.py"), model],
        ),
        "LitServe": Server([str(litserve / "python"), str(PEERS / "litserve_app.py")]),
        "infinity": Server(
            [str(infinity / "infinity_emb"), "v2", *infinity_options],
            "/classify",
            '{"model": "model", "input": ["TEXT"]}',
        ),
        "AWS Hugging Face toolkit": Server([str(toolkit / "python"), str(PEERS / "toolkit_server.py")]),
    }
    return servers | {name: server for name, server in found.items() if Path(server.command[0]).exists()}


def ours(root: Path, precision: str, container: Path = CONTAINER) -> Server:
    """Return this project's server; another version's by its container folder."""
    environ = {"PYTHONPATH": str(container), "ML_ROOT": str(root), "SERVING_HOST": "127.0.0.1"}
    environ |= {"SERVING_PRECISION": precision, "SAGEMAKER_BIND_TO_PORT": "{port}"}
    return Server([sys.executable, str(container / "serve")], environ=environ)


def _gunicorn(python: str, app: str, *options: str) -> list[str]:
    address = "127.0.0.1:{port}"
    own = ["--no-control-socket", "--chdir", str(PEERS), "--bind", address]
    return [python, "-m", "gunicorn", *own, *options, app]


def copy_for_peers(root: Path) -> None:
    """Copy root/model to root/peer/model without the manifest, which multi-model-server takes for one of its own."""
    ignored = shutil.ignore_patterns("manifest.json")
    shutil.copytree(root / "model", root / "peer" / "model", ignore=ignored)


@contextlib.contextmanager
def started(server: Server, root: Path) -> Iterator[Running]:
    """Run a server with its own log until the first answer; it ends with this process, however that ends.

    Raises:
        RuntimeError: with the end of the log, when there is none.
    """
    port = free_low_port()
    log_file = root / f"log-{port}"
    with log_file.open("ab") as log:
        if server.prepare:
            subprocess.run(server.prepare, check=True, stdout=log, stderr=log)
        began = time.monotonic()
        process = subprocess.Popen(
            [part.format(port=port) for part in server.command],
            env=_environ(server, root, port),
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=root,
            preexec_fn=end_with_parent,
        )
    try:
        url = f"http://127.0.0.1:{port}{server.path}"
        ask = [
            "curl",
            "-sf",
            "-o",
            "/dev/null",
            "-H",
            "Content-Type: application/json",
            "-d",
            server.body,
            url,
        ]
        until = time.monotonic() + START_S
        while subprocess.run(ask, check=False).returncode:  # some answer /ping before they have a model
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(log_file.read_text()[-3000:])
            time.sleep(ASK_AGAIN_S)
        yield Running(port, process.pid, time.monotonic() - began)
    finally:
        _end(process)


def _environ(server: Server, root: Path, port: int) -> dict[str, str]:
    length = json.loads((root / "model" / "training.json").read_text())["max_seq_length"]
    others = {
        "MODEL": str(root / "peer" / "model"),
        "PORT": str(port),
        "BATCH": str(BATCH),
        "LENGTH": str(length),
    }
    own = {name: value.format(port=port) for name, value in server.environ.items()}
    return {**os.environ, **others, "HF_HUB_OFFLINE": "1", "PYTHONPATH": "", **own}


def end_with_parent() -> None:
    """Let SIGTERM end this process when the benchmark has died, of SIGTERM or SIGKILL: `timeout` sends them."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and all of its group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)


def free_low_port() -> int:
    """Return a loopback port that multi-model-server takes: it holds those from 32768 on for invalid."""
    for port in random.sample(
        range(20000, 32768), 100
    ):  # two benchmarks at a time must not take the same one
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError("no free port")
