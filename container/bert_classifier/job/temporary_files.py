"""The folder for temporary files, which every process of the image needs."""

import contextlib
from collections.abc import Iterator

from bert_classifier.errors import PlatformError


@contextlib.contextmanager
def temporary_files() -> Iterator[None]:
    """Make temporary files or folders inside a `with`.

    Raises:
        PlatformError: when they cannot be made.
    """
    try:
        yield
    except OSError as error:
        raise PlatformError(
            "There is no folder for temporary files.", "Make /tmp writable, or set TMPDIR."
        ) from error
