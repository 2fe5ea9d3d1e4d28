"""A revision of the model hub: every file comes from its commit, which is recorded. The hub is its cache, offline.

Each test runs a process of its own, since the library reads the place of the cache once.
"""

import dataclasses
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bert_classifier.data.job_files import check_files
from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.modeling import hub as hub_module
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.state.fingerprint import require_same_run
from support.clear_text import assert_clear
from support.encoders import make_encoder
from support.patience import PATIENCE_S
from support.source_tree import CONTAINER, ROOT

OLD, NEW = "0" * 39 + "a", "0" * 39 + "b"
Answer = tuple[int, dict[str, str], dict[str, Any]]

ASK = """
    import hashlib, json, logging, sys
    from pathlib import Path

    from bert_classifier.builder import build_model, encoder_of
    from bert_classifier.errors import ContainerError
    from bert_classifier.job.config import TrainConfig
    from bert_classifier.job.environment import Environment
    from bert_classifier.modeling.hub import pinned
    from bert_classifier.modeling.pooling import is_mean_pooled
    from bert_classifier.modeling.pretrained import quiet_transformers

    quiet_transformers()
    environment = Environment(Path("none"), {}, {})
    found = {}
    for revision in sys.argv[2:]:
        config = TrainConfig(max_seq_length=32, model_name=sys.argv[1], revision=revision)
        try:
            model, tokenizer = build_model(config, environment, ["a", "b"])
        except ContainerError as error:
            found[revision] = {"error": str(error)}
            continue
        table = model.get_input_embeddings().weight.detach().numpy().tobytes()
        found[revision] = {
            "weights": hashlib.sha256(table).hexdigest(),
            "words": len(tokenizer),
            "is_mean": is_mean_pooled(sys.argv[1], pinned(sys.argv[1], revision)),
            "encoder": encoder_of(config, environment, model),
        }
    print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache of the hub with two commits of one encoder: a tag has the old one, the main branch the new one."""
    home = tmp_path_factory.mktemp("hub")
    repository = home / "hub" / "models--some--tiny"
    for seed, commit in enumerate((OLD, NEW)):
        make_encoder(repository / "snapshots" / commit, "bert", seed=seed)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(NEW)
    (repository / "refs" / "v1").write_text(OLD)
    pooling = repository / "snapshots" / OLD / "1_Pooling"
    pooling.mkdir()
    (pooling / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    pickled = home / "hub" / "models--some--pickle"
    folder = pickled / "snapshots" / OLD
    shutil.copytree(repository / "snapshots" / OLD, folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    (pickled / "refs").mkdir()
    (pickled / "refs" / "main").write_text(OLD)
    for name in ("model.safetensors", "model.safetensors.index.json"):  # the hub has said that there is none
        (pickled / ".no_exist" / OLD).mkdir(parents=True, exist_ok=True)
        (pickled / ".no_exist" / OLD / name).touch()
    return home


def ask(cache: Path, name: str, *revisions: str) -> dict[str, dict[str, Any]]:
    """Build a job's model at each revision."""
    places = {"HF_HOME": str(cache), "HF_HUB_OFFLINE": "1", "PYTHONPATH": f"{CONTAINER}:{ROOT / 'tests'}"}
    command = [sys.executable, "-c", textwrap.dedent(ASK), name, *revisions]
    environ = {name: value for name, value in os.environ.items() if name != "HF_HUB_CACHE"}
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, env={**environ, **places}
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, dict[str, Any]] = json.loads(result.stdout.strip().splitlines()[-1])
    return found


def test_all_files_come_from_the_revision(cache: Path) -> None:
    """Weights, tokenizer and pooling of a tag or commit, and the commit is recorded; the default is the main branch."""
    found = ask(cache, "some/tiny", "v1", OLD, NEW, "main", "", "v2")
    for same in ((OLD, "v1"), (NEW, "main"), (NEW, "")):
        assert found[same[0]] == found[same[1]]
    assert found[OLD]["weights"] != found[NEW]["weights"]
    assert (found["v1"]["is_mean"], found["main"]["is_mean"]) == (True, False)
    assert found["v1"]["encoder"]["commit"] == OLD
    assert found[""]["encoder"]["commit"] == NEW
    assert found["v2"]["error"].startswith("The model hub did not say which commit of some/tiny v2 is: ")


class Hub(http.server.BaseHTTPRequestHandler):
    """A hub that gives the next of `answers` (status, headers, body) to each request, and the last one from then on."""

    answers: ClassVar[list[Answer]] = []

    def do_GET(self) -> None:
        """Answer."""
        status, headers, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def hub() -> Iterator[str]:
    """Serve a hub; return its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


LIMITED: Answer = (429, {}, {"error": "too many"})
DOWN: Answer = (503, {}, {})
FOUND: Answer = (
    200,
    {"Content-Type": "application/json"},
    {"id": "some/tiny", "modelId": "some/tiny", "sha": NEW},
)
NO_REVISION: Answer = (404, {"X-Error-Code": "RevisionNotFound"}, {"error": "Invalid rev id: main"})


@pytest.mark.parametrize(
    ("answers", "commit", "error"),
    [
        ([LIMITED, FOUND], NEW, None),
        ([DOWN, DOWN, FOUND], NEW, None),
        ([LIMITED], None, "PlatformError The model hub did not say which commit of some/tiny main is: .*429"),
        ([NO_REVISION], None, "UserError .*the model hub gave no model of that name at revision main. Check"),
    ],
    ids=["limited once", "down twice", "limited", "no such revision"],
)
def test_a_look_that_fails(tmp_path, hub, answers, commit, error):
    """It is repeated, and nothing but a commit stands for a revision: another attempt would take it for another run."""
    Hub.answers = list(answers)
    code = """
        from bert_classifier.errors import ContainerError
        from bert_classifier.modeling import hub

        hub._PAUSES_S = (0.0, 0.0)
        try:
            print(hub.pinned("some/tiny", "main"))
        except ContainerError as error:
            print(type(error).__name__, error)
        print(hub.pinned("some/tiny", "f" * 40), hub.pinned("some/tiny", ""))
    """
    environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environ |= {
        "HF_ENDPOINT": hub,
        "HF_HOME": str(tmp_path),
        "HF_HUB_OFFLINE": "0",
        "PYTHONPATH": str(CONTAINER),
    }
    command = [sys.executable, "-c", textwrap.dedent(code)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, env=environ)
    assert result.returncode == 0, result.stderr
    first, second = result.stdout.splitlines()
    assert re.match(error or commit, first)
    assert second == f"{'f' * 40} None"


def test_the_other_processes_of_a_job_do_not_ask(monkeypatch):
    """They have the commit from the one that prepared the data."""
    monkeypatch.setattr(hub_module, "_known", {})
    hub_module.note_commit("none/such", "main", OLD)
    hub_module.note_commit("none/such", "", None)
    assert hub_module.pinned("none/such", "main") == hub_module.commit_of("none/such", "main") == OLD


def test_ranks_with_other_commits_are_told_to_name_one() -> None:
    """A branch that moved between two hosts is no matter of how the data are distributed."""
    ours = {"seed": 1, "commit": OLD, "pretrained_weights": "x"}

    class TwoHosts(DistributedContext):
        """A world whose second rank found the branch at another commit."""

        def all_gather_json(self, value: Any) -> list[Any]:
            return [
                value,
                {"host": "algo-2", "fingerprint": {**ours, "commit": NEW, "pretrained_weights": "y"}},
            ]

    words = f"Host algo-2 has commit {NEW} of the encoder, and host algo-1 has {OLD}"
    with pytest.raises(UserError, match=words) as caught:
        require_same_run(TwoHosts(), ours, "algo-1")
    assert_clear(caught.value)
    assert "`revision`" in caught.value.remedy


@pytest.mark.parametrize(
    ("differs", "hub_name", "message"),
    [
        (
            ("pretrained_weights",),
            "org/encoder",
            "Host algo-2 has other files of org/encoder than host algo-1",
        ),
        (("pretrained_weights", "tokenizer"), "org/encoder", "its main branch on the model hub has moved"),
        (("pretrained_weights",), "", "differs from host algo-1 in: pretrained_weights"),
        (("pretrained_weights", "train_data"), "org/encoder", "in: pretrained_weights, train_data"),
    ],
)
def test_without_a_revision_a_branch_that_moved_is_no_matter_of_the_data_either(
    differs: tuple[str, ...], hub_name: str, message: str
) -> None:
    """Other files of an encoder from the hub, and nothing else; channels of a folder may well differ."""
    ours = dict.fromkeys(("seed", "pretrained_weights", "tokenizer", "train_data"), "x")

    class TwoHosts(DistributedContext):
        """A world whose second rank found other files."""

        def all_gather_json(self, value: Any) -> list[Any]:
            return [value, {"host": "algo-2", "fingerprint": {**ours, **dict.fromkeys(differs, "y")}}]

    with pytest.raises(UserError, match=message) as caught:
        require_same_run(TwoHosts(), ours, "algo-1", hub_name)
    assert_clear(caught.value)
    assert ("`revision`" in caught.value.remedy) is ("other files" in caught.value.cause)


def test_pickled_weights_on_the_hub_are_told_apart_from_no_model(cache: Path) -> None:
    """With the way to use them."""
    error = ask(cache, "some/pickle", "main")["main"]["error"]
    assert error.startswith(
        f"some/pickle at revision {OLD} has no model.safetensors on the model hub. Download its folder. "
    )
    assert "make convert-model" in error


def test_a_folder_has_no_revision(ml_root: Path) -> None:
    """Neither the model channel nor a folder that model_name names."""
    environment = Environment.read(ml_root, {})
    with pytest.raises(
        UserError, match=r"revision='v1' is one of the model hub.*\(the `model` channel\)"
    ) as caught:
        check_files(TrainConfig(max_seq_length=64, revision="v1"), environment)
    assert_clear(caught.value)
    folder = str(environment.channels["model"].path)
    without = {name: channel for name, channel in environment.channels.items() if name != "model"}
    environment = dataclasses.replace(environment, channels=without)
    with pytest.raises(
        UserError, match="revision='v1' is one of the model hub, but the encoder is a folder"
    ) as caught:
        check_files(TrainConfig(max_seq_length=64, revision="v1", model_name=folder), environment)
    assert_clear(caught.value)
