"""GET /: a self-contained page to try texts in a browser."""

import base64
import hashlib
import re
from pathlib import Path

from flask import Response

_FILE = Path(__file__).with_name("page.html")
_INLINE = {name: re.compile(rf"<{name}>(.*?)</{name}>", re.DOTALL) for name in ("script", "style")}


class Page:
    """The page, with headers that restrict it to what it needs."""

    def __init__(self) -> None:
        self._html = _FILE.read_text(encoding="utf-8")
        self._policy = _policy(self._html)

    def answer(self) -> Response:
        """Return the page."""
        response = Response(self._html, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = self._policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


def _policy(html: str) -> str:
    """Return the policy that allows only the page's own script and style, by digest, and requests to this server."""
    allowed = "; ".join(
        f"{name}-src {' '.join(_digest(part) for part in parts.findall(html))}"
        for name, parts in _INLINE.items()
    )
    nothing_else = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return f"{nothing_else}; connect-src 'self'; img-src data:; {allowed}"


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
