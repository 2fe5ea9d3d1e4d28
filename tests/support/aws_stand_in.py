"""A server before moto's, which answers single operations as AWS may and moto cannot, and passes on the rest."""

import dataclasses
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler
from types import MappingProxyType
from typing import Any

from support.patience import PATIENCE_S

_HOP = {"connection", "transfer-encoding", "content-length", "host", "date", "server"}


@dataclasses.dataclass(frozen=True)
class Answer:
    """What an operation is answered."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def json(cls, value: object, status: int = 200) -> "Answer":
        """Return a JSON service's answer."""
        return cls(status, "application/x-amz-json-1.1", json.dumps(value).encode())

    @classmethod
    def refusal(cls, code: str, message: str = "no") -> "Answer":
        """Return a JSON service's refusal."""
        return cls.json({"__type": code, "message": message}, 400)

    @classmethod
    def xml(cls, text: str, status: int = 200) -> "Answer":
        """Return a query service's answer."""
        return cls(status, "text/xml", text.encode())


# An answer, or what works one out from the request's JSON; None leaves it to moto.
Reply = Answer | Callable[[dict[str, Any]], Answer | None]


def handler(
    behind: str,
    answers: Mapping[str, Reply | Sequence[Reply]],
    answered: list[tuple[str, bytes]],
    owners: Mapping[str, str] = MappingProxyType({}),
) -> type[BaseHTTPRequestHandler]:
    """Return a request handler.

    Args:
        behind: address of moto's server.
        answers: by operation, such as DescribeTrainingJob, by path, or by method and the path's beginning, such as
            "PUT /a-bucket/"; several in turn, the last for good.
        answered: gets operation or path, and body, of each request that did not reach moto.
        owners: accounts by bucket: S3 refuses a request that expects another one, which moto does not.
    """
    left = {name: list(reply) if isinstance(reply, Sequence) else [reply] for name, reply in answers.items()}
    attributes = {"behind": behind, "left": left, "answered": answered, "owners": owners}
    return type("StandIn", (_StandIn,), attributes)


def s3_error(code: str, status: int, message: str = "no", **more: str) -> Answer:
    """Return a refusal of S3, as its own servers write it."""
    fields = {"Code": code, "Message": message, **more, "RequestId": "1", "HostId": "2"}
    body = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{body}</Error>'
    return Answer(status, "application/xml", text.encode())


def permitted(decision: str = "allowed") -> Answer:
    """Return what IAM works out for a role; moto does not, and the launcher would ask it again and again."""
    result = f"<EvalActionName>s3:GetObject</EvalActionName><EvalDecision>{decision}</EvalDecision>"
    return Answer.xml(
        '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        f"<SimulatePrincipalPolicyResult><EvaluationResults><member>{result}"
        "<EvalResourceName>arn:aws:s3:::a-bucket/x/*</EvalResourceName></member></EvaluationResults>"
        "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
    )


class _StandIn(BaseHTTPRequestHandler):
    """Answers what it has an answer for, and passes on the rest."""

    behind: str
    left: dict[str, list[Reply]]
    answered: list[tuple[str, bytes]]
    owners: Mapping[str, str]

    def do_POST(self) -> None:
        body = self._body()
        answer = self._own_answer(body) or self._pass_on(body)
        self.send_response(answer.status)
        headers = {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body))}
        for header, value in {**headers, **answer.headers}.items():
            self.send_header(header, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST  # noqa: N815 - http.server names them

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while length := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _own_answer(self, body: bytes) -> Answer | None:
        bucket = self.path.strip("/").partition("/")[0].partition("?")[0]
        expected = self.headers.get("x-amz-expected-bucket-owner", "")
        if expected and self.owners.get(bucket, expected) != expected:
            return s3_error("AccessDenied", 403, "Access Denied")
        begins = [name for name in self.left if f"{self.command} {self.path}".startswith(name)]
        names = (self._operation(body), self.path, *begins)
        name = next((name for name in names if name in self.left), "")
        if not name:
            return None
        self.answered.append((name, body))
        turn = self.left[name]
        reply = turn.pop(0) if len(turn) > 1 else turn[0]
        return reply if isinstance(reply, Answer) else reply(json.loads(body) if body[:1] == b"{" else {})

    def _operation(self, body: bytes) -> str:
        target = self.headers.get("X-Amz-Target", "")
        form = urllib.parse.parse_qs(body.decode("latin-1")) if not target and body[:100].isascii() else {}
        return target.rpartition(".")[2] or form.get("Action", [""])[0]

    def _pass_on(self, body: bytes) -> Answer:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        headers.setdefault("Content-Type", "application/octet-stream")  # else urllib calls it a form
        request = urllib.request.Request(self.behind + self.path, body or None, headers, method=self.command)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
                return _as_answer(response.status, response)
        except urllib.error.HTTPError as error:
            return _as_answer(error.code, error)


def _as_answer(status: int, response: Any) -> Answer:
    """Return moto's answer; that to HEAD has no body, but tells its length."""
    headers = {name: value for name, value in response.headers.items() if name.lower() not in _HOP}
    content = response.read()
    if not content:
        headers["Content-Length"] = response.headers.get("Content-Length", "0")
    return Answer(status, response.headers.get("Content-Type", ""), content, headers)
