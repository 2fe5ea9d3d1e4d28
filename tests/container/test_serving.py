"""The image's `serve`, as SageMaker runs it; more of it is in test_emulator.py and test_sdk.py."""

import json

from support.containers import CONFINED, container, docker
from support.patience import PATIENCE_S

# Run beside the server, since a container without a network is reached from nowhere else.
_CALLER = f"""
import time
import urllib.request

address = "http://127.0.0.1:8080"
deadline = time.monotonic() + {PATIENCE_S}
while True:
    try:
        urllib.request.urlopen(address + "/ping", timeout=2).close()
        break
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.2)
body = b'{{"inputs": ["one text", "another"]}}'
request = urllib.request.Request(address + "/invocations", body, {{"Content-Type": "application/json"}})
print(urllib.request.urlopen(request, timeout={PATIENCE_S}).read().decode())
"""


def test_confined_and_as_an_unknown_user_it_serves_and_ends_well(image, trained):
    """Read-only root, no network, no rights, 1 MB of shared memory, a user without a name or a home: one answer a text.

    SIGTERM to the first process then ends it with exit code 0.
    """
    mounts = ("--env=HOME=", "--shm-size=1m", f"--volume={trained / 'model'}:/opt/ml/model:ro")
    with container(image, "serve", *CONFINED, *mounts) as serving:
        asked = docker("exec", serving.name, "python", "-c", _CALLER, check=False, timeout=3 * PATIENCE_S)
        assert asked.returncode == 0, asked.stderr + serving.log()
        answers = json.loads(asked.stdout)
        assert [answer.keys() for answer in answers] == [{"label", "score"}, {"label", "score"}]
        serving.signal("TERM")
        assert serving.wait() == 0, serving.log()


def test_a_folder_without_a_model_ends_it_at_once(image, tmp_path):
    """One sentence, and an end that the platform sees, instead of a container that never gets healthy."""
    with container(image, "serve", f"--volume={tmp_path}:/opt/ml/model:ro") as serving:
        assert serving.wait(PATIENCE_S) == 2
        assert "UserError" in serving.log()
        assert "Traceback" not in serving.log()
