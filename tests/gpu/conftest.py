"""What these tests need: without a GPU they are not run, and one that is there and cannot be used fails them."""

import pytest
import torch

from bert_classifier.modeling.gpus import count_gpus, why_no_gpu


@pytest.fixture(autouse=True, scope="session")
def _gpu() -> None:
    """Skip where there is no GPU, or torch is built for CPUs; fail where a GPU does not work."""
    if torch.version.cuda is None:
        pytest.skip("not run on a GPU: this environment's torch is built for CPUs")
    if reason := why_no_gpu():
        pytest.fail(f"this machine has a GPU, but {reason}")
    if not count_gpus():
        pytest.skip("not run on a GPU: this machine has none")
