"""Memory that has run out is found by trying, with the limit that a process really has."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from bert_classifier.serving.memory import has_run_out


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Lower the limit of this process' address space to what it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize(), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.usefixtures("nothing_left")
def test_libraries_call_it_by_other_names():
    """What torch raises counts; an error of another kind does not, even at such a time."""
    answers = [has_run_out(error) for error in (RuntimeError("no primitive"), MemoryError(), ValueError())]
    assert answers == [True, True, False]


def test_where_there_is_memory_it_is_another_error():
    """One request that was too large by itself ends no worker."""
    assert not has_run_out(MemoryError())
    assert not has_run_out(RuntimeError())
