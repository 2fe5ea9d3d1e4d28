"""The cores that a process may keep busy, from made-up control groups of both versions, and from real affinity."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from bert_classifier.job.cpu_quota import available_cores

ALL = len(os.sched_getaffinity(0))
V1 = "12:cpuset:/\n4:cpu,cpuacct:{}\n1:name=systemd:/\n"
V2 = "0::{}\n"
ONE = "100000 100000\n"


def quota(folder: str, microseconds: int) -> dict[str, str]:
    """Return the files of version 1 that grant so much of every 100 ms."""
    return {f"{folder}cpu.cfs_quota_us": f"{microseconds}\n", f"{folder}cpu.cfs_period_us": "100000\n"}


def make_root(folder: Path, groups: Mapping[str, str], own: str | None) -> Path:
    """Return a root with these files of control groups; `own` is what /proc says of the process' groups."""
    for name, content in groups.items():
        path = folder / "sys" / "fs" / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    if own is not None:
        (folder / "proc" / "self").mkdir(parents=True)
        (folder / "proc" / "self" / "cgroup").write_text(own)
    return folder


@pytest.mark.parametrize(
    ("files", "own", "cores"),
    [
        # Version 2, a container that sees its own group as the root.
        ({"cpu.max": "max 100000\n"}, V2.format("/"), ALL),
        ({"cpu.max": ONE}, V2.format("/"), 1),
        ({"cpu.max": "50000 100000\n"}, V2.format("/"), 1),
        ({"cpu.max": "199000 100000\n"}, V2.format("/"), 1),
        ({"cpu.max": "9990000 100000\n"}, V2.format("/"), ALL),
        ({"cpu.max": ONE}, None, 1),
        # The same without a namespace of its own, and with the limit on a group around it, as Kubernetes sets it.
        ({"docker/a1/cpu.max": ONE}, V2.format("/docker/a1"), 1),
        ({"pods/cpu.max": ONE, "pods/p/c/cpu.max": "max 100000\n"}, V2.format("/pods/p/c"), 1),
        ({"docker/other/cpu.max": ONE}, V2.format("/docker/a1"), ALL),
        ({"cpu.max": ONE}, V2.format("/../a1"), 1),
        # Version 1.
        (quota("cpu/", 100_000), V1.format("/"), 1),
        (quota("cpu/", 100_000), V1.format("/docker/a1"), 1),
        (quota("cpu/docker/a1/", 100_000), V1.format("/docker/a1"), 1),
        (quota("cpu/", -1) | quota("cpu/docker/a1/", 50_000), V1.format("/docker/a1"), 1),
        (quota("cpu/", -1), V1.format("/"), ALL),
        # Both mounted at once, and what is no limit.
        (quota("cpu/docker/a1/", 100_000), V1.format("/docker/a1") + V2.format("/docker/a1"), 1),
        ({"cpu.max": "nonsense\n"}, V2.format("/"), ALL),
        ({"cpu.max": "0 0\n"}, "nonsense", ALL),
        ({}, None, ALL),
    ],
)  # fmt: skip
def test_a_quota_counts_where_it_is_below_the_affinity(tmp_path, files, own, cores):
    """Whole cores of the least quota of all groups around the process, and one at least."""
    assert available_cores(make_root(tmp_path, files, own)) == cores


@pytest.mark.parametrize(
    ("limit", "cores"), [(100_000, 1), (250_000, 2), (400_000, 4), (790_000, 7), (900_000, 8)]
)
def test_parts_of_cores_do_not_count(tmp_path, monkeypatch, limit, cores):
    """On a machine of eight."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert available_cores(make_root(tmp_path, {"cpu.max": f"{limit} 100000"}, V2.format("/"))) == cores


def test_affinity_counts():
    """A process that is bound to one core has one."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
