"""Requests and answers as SageMaker's Data Capture writes them, recorded from a server that really answers."""

import base64
import http.client
import json
from pathlib import Path
from typing import Any

from support.patience import PATIENCE_S
from support.serving_process import ServingProcess

# What an endpoint's CaptureContentTypeHeader names, as the SDK sets it; all else is captured in base64.
_AS_TEXT = {"text/csv": "CSV", "application/json": "JSON"}
MOMENT = "2026-11-28T12:34:56Z"


def side(mode: str, content_type: str, body: bytes) -> dict[str, Any]:
    """Return endpointInput or endpointOutput."""
    encoding = _AS_TEXT.get(content_type.partition(";")[0], "BASE64")
    data = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode()
    return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}


def line(
    request: tuple[str, bytes] | None, answer: tuple[str, bytes] | None, moment: str = MOMENT, number: int = 0
) -> str:
    """Return a line of Data Capture for two pairs of Content-Type and body; None = that side is not captured."""
    captured = {}
    if request:
        captured["endpointInput"] = side("INPUT", *request)
    if answer:
        captured["endpointOutput"] = side("OUTPUT", *answer)
    metadata = {"eventId": f"e-{number}", "inferenceId": f"i-{number}", "inferenceTime": moment}
    return json.dumps({"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"})


class Recorder:
    """Sends requests to a server, and keeps them with their answers below a folder, by the hour as SageMaker does."""

    def __init__(self, server: ServingProcess, folder: Path) -> None:
        self._server = server
        self._lines: list[str] = []
        self.folder = folder

    def send(self, content_type: str, body: bytes | str, moment: str = MOMENT, **headers: str) -> bytes:
        """Send a request; return its answer."""
        sent = body.encode() if isinstance(body, str) else body
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=PATIENCE_S)
        try:
            connection.request("POST", "/invocations", sent, {"Content-Type": content_type, **headers})
            response = connection.getresponse()
            answer, answer_type = response.read(), response.getheader("Content-Type", "")
        finally:
            connection.close()
        self._lines.append(line((content_type, sent), (answer_type, answer), moment, len(self._lines)))
        return answer

    def save(self) -> Path:
        """Write what was sent since the last time into two files of two hours; return the folder."""
        half = (len(self._lines) + 1) // 2
        for hour, lines in (("11", self._lines[:half]), ("12", self._lines[half:])):
            path = self.folder / "AllTraffic" / "2026" / "11" / "28" / hour / "34-56-789-0a1b2c3d.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{each}\n" for each in lines), encoding="utf-8")
        self._lines = []
        return self.folder
