"""An answer that may fail when its head has been sent: then no other answer can be given."""

import errno
from collections.abc import Iterable, Iterator

from bert_classifier.serving.http import answers


class BrokenAnswerError(ConnectionAbortedError):
    """The answer cannot be finished. To gunicorn the peer has left: it closes the connection and does no more."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the answer could not be finished")


class GuardedAnswer:
    """A WSGI application's answer, whose bugs are logged under an id, without a word of any text."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        """Yield the parts.

        Raises:
            BrokenAnswerError: for whatever is raised after the first part; before it, an error can still be answered.
        """
        has_begun = False
        parts = iter(self._body)
        while True:
            try:
                part = next(parts)
            except StopIteration:
                return
            except Exception as error:
                if not has_begun:
                    raise
                answers.log_bug(error)
                raise BrokenAnswerError from error
            has_begun = True
            yield part

    def close(self) -> None:
        """Close the answer; what fails then is logged, as all of it has been sent."""
        try:
            getattr(self._body, "close", lambda: None)()
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection is sound
            answers.log_bug(error)
