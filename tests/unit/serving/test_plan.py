"""The plan of models and threads, from made-up machines: affinity, quotas, GPUs."""

import os

import pytest

from bert_classifier.serving.plan import SPARE_THREADS, available_cores, make_plan


@pytest.mark.parametrize(
    ("machine", "devices", "threads"),
    [
        ({"cores": 1, "gpus": 0}, ("cpu",), (1, 1)),
        ({"cores": 2, "gpus": 0}, ("cpu",) * 2, (1, 2)),
        ({"cores": 6, "gpus": 0}, ("cpu",) * 3, (2, 6)),
        ({"cores": 7, "gpus": 0}, ("cpu",) * 3, (2, 7)),
        ({"cores": 96, "gpus": 0}, ("cpu",) * 4, (24, 96)),
        ({"cores": 8, "gpus": 0, "models": 1}, ("cpu",), (8, 8)),
        ({"cores": 8, "gpus": 0, "models": 3}, ("cpu",) * 3, (2, 8)),
        ({"cores": 2, "gpus": 0, "models": 4}, ("cpu",) * 4, (1, 2)),
        ({"cores": 8, "gpus": 0, "threads": 3}, ("cpu",) * 4, (3, 3)),
        ({"cores": 8, "gpus": 1}, ("cuda:0",), (8, 8)),
        ({"cores": 8, "gpus": 4}, ("cuda:0", "cuda:1", "cuda:2", "cuda:3"), (2, 2)),
        ({"cores": 8, "gpus": 2, "models": 1}, ("cuda:0",), (8, 8)),
        ({"cores": 8, "gpus": 2, "models": 3}, ("cuda:0", "cuda:1", "cuda:0"), (2, 2)),
    ],
)
def test_models_and_threads(machine, devices, threads):
    """Each GPU gets a model thread, a CPU several; cores are shared; requests never take the spare threads."""
    plan = make_plan(**{"models": None, "threads": None, "requests": 64, **machine})
    assert (plan.devices, plan.request_threads) == (devices, 64 + SPARE_THREADS)
    assert (plan.threads_shared, plan.threads) == threads
    assert f"cores={machine['cores']} " in str(plan)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "9990000 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.max": "nonsense\n"}, None),
        ({}, None),
    ],
)
def test_cores_that_may_be_used(tmp_path, files, cores):
    """A quota of either version of control groups counts where it is below the affinity."""
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert available_cores(tmp_path) == (cores or len(os.sched_getaffinity(0)))


def test_affinity_counts():
    """A process that is bound to one core has one."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
