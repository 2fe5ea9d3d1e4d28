"""Serving where little is allowed: no network, a read-only disk, no shared memory, few cores, few descriptors."""

import http.client
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.free_port import free_port
from support.patience import PATIENCE_S
from support.serving_process import CONTAINER, ServingProcess
from support.toy_artifact import make_artifact

TESTS = Path(__file__).parents[1]
NEW_NAMESPACES = ["unshare", "--net", "--mount"]


@pytest.fixture(scope="module")
def ml_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an /opt/ml with a tiny model."""
    root = tmp_path_factory.mktemp("ml")
    make_artifact(root / "model")
    return root


def _may_make_namespaces() -> bool:
    if shutil.which("unshare") is None:
        return False
    probe = [*NEW_NAMESPACES, "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not _may_make_namespaces(), reason="this user may not make namespaces (unshare)")
def test_without_network_disk_and_shared_memory(ml_root, tmp_path):
    """It serves and stops with no interface but loopback, a read-only root, 64 kB of /dev/shm and no HOME."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [
        *NEW_NAMESPACES,
        sys.executable,
        str(TESTS / "support" / "confined_serving.py"),
        str(ml_root),
        str(scratch),
    ]
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{CONTAINER}:{TESTS}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    result = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("served\n")


@pytest.mark.slow
def test_nothing_is_put_into_the_home_folder(ml_root, tmp_path):
    """gunicorn's control socket, which would lie there, is off."""
    home = tmp_path / "home"
    home.mkdir()
    with ServingProcess(ml_root, tmp_path / "log", home=home) as process:
        process.wait_until_ready()
        assert list(home.rglob("*")) == []


@pytest.mark.parametrize(("stack", "reason"), [(2**31, "80 threads"), (2**29, "The server's threads")])
def test_where_threads_cannot_start_the_server_ends(ml_root, tmp_path, stack, reason):
    """Where none or not even the few that are needed can start, one sentence says so, and nothing hangs."""
    code = "import os, resource, sys; "
    for name, limit in (("STACK", stack), ("AS", 3 * 2**29)):
        code += f"resource.setrlimit(resource.RLIMIT_{name}, ({limit},) * 2); "
    code += "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    environ = {"PATH": os.defpath, "PYTHONPATH": str(CONTAINER), "ML_ROOT": str(ml_root)}
    environ |= {"SERVING_HOST": "127.0.0.1", "SAGEMAKER_BIND_TO_PORT": str(free_port())}
    command = [sys.executable, "-c", code, str(CONTAINER / "serve")]
    result = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert result.returncode == 3
    assert f"the worker could not start: PlatformError: {reason} could not start. Raise" in result.stdout
    assert "request failed" not in result.stdout


def test_a_worker_without_memory_is_replaced(ml_root, tmp_path):
    """No request is answered with 500: it is answered, or refused with 503 until the next worker is ready."""
    with ServingProcess(ml_root, tmp_path / "log") as process:
        process.wait_until_ready()
        worker = process.worker
        pages = int(Path(f"/proc/{worker}/statm").read_text().split()[0])
        resource.prlimit(worker, resource.RLIMIT_AS, (pages * resource.getpagesize(),) * 2)
        statuses, until = list[int](), time.monotonic() + PATIENCE_S
        while (process.worker == worker or statuses[-1:] != [200]) and time.monotonic() < until:
            statuses.append(_status_of(process))
        assert process.worker != worker
        assert {*statuses} <= {0, 200, 503}
        assert statuses[-1] == 200


def _status_of(process: ServingProcess) -> int:
    """Send a text of 4.8 MB, for which nothing is left; return 0 where the connection ended with the worker."""
    try:
        return process.invoke(json.dumps("apple " * 800_000))[0]
    except (OSError, http.client.HTTPException):
        return 0


def test_on_one_core(ml_root, tmp_path):
    """The plan follows the cores this process may use."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        with ServingProcess(ml_root, tmp_path / "log") as process:
            process.wait_until_ready()
            assert "plan: cores=1 model_threads=1 on cpu threads_each=1 " in process.log
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.slow
def test_with_few_descriptors(ml_root, tmp_path):
    """More connections than file descriptors cost idle ones, never the worker; then all is as before."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        process = ServingProcess(ml_root, tmp_path / "log")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with process:
        process.wait_until_ready()
        worker = process.worker
        idle = [socket.create_connection(("127.0.0.1", process.port)) for _ in range(200)]
        assert process.ping() == 200
        assert process.invoke('["apple"]')[0] == 200
        for connection in idle:
            connection.close()
        assert process.invoke('["apple"]')[0] == 200
        assert (process.worker, "Traceback" in process.log) == (worker, False)
