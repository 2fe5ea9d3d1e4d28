"""A save that is killed at any of its system calls, as the kernel sees them, costs at most itself."""

import collections
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from bert_classifier.training.state.store import KEEP, CheckpointStore
from support.toy_checkpoint import FINGERPRINT, assert_same, make_checkpoint

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="this machine has no strace")

_CALL = re.compile(r"^(\w+)\(", re.MULTILINE)


def save_under_strace(folder: Path, *options: str) -> tuple[int, str]:
    """Save checkpoint KEEP + 1 in a forked process that strace watches; return its exit code and the trace."""
    folder.mkdir()
    store = CheckpointStore(folder, FINGERPRINT)
    for step in range(1, KEEP + 1):
        store.save(make_checkpoint(step))
    new = make_checkpoint(KEEP + 1)
    gate, opener = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.read(gate, 1)
            store.save(new)
            os._exit(0)
        finally:
            os._exit(9)
    trace = folder.with_suffix(".trace")
    command = ["strace", "-o", str(trace), *options, "-p", str(child)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        line = tracer.stderr.readline()
        os.write(opener, b"x")
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(gate)
        os.close(opener)
    if "attached" not in line:
        pytest.skip(f"strace may not watch processes here: {line.strip()}")
    return code, trace.read_text()


def test_a_kill_at_every_system_call_of_a_save_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    """Killed as it enters each call in turn, rename and deletion included, the next start finds one of the two."""
    code, trace = save_under_strace(tmp_path / "undisturbed")
    assert code == 0
    calls = collections.Counter(_CALL.findall(trace)) - collections.Counter({"exit_group": 1})
    assert {"openat", "write", "fsync", "rename", "unlink"} <= calls.keys()
    found_steps = set()
    for name, count in calls.items():
        for number in range(1, count + 1):
            folder = tmp_path / f"{name}-{number}"
            code, _ = save_under_strace(folder, "-e", f"inject={name}:signal=KILL:when={number}")
            assert code in (-signal.SIGKILL, 0), folder.name  # 0: memory was asked for less often this time
            store = CheckpointStore(folder, FINGERPRINT)
            store.remove_leftovers()
            found = store.load_newest()
            assert found is not None, folder.name
            assert_same(found, make_checkpoint(found.step))
            assert len(list(folder.iterdir())) >= KEEP
            found_steps.add(found.step)
    assert found_steps == {KEEP, KEEP + 1}
