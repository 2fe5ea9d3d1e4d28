"""Why a GPU is not used, by the exact messages of torch's build for CUDA 13.0."""

import pytest
import torch

from bert_classifier.errors import UserError
from bert_classifier.modeling import gpus
from bert_classifier.training.device import choose_device
from support.clear_text import assert_clear

OLD_DRIVER = (
    "The NVIDIA driver on your system is too old (found version 12020). Please update your GPU driver by downloading"
    " and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx Alternatively, go to:"
    " https://pytorch.org to install a PyTorch version that has been compiled with your version of the CUDA driver."
)
NO_DRIVER = (
    "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver from"
    " http://www.nvidia.com/Download/index.aspx"
)
MIXED_DRIVER = (
    "Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling NumCudaDevices() that"
    " might have already set an error? Error 803: system has unsupported display driver / cuda driver combination"
)
NVRM = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n"
    "GCC version:  gcc version 10.5.0\n"
)


@pytest.fixture
def old_host(monkeypatch, tmp_path):
    """Make this machine one with a GPU's device and driver; torch's CUDA does not start, for a reason to be set."""
    (tmp_path / "nvidia0").touch()
    (tmp_path / "version").write_text(NVRM, encoding="utf-8")
    monkeypatch.setattr(gpus, "_DEVICE", tmp_path / "nvidia0")
    monkeypatch.setattr(gpus, "_DRIVER", tmp_path / "version")
    monkeypatch.setattr(torch.version, "cuda", "13.0")

    def refuse(message: str) -> None:
        def init() -> None:
            raise RuntimeError(message)

        monkeypatch.setattr(torch.cuda, "init", init)

    return refuse


def test_a_machine_without_a_gpu_gets_no_message(monkeypatch, tmp_path):
    """The usual CPU instance."""
    monkeypatch.setattr(gpus, "_DEVICE", tmp_path / "none")
    assert gpus.why_no_gpu() == ""


def test_the_cpu_build_is_the_reason_before_any_driver(old_host, monkeypatch):
    """This environment's own torch, which has no CUDA at all."""
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "torch is built for CPUs" in gpus.why_no_gpu()


def test_an_old_driver_is_reported_with_both_versions(old_host):
    """What it goes up to, what torch was built for, and the number that its makers and SageMaker know it by."""
    old_host(OLD_DRIVER)
    reason = gpus.why_no_gpu()
    assert "driver 535.183.01 goes as far as CUDA 12.2" in reason
    assert "built for CUDA 13.0" in reason
    assert "INFERENCE_AMI_VERSION" in reason
    assert "nvidia.com" not in reason


@pytest.mark.parametrize("message", [NO_DRIVER, MIXED_DRIVER])
def test_what_else_keeps_cuda_from_starting_is_reported_in_its_own_words(old_host, message):
    """No libraries of the driver in the container, or some of another driver."""
    old_host(message)
    reason = gpus.why_no_gpu()
    assert message[:200] in reason
    assert "too old" not in reason


def test_a_gpu_without_kernels_is_refused_by_its_capability(monkeypatch):
    """With a good driver torch sees a V100, and would fail at its first kernel, as if by a bug."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla V100-SXM2-16GB")
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_80", "sm_120"])
    with pytest.raises(UserError) as caught:
        choose_device()
    assert "Tesla V100-SXM2-16GB: its compute capability is 7.0, the kernels are for sm_75" in str(
        caught.value
    )
    assert_clear(caught.value)


def test_training_says_once_why_it_goes_on_the_cpu(old_host, caplog):
    """By the first rank of a host; `device_count` would count the GPU that the driver cannot run."""
    old_host(OLD_DRIVER)
    assert choose_device(0) == choose_device(1) == torch.device("cpu")
    assert [
        record.getMessage() for record in caplog.records if "training uses its CPU" in record.getMessage()
    ] == [caplog.records[-1].getMessage()]
