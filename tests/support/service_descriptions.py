"""One reader of botocore's descriptions of services for all sessions of a process: they are megabytes of JSON."""

import contextlib
import functools
from collections.abc import Iterator

import botocore.loaders
import pytest


@contextlib.contextmanager
def read_once() -> Iterator[None]:
    """Let new sessions share what is read, as the clients of one session do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", _shared_loader)
        yield


def _shared_loader(search_path: str | None = None) -> botocore.loaders.Loader:
    loader = _loader_of(search_path)
    loader.search_paths[:] = dict.fromkeys(loader.search_paths)  # each session of boto3 adds its own
    return loader


@functools.cache
def _loader_of(search_path: str | None) -> botocore.loaders.Loader:
    return botocore.loaders.create_loader(search_path)
