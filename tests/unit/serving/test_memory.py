"""Memory that has run out is found by trying, with the limit that a process really has."""

import mmap
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from bert_classifier.serving.memory import has_run_out


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Lower the limit of this process' address space to what it has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    _limit(more=0)
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def _limit(more: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, hard))


@pytest.mark.usefixtures("nothing_left")
def test_libraries_call_it_by_other_names():
    """What torch raises counts; an error of another kind does not, even at such a time."""
    answers = [has_run_out(error) for error in (RuntimeError("no primitive"), MemoryError(), ValueError())]
    assert answers == [True, True, False]


@pytest.mark.usefixtures("nothing_left")
def test_what_failed_functions_held_counts_as_free():
    """A call that asked for too much by itself leaves room for smaller ones."""

    def ask_for_too_much() -> None:
        held = mmap.mmap(-1, 64 * 2**20)
        raise MemoryError(f"after {len(held)} bytes")

    _limit(more=80 * 2**20)
    with pytest.raises(MemoryError) as caught:
        ask_for_too_much()
    assert not has_run_out(caught.value)


def test_where_there_is_memory_it_is_another_error():
    """One request that was too large by itself ends no worker."""
    assert not has_run_out(MemoryError())
    assert not has_run_out(RuntimeError())
