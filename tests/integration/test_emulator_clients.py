"""The emulator's checks of what clients send, on the real server."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sagemaker_emulator.class_scores import judge_classes
from sagemaker_emulator.client import Answer, Server
from sagemaker_emulator.client_checks import OUTPUT, Sender, judge_requests
from sagemaker_emulator.engine import Container
from sagemaker_emulator.job import Payload
from sagemaker_emulator.model_task import gives_several_labels
from support.serving_process import ServingProcess
from support.source_tree import ROOT
from support.toy_artifact import OF_PAIRS, make_artifact

SAMPLES = ROOT / "local_test"


class Process(Container):
    """A process of this machine in place of a container."""

    def address(self, port: int) -> tuple[str, int]:
        """Return the port of this machine."""
        return "127.0.0.1", port


class Faulty(Server):
    """The server, but what is sent with some words in its body or headers is answered with something else."""

    def __init__(self, port: int, words: str, body: bytes) -> None:
        super().__init__(Process("process"), port)
        self._words, self._body = words, body

    def invoke(self, payload: Payload, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request, and change the answer where it has the words."""
        answer = super().invoke(payload, headers)
        sent = f"{payload.content_type} {headers} {payload.body.decode('utf-8', 'replace')}"
        return dataclasses.replace(answer, status=200, body=self._body) if self._words in sent else answer


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return /opt/ml with a model of three classes."""
    root = tmp_path_factory.mktemp("clients")
    make_artifact(root / "model")
    return root


@pytest.fixture(scope="module")
def port(model: Path) -> Iterator[int]:
    """Return the port of a running server."""
    with ServingProcess(model, model / "log") as process:
        process.wait_until_ready()
        yield process.port


@pytest.fixture(scope="module")
def sender(port: int) -> Sender:
    """Return what sends the requests of the emulator's own profile to the server."""
    profile = json.loads((SAMPLES / "conformance.json").read_text(encoding="utf-8"))["payloads"]
    payloads = [Payload(kind, (SAMPLES / name).read_bytes()) for name, kind in profile.items()]
    server = Server(Process("process"), port)
    return Sender(server, {payload: server.invoke(payload) for payload in payloads})


def test_every_request_is_answered_as_its_client_expects(sender):
    """None fails, and none is skipped for want of a request."""
    found = judge_requests(sender)
    assert {name: seen for name, (holds, seen) in found.items() if not holds} == {}
    assert "after 100 Continue" in found["clients.expect"][1]


@pytest.mark.parametrize(
    ("words", "body", "check"),
    [
        ('"top_k": null', b'[{"label": "Beta", "score": 0.4}]', "clients.hugging-face"),
        ('"top_k": null', b"[]", "clients.hugging-face"),
        ('"parameters": null', b"[]", "clients.hugging-face"),
        ('"parameters": null', b'[{"label": "Nobody", "score": 0.4}]', "clients.hugging-face"),
        ('"options"', b"[]", "clients.hugging-face"),
        ("image/jpeg", b"<html>", "clients.accept-lists"),
        ("application/octet-stream", b"", "clients.octet-stream"),
    ],
)
def test_another_answer_to_one_request_fails_one_check(sender, port, words, body, check):
    """200 alone is not what its client expects."""
    found = judge_requests(Sender(Faulty(port, words, body), sender.usual))
    assert [name for name, (holds, _) in found.items() if not holds] == [check]


def test_all_classes_are_found_in_every_form(sender, model):
    """Three scores that sum to 1, by the variable; a server without it answers as usual."""
    (output,) = OUTPUT.values()
    with ServingProcess(model, model / "output.log", sagemaker_inference_output=output) as process:
        process.wait_until_ready()
        pairs = sender.to_another(Server(Process("process"), process.port))
    assert len(pairs) == len(sender.usual)
    assert judge_classes(pairs) == (True, f"3 scores per record in {len(pairs)} answers, which sum to 1")
    assert judge_classes(sender.to_another(sender.server))[0] is None


def test_a_model_of_pairs_fails_nothing(tmp_path):
    """Its CSV has a header of its own, and Hugging Face's clients send its pairs as objects."""
    make_artifact(tmp_path / "model", **OF_PAIRS)
    kinds = {"json": "application/json", "jsonl": "application/jsonlines", "csv": "text/csv"}
    payloads = [Payload(kind, (SAMPLES / f"pairs.{end}").read_bytes()) for end, kind in kinds.items()]
    with ServingProcess(tmp_path, tmp_path / "log") as process:
        process.wait_until_ready()
        server = Server(Process("process"), process.port)
        usual = {payload: server.invoke(payload) for payload in payloads}
        assert {answer.status for answer in usual.values()} == {200}
        found = judge_requests(Sender(server, usual))
        assert gives_several_labels(server, None) is False
    assert {name: seen for name, (holds, seen) in found.items() if not holds} == {}


def test_the_server_says_that_texts_may_have_several_labels(tmp_path):
    """So CSV is judged by that, also where each text happens to have one."""
    limits = {"Alpha": 0.52, "Beta": 0.47, "Gamma": 0.56}
    make_artifact(tmp_path / "model", task="multi", thresholds=limits)
    payload = Payload("text/csv", (SAMPLES / "payload.csv").read_bytes())
    (output,) = OUTPUT.values()
    with (
        ServingProcess(tmp_path, tmp_path / "log") as process,
        ServingProcess(tmp_path, tmp_path / "output.log", sagemaker_inference_output=output) as other,
    ):
        process.wait_until_ready()
        other.wait_until_ready()
        server = Server(Process("process"), process.port)
        usual = server.invoke(payload)
        assert b"|" not in usual.body
        pairs = Sender(server, {payload: usual}).to_another(Server(Process("process"), other.port))
        assert gives_several_labels(server, None) is True
    assert judge_classes(pairs, several_labels=True) == (
        True,
        "3 scores per record in 1 answer, each from 0 to 1",
    )
