"""What these tests need: without a GPU they are not run, and one that is there and cannot be used fails them."""

from pathlib import Path

import pytest
import torch

from bert_classifier.modeling.gpus import count_gpus, why_no_gpu

_HERE = Path(__file__).parent
# A later rule prevails over an earlier one. A warning about how a library is used is an error if a line of this project
# causes it. Hints about the GPU (TF32, a context not made yet) are torch's own, whichever line they name.
_WARNINGS = (
    "default",
    "error:::(bert_classifier|support|tests)",
    "default::UserWarning",
    "error::pytest.PytestUnhandledThreadExceptionWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Limit the strictness about warnings to this project's code: torch warns of much on a GPU."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.filterwarnings(*_WARNINGS), append=False)


@pytest.fixture(autouse=True, scope="session")
def _gpu() -> None:
    """Skip where there is no GPU, or torch is built for CPUs; fail where a GPU does not work."""
    if torch.version.cuda is None:
        pytest.skip("not run on a GPU: this environment's torch is built for CPUs")
    if reason := why_no_gpu():
        pytest.fail(f"this machine has a GPU, but {reason}")
    if not count_gpus():
        pytest.skip("not run on a GPU: this machine has none")


@pytest.fixture(scope="session")
def bf16(_gpu: None) -> None:
    """Skip on a GPU that does not compute in bf16."""
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("this GPU has no bf16")
