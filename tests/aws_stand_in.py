"""A server before moto's, which answers single operations as AWS may and moto cannot, and passes on the rest."""

import dataclasses
import json
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler

_HOP = {"connection", "transfer-encoding", "content-length", "host", "date", "server"}


@dataclasses.dataclass(frozen=True)
class Answer:
    """What an operation is answered."""

    status: int
    content_type: str
    body: bytes

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


def handler(behind: str, answers: dict[str, Answer]) -> type[BaseHTTPRequestHandler]:
    """Return a request handler.

    Args:
        behind: address of moto's server.
        answers: by operation, such as DescribeTrainingJob, or by path.
    """

    class StandIn(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            known = answers.get(self._operation(body)) or answers.get(self.path)
            answer = known or self._pass_on(body)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_PUT = do_HEAD = do_POST  # noqa: N815 - http.server names them

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def _operation(self, body: bytes) -> str:
            target = self.headers.get("X-Amz-Target", "")
            form = (
                urllib.parse.parse_qs(body.decode("latin-1")) if not target and body[:100].isascii() else {}
            )
            return target.rpartition(".")[2] or form.get("Action", [""])[0]

        def _pass_on(self, body: bytes) -> Answer:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            request = urllib.request.Request(behind + self.path, body or None, headers, method=self.command)
            try:
                with urllib.request.urlopen(request, timeout=20) as told:
                    return Answer(told.status, told.headers.get("Content-Type", ""), told.read())
            except urllib.error.HTTPError as error:
                return Answer(error.code, error.headers.get("Content-Type", ""), error.read())

    return StandIn
