"""Flask without what nothing here uses, which was a third of the time of a request outside the model."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.datastructures import Headers

_NO_SESSION = NullSession()


class Answer(Response):
    """A response whose body is at hand as a string, so that its headers are complete from the start."""

    def get_wsgi_headers(self, environ: "WSGIEnvironment") -> "Headers":
        """Return the headers, with the Content-Length that the body has given them."""
        return self.headers


class _NoSessions(SessionInterface):
    def open_session(self, app: Flask, request: Request) -> NullSession:
        return _NO_SESSION


class LeanFlask(Flask):
    """Views that are plain functions and return an Answer; no blueprints, signals, sessions, hooks or host names.

    A subclass may do more in process_response, which gets every answer.
    """

    session_interface = _NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function itself: to look whether it is a coroutine takes a tenth of a ping."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what finds a request's view by its path and method alone."""
        if request is None:
            return None
        path = request.environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        return MapAdapter(self.url_map, "localhost", "/", "", "http", path, request.method)

    def full_dispatch_request(self) -> Response:
        """Return the answer of the view, or that of an error's handler."""
        try:
            answer = self.dispatch_request()
        except Exception as error:  # noqa: BLE001 - it has a handler
            answer = self.handle_user_exception(error)
        return self.process_response(answer)  # type: ignore[arg-type] # views and handlers return nothing else

    def process_response(self, response: Response) -> Response:
        """Return the response as it is."""
        return response

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        """Do nothing at the end of a request."""

    def do_teardown_appcontext(self, exc: BaseException | None = None) -> None:
        """Do nothing at the end of a request."""
