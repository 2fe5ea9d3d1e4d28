"""The memory that a process may use, from made-up control groups of both versions, and from this machine."""

import math

import pytest

from bert_classifier.job.memory_limit import memory_limit

GB = 10**9
MACHINE = "MemTotal:       16000000 kB\nHugePages_Total:       0\nSwapTotal:       1000000 kB\n"
WHOLE = 16_384_000_000


@pytest.mark.parametrize(
    ("groups", "own", "limit"),
    [
        ({}, None, WHOLE),
        ({"memory.max": "max\n"}, "0::/\n", WHOLE),
        ({"memory.max": f"{4 * GB}\n"}, "0::/\n", 4 * GB),
        ({"memory.max": f"{400 * GB}\n"}, "0::/\n", WHOLE),
        ({"docker/a1/memory.max": f"{4 * GB}\n"}, "0::/docker/a1\n", 4 * GB),
        ({"pods/memory.max": f"{2 * GB}\n", "pods/c/memory.max": f"{4 * GB}\n"}, "0::/pods/c\n", 2 * GB),
        ({"docker/other/memory.max": f"{4 * GB}\n"}, "0::/docker/a1\n", WHOLE),
        ({"memory/memory.limit_in_bytes": f"{4 * GB}\n"}, "3:memory:/\n", 4 * GB),
        ({"memory/docker/a1/memory.limit_in_bytes": f"{4 * GB}\n"}, "3:memory:/docker/a1\n", 4 * GB),
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, "3:memory:/\n", WHOLE),
        ({"memory.max": "nonsense\n"}, "nonsense", WHOLE),
    ],
)
def test_the_least_limit_counts_and_swap_comes_on_top(tmp_path, groups, own, limit):
    """Of the machine and of each group around the process; what is no limit is none."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "meminfo").write_text(MACHINE)
    if own is not None:
        (tmp_path / "proc" / "self" / "cgroup").write_text(own)
    for name, content in groups.items():
        path = tmp_path / "sys" / "fs" / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    assert memory_limit(tmp_path) == limit + 1_024_000_000


def test_without_proc_there_is_no_limit(tmp_path):
    """Nothing is known, so nothing is refused."""
    assert memory_limit(tmp_path) == math.inf


def test_this_machine_has_some():
    """More than this process uses, less than a petabyte."""
    assert 10**8 < memory_limit() < 10**15
