"""GET /: a self-contained page to try texts in a browser. GET /model: what it shows of the model."""

import base64
import hashlib
import math
import re
from collections.abc import Sequence
from pathlib import Path

from flask import Response

from bert_classifier.serving.http.answers import json_response
from bert_classifier.serving.http.invocations import Service, refuse_if_not_ready
from bert_classifier.serving.http.lean_flask import Answer

_FILE = Path(__file__).with_name("page.html")
_INLINE = {name: re.compile(rf"<{name}>(.*?)</{name}>", re.DOTALL) for name in ("script", "style")}


class Page:
    """The page, with headers that restrict it to what it needs."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._html = _FILE.read_text(encoding="utf-8")
        self._policy = _policy(self._html)

    def answer(self) -> Response:
        """Return the page."""
        response = Answer(self._html, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = self._policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def describe_model(self) -> Response:
        """Return what is known of the model as JSON: the page knows nothing of it otherwise, and escapes it all.

        Raises:
            RequestError: 503 while the model is not ready.
        """
        service = self._service
        refuse_if_not_ready(service)
        known = {
            **service.about,
            "labels": list(service.labels),
            "abstain_below": service.abstain_below,
            "task": service.facts.task,
            "thresholds": _finite(service.thresholds),
            "is_paired": service.fields.is_paired,
        }
        response = json_response(200, known)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response


def _finite(thresholds: Sequence[float] | None) -> list[float | None] | None:
    """Return thresholds in JSON values: None for a label that is never answered."""
    return None if thresholds is None else [value if math.isfinite(value) else None for value in thresholds]


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
