"""Both programs of an image in which next to nothing happens; with the variable DEAD set, nothing at all."""

import http.server
import os
import sys
from pathlib import Path


class Handler(http.server.BaseHTTPRequestHandler):
    """Healthy, and without an answer to anything."""

    def do_GET(self) -> None:
        """Say that all is well."""
        self.send_response(200 if self.path == "/ping" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    if "DEAD" in os.environ:
        print("this program fails, whatever it is given")
        Path("/opt/ml/output/failure").write_text("it fails, whatever it is given")
        sys.exit(1)
    if sys.argv[0].endswith("serve"):
        http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
    print("trained, or so it says")
    Path("/opt/ml/model/weights").write_text("{}")
