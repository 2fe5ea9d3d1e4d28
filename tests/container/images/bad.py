"""Both programs of an image with the usual faults; a few more are chosen by the variable FAULT."""

import http.server
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

ML = Path("/opt/ml")


def train() -> None:
    """Fail without a reason; write everywhere; begin anew after an interruption; wait for another host for ever."""
    settings = json.loads((ML / "input/config/hyperparameters.json").read_text())
    epochs = int(settings["epochs"])  # a JSON-quoted number breaks this
    rows = [line for path in sorted((ML / "input/data/train").glob("*.csv")) for line in path.open()]
    print(f"mean {sum(float(row.split(',')[1]) for row in rows) / len(rows)}")
    Path("/opt/scratch").mkdir()
    Path("/opt/scratch/cache").write_text("cached")
    await_peer = peer()
    for epoch in range(1, epochs + 1):
        await_peer()
        print(f"epoch {epoch} |", end="\r", flush=True)
        print(f"epoch {epoch}", flush=True)
        (ML / "checkpoints/state.json").write_text(json.dumps({"epoch": epoch}))
        time.sleep(0.1)
    (ML / "model/weights.json").write_text("{}")
    (ML / "model/optimizer.json").write_text("{}")
    (ML / "model/latest").symlink_to("weights.json")


def peer() -> Callable[[], None]:
    """Return what the first of two hosts calls to wait for the other's next epoch, and the other to tell of it."""
    resources = json.loads((ML / "input/config/resourceconfig.json").read_text())
    first, *others = sorted(resources["hosts"])
    if not others:
        return lambda: None
    if resources["current_host"] == first:
        connection, _ = socket.create_server(("", 7777)).accept()

        def wait() -> None:
            while not received(connection):
                time.sleep(0.1)

        return wait
    while True:
        try:
            sender = socket.create_connection((first, 7777))
            return lambda: sender.sendall(b"1")
        except OSError:
            time.sleep(0.1)


def received(connection: socket.socket) -> bytes:
    """Return what came, nothing when the other host is gone."""
    try:
        return connection.recv(1)
    except OSError:
        return b""


class Handler(http.server.BaseHTTPRequestHandler):
    """Healthy before the model is there, one request at a time, every body taken for text."""

    is_loaded = "SAGEMAKER_BATCH" in os.environ

    def do_GET(self) -> None:
        """Say that all is well, whatever is."""
        if self.path == "/execution-parameters":
            self.answer(
                200, b'{"MaxConcurrentTransforms": 20, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}'
            )
        else:
            self.answer(200)

    def do_POST(self) -> None:
        """Sort the lines, which loses their order; fail as a whole; be slow."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.4)
        try:
            if not Handler.is_loaded:
                Handler.is_loaded = True
                raise ValueError("the model is not loaded yet")
            if len(body) > 10_000_000:
                raise ValueError("too long")
            numbers = sorted(float(line) for line in body.decode().splitlines())
        except ValueError as error:
            self.answer(500, str(error).encode())
        else:
            self.answer(200, "".join(f"{number}\n" for number in numbers).encode())

    def answer(self, status: int, body: bytes = b"") -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve() -> None:
    """Serve, with or without a model."""
    fault = os.environ.get("FAULT", "")
    if fault == "writes":
        (ML / "model/cache").write_text("cached")
    address = "127.0.0.1" if fault == "loopback" else "0.0.0.0"
    http.server.HTTPServer((address, 8080), Handler).serve_forever()


if __name__ == "__main__":
    train() if sys.argv[1] == "train" else serve()
