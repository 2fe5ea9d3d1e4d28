"""What was freed is given back; memory that has run out is found by trying, with a limit that a process really has."""

import mmap
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bert_classifier.serving.memory import has_run_out
from support.source_tree import CONTAINER


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


# Blocks that lie in the heap, freed but for the last one: the C library keeps what lies below it.
_FREES = """
from pathlib import Path
from bert_classifier.serving.memory import give_back_freed

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

blocks = [bytearray(100_000) for _ in range(1_000)]
last = blocks.pop()
before = resident()
del blocks
kept = resident()
give_back_freed()
print(before - kept, before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the call")
def test_what_was_freed_leaves_the_process():
    """In one of its own, whose heap is not yet in pieces."""
    done = subprocess.run(
        [sys.executable, "-c", _FREES],
        env={**os.environ, "PYTHONPATH": str(CONTAINER)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    by_itself, in_all = map(int, done.stdout.split())
    assert by_itself < 10_000_000 < 80_000_000 < in_all


# Threads that hold a block each, of a size that the C library takes from a heap.
_ALLOCATES = """
import ctypes, sys, threading
from bert_classifier.serving.memory import share_arenas

if sys.argv[1] == "shared":
    share_arenas()
enough = threading.Barrier(13)

def hold():
    block = bytearray(50_000)
    enough.wait()
    enough.wait()

for _ in range(12):
    threading.Thread(target=hold).start()
enough.wait()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
enough.wait()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the call")
@pytest.mark.parametrize(("kind", "most"), [("shared", 2), ("own", 12)])
def test_threads_share_two_heaps(kind, most):
    """Else each of a dozen has its own, which keeps what it needed most."""
    done = subprocess.run(
        [sys.executable, "-c", _ALLOCATES, kind],
        env={**os.environ, "PYTHONPATH": str(CONTAINER)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    heaps = done.stdout.count("<heap nr=")
    assert heaps <= 2 if kind == "shared" else 2 < heaps <= most + 1
