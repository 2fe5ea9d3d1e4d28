"""On a server's PYTHONPATH: answers to requests with X-Fail break before or behind their head, or at their close."""

from collections.abc import Callable, Iterator
from typing import Any

from bert_classifier.serving.http import app

_MESSAGE = "canary"  # which the lines of a stack must not quote
_create_app = app.create_app


class _Faulty:
    """The parts of an answer of nine bytes, or of five that are whole."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __iter__(self) -> Iterator[bytes]:
        if self._place == "before":
            raise RuntimeError(_MESSAGE)
        yield b"whole"
        if self._place == "iterator":
            raise RuntimeError(_MESSAGE)

    def close(self) -> None:
        if self._place == "close":
            raise RuntimeError(_MESSAGE)


def _create_faulty_app(*arguments: Any) -> Callable[[dict[str, Any], Any], Any]:
    sound: Any = _create_app(*arguments)

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        place = environ.get("HTTP_X_FAIL")
        if place is None:
            return sound(environ, start_response)
        length = "5" if place == "close" else "9"
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", length)])
        return _Faulty(place)

    return application


app.create_app = _create_faulty_app  # type: ignore[assignment]
