"""Unit tests compute on one thread and have no deadline: on busy cores both would only measure the others."""

import sys

import hypothesis
import pytest

hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    """Pin torch, in the modules that have imported it, before their other fixtures compute."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
