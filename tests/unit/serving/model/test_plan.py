"""The plan of models and threads, from made-up machines: cores and GPUs."""

import pytest

from bert_classifier.serving.model.plan import SPARE_THREADS, make_plan


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
        ({"cores": 8, "gpus": 1}, ("cuda:0",) * 2, (4, 4)),
        ({"cores": 8, "gpus": 2}, ("cuda:0", "cuda:1", "cuda:0", "cuda:1"), (2, 2)),
        ({"cores": 8, "gpus": 2, "models": 1}, ("cuda:0",), (8, 8)),
        ({"cores": 8, "gpus": 2, "models": 3}, ("cuda:0", "cuda:1", "cuda:0"), (2, 2)),
    ],
)
def test_models_and_threads(machine, devices, threads):
    """Each GPU gets two model threads, a CPU several; cores are shared; requests never take the spare threads."""
    plan = make_plan(**{"models": None, "threads": None, "requests": 64, **machine})
    assert (plan.devices, plan.request_threads) == (devices, 64 + SPARE_THREADS)
    assert (plan.threads_shared, plan.threads) == threads
    assert f"cores={machine['cores']} " in str(plan)
