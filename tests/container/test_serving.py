"""The image's `serve`, as SageMaker runs it."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

from support.containers import CONFINED, container, docker
from support.patience import PATIENCE_S


def wait_until_ready(address: str, timeout: float = PATIENCE_S) -> None:
    """Wait for the first 200 of /ping."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            with urllib.request.urlopen(f"{address}/ping", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)


def classify(address: str, texts: list[str]) -> Any:
    """Return the answer to a request of these texts."""
    request = urllib.request.Request(
        f"{address}/invocations",
        data=json.dumps({"inputs": texts}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return json.load(answer)


def test_it_answers(server):
    """The model of a job is served read-only, one answer a text."""
    _, address = server
    wait_until_ready(address)
    answers = classify(address, ["one text", "another"])
    assert [answer.keys() for answer in answers] == [{"label", "score"}, {"label", "score"}]


def test_a_stopped_server_ends_well(server):
    """SIGTERM to the first process: exit code 0, within what SageMaker grants."""
    serving, address = server
    wait_until_ready(address)
    serving.signal("TERM")
    assert serving.wait(PATIENCE_S) == 0


def test_confined_and_as_an_unknown_user_it_serves(image, trained):
    """Read-only root, no network, no rights, 1 MB of shared memory, a user without a name or a home."""
    mounts = ("--env=HOME=", "--shm-size=1m", f"--volume={trained / 'model'}:/opt/ml/model:ro")
    probe = (
        "import urllib.request as u;"
        "print(u.urlopen(u.Request('http://127.0.0.1:8080/invocations', b'a text',"
        " {'Content-Type': 'text/plain'}), timeout=120).status)"
    )
    with container(image, "serve", *CONFINED, *mounts) as serving:
        deadline = time.monotonic() + PATIENCE_S
        ping = "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/ping', timeout=2)"
        while docker("exec", serving.name, "python", "-c", ping, check=False).returncode:
            assert time.monotonic() < deadline, serving.log()
            time.sleep(0.5)
        assert docker("exec", serving.name, "python", "-c", probe).stdout.strip() == "200"


def test_a_folder_without_a_model_ends_it_at_once(image, tmp_path):
    """One sentence, and an end that the platform sees, instead of a container that never gets healthy."""
    with container(image, "serve", f"--volume={tmp_path}:/opt/ml/model:ro") as serving:
        assert serving.wait(PATIENCE_S) == 2
        assert "UserError" in serving.log()
        assert "Traceback" not in serving.log()
