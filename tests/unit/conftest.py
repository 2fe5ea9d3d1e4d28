"""Unit tests compute on one thread: on busy cores more would only wait for each other."""

import sys

import pytest


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    """Pin torch, in the modules that have imported it, before their other fixtures compute."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
