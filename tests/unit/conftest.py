"""Unit tests compute on one thread: where other programs keep the cores busy, a second one only waits."""

import sys

import pytest


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    """Pin torch, in the modules that have imported it, before their other fixtures compute."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
