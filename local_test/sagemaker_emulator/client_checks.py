"""An endpoint as its clients meet it: the names, parameters and headers that SageMaker passes on from them.

Most of it SageMaker does not ask of an image, so that a failure is a warning, and what an image has no form for is
skipped.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sagemaker_emulator.checks import names_of
from sagemaker_emulator.class_scores import judge_classes, without_parameters
from sagemaker_emulator.client import Answer, Server
from sagemaker_emulator.client_judgements import (
    BYTES,
    Pair,
    Seen,
    judge_alike,
    judge_bytes,
    judge_error,
    judge_expect,
    judge_lists,
    with_and_without_header,
)
from sagemaker_emulator.hosting import serving
from sagemaker_emulator.hugging_face import Text, bodies_of, first_input, function_of, judge_hugging_face
from sagemaker_emulator.job import Payload
from sagemaker_emulator.level import Level
from sagemaker_emulator.model_task import gives_several_labels
from sagemaker_emulator.rehearsal import Rehearsal

CLIENT_CHECKS = names_of("clients")
_ANY = ("", "*/*")
_JAVA = ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",)  # URLConnection's own
_BROWSERS = ("text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",)
_JSON, _CSV = "application/json", "text/csv"
_JSON_LINES = (
    "application/jsonlines",
    "application/x-jsonlines",
    "application/jsonl",
    "application/x-ndjson",
)
_IDS = {
    "X-Amzn-SageMaker-Inference-Id": "order-7",
    "X-Amzn-RequestId": "9f0c3c5e-4b1c-4e6d-8a57-0d8f1e2b3a4c",
    "X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678",
}
OUTPUT = {"SAGEMAKER_INFERENCE_OUTPUT": "predicted_label,probabilities"}
_EXPECT_ROUNDS = 3  # a busy machine may be late once


def check_clients(rehearsal: Rehearsal) -> None:
    """Serve the model, and send what one of the job's requests becomes in the hands of clients of all kinds."""
    report, model, start = rehearsal.report, rehearsal.model_dir(), rehearsal.start.result()
    if model is None or not start.is_ready:
        report.judge(CLIENT_CHECKS[0], False, start.seen, Level.REFUSES)
        report.skip_rest(CLIENT_CHECKS, "the server does not start")
        return
    with serving(rehearsal, model) as server:
        is_ready, seen = server.wait_until_ready(rehearsal.limits.start)
        if not is_ready:
            report.judge(CLIENT_CHECKS[0], False, seen)
        elif not rehearsal.job.payloads:
            report.skip_rest(CLIENT_CHECKS, "no request is known: name one with --payload TYPE=FILE")
        else:
            _check_requests(rehearsal, server)
    report.skip_rest(CLIENT_CHECKS, "the server did not start")


def _check_requests(rehearsal: Rehearsal, server: Server) -> None:
    payloads = rehearsal.job.payloads
    server.invoke(payloads[0])  # whether the first answer is good has a check of its own
    usual = {payload: server.invoke(payload) for payload in payloads}
    good = [payload for payload, answer in usual.items() if answer.status == 200]
    if not good:
        seen = f"no request is answered with 200: {next(iter(usual.values())).summary()}"
        rehearsal.report.judge(CLIENT_CHECKS[0], False, seen)
        rehearsal.report.skip_rest(CLIENT_CHECKS, seen)
        return
    sender = Sender(server, {payload: usual[payload] for payload in good})
    for name, (holds, seen) in judge_requests(sender).items():
        rehearsal.report.judge(name, holds, seen)
    _check_all_classes(rehearsal, sender)


class Sender:
    """Sends requests that were answered with 200 once more, changed as clients change them."""

    def __init__(self, server: Server, usual: dict[Payload, Answer]) -> None:
        self.server = server
        self.usual = usual

    def with_headers(self, headers: Iterable[dict[str, str]]) -> list[Pair]:
        """Send one request of each type with further headers; an empty one is left out."""
        return [
            (", ".join(f"{name}: {value}" for name, value in sent.items())[:60],
             self.server.invoke(payload, {name: value for name, value in sent.items() if value}), answer)
            for sent in headers
            for payload, answer in self._one_of_each_type()
        ]  # fmt: skip

    def with_accept(self, values: Iterable[str]) -> list[Pair]:
        """Ask for types of answers."""
        return self.with_headers({"Accept": value} for value in values)

    def with_charset(self) -> list[Pair]:
        """Name the charset of what is text."""
        texts = [
            (p, a)
            for p, a in self._one_of_each_type()
            if "json" in p.content_type or "text/" in p.content_type
        ]
        return [
            self._as(f"{payload.content_type}; charset=utf-8", payload, answer) for payload, answer in texts
        ]

    def with_csv_header(self) -> list[Pair]:
        """Say of CSV that it has no header, and that it has one: its own, or one that was put before it."""
        pairs = []
        for payload, answer in self._of_types((_CSV,)):
            headed, bare = (
                Payload(_CSV, body) for body in with_and_without_header(payload.body, answer.body)
            )
            pairs.append(self._as(f"{_CSV}; header=absent", bare, answer))
            pairs.append(self._as(f"{_CSV}; header=present", headed, answer))
        return pairs

    def of_json_lines(self) -> list[Pair]:
        """Send JSON Lines under all its names."""
        known = self._of_types(_JSON_LINES)
        return [self._as(name, payload, answer) for payload, answer in known for name in _JSON_LINES]

    def of_hugging_face(self) -> dict[str, Answer]:
        """Send what Hugging Face's clients send; nothing where no request with `inputs` is known."""
        found = (first_input(p.body) for p, _ in self._of_types((_JSON,)))
        text: Text | None = next((one for one in found if one), None)
        if text is None:
            return {}
        function = function_of(self._ask({"inputs": text}))
        return {name: self._ask(body) for name, body in bodies_of(text, function).items()}

    def _ask(self, body: dict[str, Any]) -> Answer:
        return self.server.invoke(Payload(_JSON, json.dumps(body).encode()))

    def expecting(self, payload: Payload) -> tuple[Answer, int | None]:
        """Wait for 100 Continue before the body, in up to three requests until it comes."""
        answer, first = self.server.invoke_expecting(payload)
        for _ in range(_EXPECT_ROUNDS - 1):
            if first is None:
                answer, first = self.server.invoke_expecting(payload)
        return answer, first

    def to_another(self, other: Server) -> list[Pair]:
        """Send another server what asks for no classes itself; leave out what is not answered so."""
        asked = [Payload(p.content_type, without_parameters(p.body)) for p in self.usual]
        answers = [(payload, self.server.invoke(payload)) for payload in asked]
        return [(p.content_type, other.invoke(p), usual) for p, usual in answers if usual.status == 200]

    def _one_of_each_type(self) -> list[tuple[Payload, Answer]]:
        by_type = {payload.content_type: (payload, answer) for payload, answer in self.usual.items()}
        return list(by_type.values())

    def _of_types(self, types: Sequence[str]) -> list[tuple[Payload, Answer]]:
        return [(p, a) for p, a in self.usual.items() if p.content_type.partition(";")[0].strip() in types]

    def _as(self, content_type: str, payload: Payload, answer: Answer) -> Pair:
        return content_type, self.server.invoke(Payload(content_type, payload.body)), answer


def _check_all_classes(rehearsal: Rehearsal, sender: Sender) -> None:
    model = rehearsal.model_dir()
    assert model is not None
    with serving(rehearsal, model, variables=OUTPUT) as server:
        is_ready, seen = server.wait_until_ready(rehearsal.limits.start)
        if not is_ready:
            rehearsal.report.judge("clients.all-classes", False, f"with it, {seen}")
            return
        server.invoke(rehearsal.job.payloads[0])
        pairs = sender.to_another(server)
    several = gives_several_labels(sender.server, model)
    rehearsal.report.judge("clients.all-classes", *judge_classes(pairs, several))


def judge_requests(sender: Sender) -> dict[str, Seen]:
    """Send everything that one server is asked, and judge its answers; return them by the checks' names."""
    payload, usual = next(iter(sender.usual.items()))
    of_bytes, unknown = (Payload(kind, payload.body) for kind in (BYTES, "application/x-nobody-knows"))
    return {
        "clients.accept-any": judge_alike(sender.with_accept(_ANY)),
        "clients.accept-lists": judge_lists(sender.with_accept(_JAVA), sender.with_accept(_BROWSERS)),
        "clients.ids": judge_alike(sender.with_headers([_IDS])),
        "clients.charset": judge_alike(sender.with_charset()),
        "clients.csv-header": judge_alike(sender.with_csv_header(), "no request of text/csv is known"),
        "clients.json-lines-names": judge_alike(sender.of_json_lines(), "no request of JSON Lines is known"),
        "clients.octet-stream": judge_bytes(sender.server.invoke(of_bytes), usual),
        "clients.errors": judge_error(sender.server.invoke(unknown)),
        "clients.expect": judge_expect(*sender.expecting(payload)),
        "clients.hugging-face": judge_hugging_face(sender.of_hugging_face()),
    }
