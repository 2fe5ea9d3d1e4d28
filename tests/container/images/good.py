"""Both programs of a small image that keeps SageMaker's contract, with the standard library alone: fits y = a·x + b."""

import http.server
import json
import os
import signal
import sys
import time
from pathlib import Path

ML = Path("/opt/ml")
LARGEST = 2_000_000  # bytes of a body


def train() -> int:
    """Fit the line, or leave the reason in the failure file."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    try:
        hosts = json.loads((ML / "input/config/resourceconfig.json").read_text())
        settings = json.loads((ML / "input/config/hyperparameters.json").read_text())
        epochs = int(str(settings.get("epochs", "10")).strip('"'))
        lines = [line for path in sorted((ML / "input/data/train").glob("*.csv")) for line in path.open()]
        points = [tuple(map(float, line.split(","))) for line in lines]
        if not points:
            raise ValueError("the channel train has no rows in *.csv")
    except (OSError, ValueError) as error:
        print(f"cannot train: {error}", flush=True)
        (ML / "output/failure").write_text(f"cannot train: {error}"[:1024])
        return 1
    if hosts["current_host"] != min(hosts["hosts"]):
        print("the first host trains alone", flush=True)
        return 0
    fit(points, epochs, stopped)
    return 0


def fit(points: list[tuple[float, ...]], epochs: int, stopped: list[int]) -> None:
    """Descend along the gradient from the newest checkpoint on, and write the model."""
    newest = ML / "checkpoints/state.json"
    state = json.loads(newest.read_text()) if newest.exists() else {"epoch": 0, "a": 0.0, "b": 0.0}
    while state["epoch"] < epochs and not stopped:
        errors = [(state["a"] * x + state["b"] - y, x) for x, y in points]
        state["a"] -= 0.01 * sum(error * x for error, x in errors) / len(errors)
        state["b"] -= 0.01 * sum(error for error, _ in errors) / len(errors)
        state["epoch"] += 1
        print(f"epoch {state['epoch']}", flush=True)
        part = newest.with_suffix(".part")
        part.write_text(json.dumps(state))
        part.replace(newest)
        time.sleep(0.1)
    print(f"finished: resumed or trained up to epoch {state['epoch']}", flush=True)
    (ML / "model/line.json").write_text(json.dumps({"a": state["a"], "b": state["b"]}))


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers /ping, and a number for each line of /invocations."""

    protocol_version = "HTTP/1.1"  # with which the library answers 100 Continue
    line: dict[str, float]

    def do_GET(self) -> None:
        self.answer(200 if self.path == "/ping" else 404)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        media_type, _, parameter = self.headers.get("Content-Type", "").partition("; ")
        if self.path == "/ping":
            self.answer(200)
        elif media_type != "text/csv":
            self.refuse(415, f"{media_type} is not read: send the Content-Type text/csv")
        elif len(body) > LARGEST:
            self.refuse(413, "send less")
        else:
            lines = body.decode("utf-8", "replace").splitlines()[parameter == "header=present" :]
            self.answer(200, "\n".join(map(self.predict, lines)).encode())

    def refuse(self, status: int, reason: str) -> None:
        """Say what is wrong."""
        self.answer(status, json.dumps({"error": reason, "code": str(status)}).encode())

    def predict(self, text: str) -> str:
        """Return the line's y at x, or what is wrong with x."""
        try:
            return f"{self.line['a'] * float(text) + self.line['b']:.6f}"
        except ValueError:
            return "error: not a number"

    def answer(self, status: int, body: bytes = b"") -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)


class Server(http.server.ThreadingHTTPServer):
    """Waits for its threads in the end, and knows when nobody asks any more."""

    daemon_threads = False
    request_queue_size = 64
    timeout = 0.3
    is_idle = False

    def handle_timeout(self) -> None:
        self.is_idle = True


def serve() -> int:
    """Load the model, then serve until SIGTERM, and finish the requests under way."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    Handler.line = json.loads((ML / "model/line.json").read_text())
    with Server(("0.0.0.0", int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))), Handler) as server:
        while not (stopped and server.is_idle):
            server.is_idle = False
            server.handle_request()
    return 0


if __name__ == "__main__":
    sys.exit(train() if "train" in sys.argv[0] else serve())
