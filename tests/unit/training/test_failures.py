"""How a rank's end reaches the launcher, and through it the failure file."""

from typing import Any

import pytest
import torch
import torch.distributed as dist
from transformers import XmodConfig, XmodForSequenceClassification

from bert_classifier.errors import ContainerError, PlatformError, UserError, exit_code_of, failure_text
from bert_classifier.training.distributed import _peer_errors
from bert_classifier.training.failures import Outcome, PeerLostError, classify_error
from support.clear_text import assert_clear

LOST = PeerLostError("Contact is lost.", "Look.", is_timeout=True)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (
            UserError("The data are odd.", "Mend them."),
            2,
            "UserError: Rank 1 on algo-2: The data are odd. Mend them.",
        ),
        (
            PlatformError("A disk failed.", "Look."),
            3,
            "PlatformError: Rank 1 on algo-2: A disk failed. Look.",
        ),
        (LOST, 3, "PlatformError: Rank 1 on algo-2: Contact is lost. Look."),
        (
            ZeroDivisionError("by zero"),
            1,
            "InternalError: Rank 1 on algo-2: ZeroDivisionError: by zero This is a bug",
        ),
    ],
)
def test_family_cause_and_remedy_survive_the_way_through_the_file(tmp_path, error, code, text):
    """What the rank failed with is what the launcher raises, with the rank's name."""
    Outcome.of_failure(error).save(tmp_path / "outcome")
    found = Outcome.load(tmp_path / "outcome")
    assert found is not None
    failure = found.error("Rank 1 on algo-2")
    assert isinstance(failure, ContainerError)
    assert exit_code_of(failure) == code
    assert failure_text(failure).startswith(text)


def test_the_loss_of_another_rank_is_told_apart():
    """A consequence is not the reason; whether it was silence decides who is to blame."""
    assert Outcome.of_failure(LOST) == Outcome(
        "", "PlatformError", "Contact is lost.", "Look.", is_consequence=True, saw_timeout=True
    )
    gone = PeerLostError("Contact is lost.", "Look.", is_timeout=False)
    assert not Outcome.of_failure(gone).saw_timeout
    assert not Outcome.of_failure(PlatformError("A disk failed.", "Look.")).is_consequence


@pytest.mark.parametrize("content", [None, "", "{", '{"other": 1}', "[]"])
def test_a_rank_without_a_readable_outcome_has_none(tmp_path, content):
    """Killed before or while it wrote: the launcher goes by the exit code."""
    if content is not None:
        (tmp_path / "outcome").write_text(content)
    assert Outcome.load(tmp_path / "outcome") is None


def test_an_outcome_that_cannot_be_written_does_not_hide_the_failure(tmp_path, caplog):
    """A full disk is logged."""
    Outcome(stopped="SIGTERM").save(tmp_path / "missing" / "outcome")
    assert "cannot write" in caplog.text


# As torch and NCCL word them: c10/cuda/CUDACachingAllocator.cpp, NCCLUtils.cpp (getNcclErrorDetailStr), and NCCL's
# CUDACHECK and ncclCudaMalloc, whose last words come after "Last error:".
_NCCL = (
    "NCCL error in: ../torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp:3699, unhandled cuda error (run with"
    " NCCL_DEBUG=INFO for details), NCCL version 2.27.3\nncclUnhandledCudaError: Call to CUDA function failed.\n"
)
SHORTAGES = {
    "torch": (
        torch.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 14.56 GiB of which 1.81 GiB"
            " is free."
        ),
        "The GPU ran out of memory.",
    ),
    "asynchronous": (
        torch.AcceleratorError(
            "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"
        ),
        "The GPU ran out of memory.",
    ),
    "cublas": (
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        "The GPU ran out of memory.",
    ),
    "nccl": (
        dist.DistBackendError(f"{_NCCL}Last error:\nCuda failure 2 'out of memory'"),
        "The GPU ran out of memory.",
    ),
    "nccl's buffers": (
        dist.DistBackendError(f"{_NCCL}Last error:\nFailed to CUDA calloc async 4194304 bytes"),
        "The GPU ran out of memory.",
    ),
    "shared memory": (
        dist.DistBackendError(
            "NCCL error in: ../torch/csrc/distributed/c10d/NCCLUtils.cpp:94, unhandled system error (run with"
            " NCCL_DEBUG=INFO for details), NCCL version 2.27.3\nncclSystemError: System call (e.g. socket, malloc) or"
            " external library call failed or device error. \nLast error:\nError while creating shared memory segment"
            " /dev/shm/nccl-vO9gWq (size 9637888), error: No space left on device (28)"
        ),
        "The container's shared memory (/dev/shm) is too small",
    ),
    "this machine": (
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"
            " allocate 4503599627370496 bytes. Error code 12 (Cannot allocate memory)"
        ),
        "The instance ran out of memory.",
    ),
}


def raised_between_ranks(error: Exception) -> Exception:
    """Return what an error becomes that a call to the other ranks raises, as the program's boundary tells it."""
    with pytest.raises(Exception) as caught, _peer_errors():
        raise error
    return classify_error(caught.value)


@pytest.mark.parametrize("name", SHORTAGES)
def test_want_of_memory_between_ranks_is_no_lost_rank(name):
    """It is this rank's own failure, not the loss of another, and the message says what helps."""
    error, cause = SHORTAGES[name]
    failure = raised_between_ranks(error)
    assert isinstance(failure, PlatformError)
    assert not isinstance(failure, PeerLostError)
    assert failure.cause.startswith(cause)
    assert_clear(failure)
    assert not Outcome.of_failure(failure).is_consequence


def test_memory_that_truly_runs_out_between_ranks_is_reported_as_such():
    """The real allocator's words, on this machine."""
    with pytest.raises(RuntimeError) as caught, _peer_errors():
        torch.empty(2**50)
    assert classify_error(caught.value).args[0].startswith("The instance ran out of memory.")


NCCL_REMOTE = (
    "NCCL error in: ../NCCLUtils.cpp:94, remote process exited or there was a network error, NCCL version 2.27.3\n"
    "ncclRemoteError: A call failed possibly due to a network error or a remote process exiting prematurely.\n"
    "Last error:\nsocketProgress: Connection closed by remote peer"
)
ENDED, SILENT = "another process has ended", "another process did not respond in time"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("[..gloo/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:4711"), ENDED),
        (RuntimeError("[/g/pair.cc:534] Read error [127.0.0.1]:4711: Connection reset by peer"), ENDED),
        (dist.DistNetworkError("Failed to recv, got 0 bytes. Connection was likely closed."), ENDED),
        (dist.DistBackendError(NCCL_REMOTE), ENDED),
        (RuntimeError("[/g/unbound_buffer.cc:81] Timed out waiting 5000ms for recv operation"), SILENT),
        (dist.DistStoreError("wait timeout after 900000ms, keys: /default_pg/0//cpu//0"), SILENT),
        (
            dist.DistBackendError(f"{_NCCL}Last error:\nCuda failure 999 'unknown error'"),
            "a collective call failed",
        ),
    ],
)
def test_what_is_said_of_another_rank_is_what_the_library_knows(error: Any, words: str):
    """That it has ended or is silent is claimed only of what says so; the last words of NCCL are quoted."""
    failure = raised_between_ranks(error)
    assert isinstance(failure, PeerLostError)
    assert words in failure.cause
    assert failure.is_timeout == ("in time" in words)
    if "unknown" in str(error):
        assert "has ended" not in failure.cause
        assert "Cuda failure 999 'unknown error'" in failure.cause


# As c10/cuda/CUDAException.cpp and ATen/cuda/Exceptions.h word them.
_AFTER = (
    "\nSearch for `cudaErrorECCUncorrectable' in https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html"
    " for more information.\nCUDA kernel errors might be asynchronously reported at some other API call, so the"
    " stacktrace below might be incorrect.\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1\n"
)


@pytest.mark.parametrize(
    ("kind", "message", "words"),
    [
        (
            torch.AcceleratorError,
            f"CUDA error: uncorrectable ECC error encountered{_AFTER}",
            "uncorrectable ECC error",
        ),
        (
            torch.AcceleratorError,
            f"CUDA error: an illegal memory access was encountered{_AFTER}",
            "an illegal memory",
        ),
        (RuntimeError, f"CUDA error: unspecified launch failure{_AFTER}", "unspecified launch failure"),
        (
            RuntimeError,
            "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx( handle)`",
            "CUBLAS_",
        ),
    ],
)
def test_a_failure_of_the_gpu_is_told_in_its_words(kind, message, words):
    """Wherever it surfaces, in an exchange between ranks too, it is this rank's own and no bug."""
    for failure in (classify_error(kind(message)), raised_between_ranks(kind(message))):
        assert isinstance(failure, PlatformError)
        assert failure.cause.startswith(f"The GPU failed: {words}")
        assert "Search for" not in str(failure)
        assert_clear(failure)
        assert not Outcome.of_failure(failure).is_consequence


@pytest.mark.parametrize("words", ["device-side assert triggered", "invalid configuration argument"])
def test_a_mistaken_call_of_the_gpu_stays_a_bug(words):
    """Another instance would not help."""
    error = torch.AcceleratorError(f"CUDA error: {words}{_AFTER}")
    assert classify_error(error) is error


def test_an_operation_without_a_deterministic_kernel_is_named():
    """The error is torch's own, of an operation that is not deterministic on a CPU either."""
    torch.use_deterministic_algorithms(True)
    try:
        with pytest.raises(RuntimeError) as caught:
            torch.zeros(3).put_(torch.tensor([0]), torch.ones(1))
    finally:
        torch.use_deterministic_algorithms(False)
    failure = classify_error(caught.value)
    assert isinstance(failure, UserError)
    assert "put_ has no deterministic kernel" in failure.cause
    assert "reproducible=false" in failure.remedy
    assert_clear(failure)


def test_an_environment_that_makes_cublas_irreproducible_is_named():
    """In the words of ATen/Context.cpp."""
    failure = classify_error(
        RuntimeError(
            "Deterministic behavior was enabled with either `torch.use_deterministic_algorithms(True)` or"
            " `at::Context::setDeterministicAlgorithms(true)`, but this operation is not deterministic because it uses"
            " CuBLAS and you have CUDA >= 10.2. To enable deterministic behavior in this case, you must set an"
            " environment variable before running your PyTorch application: CUBLAS_WORKSPACE_CONFIG=:4096:8 or"
            " CUBLAS_WORKSPACE_CONFIG=:16:8. For more information, go to"
            " https://docs.nvidia.com/cuda/cublas/index.html#results-reproducibility"
        )
    )
    assert isinstance(failure, UserError)
    assert "CUBLAS_WORKSPACE_CONFIG" in failure.cause
    assert_clear(failure)


def test_an_encoder_that_refuses_its_inputs_is_no_bug():
    """X-MOD without a language; a ValueError of other code stays a bug."""
    config = XmodConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
    )
    with pytest.raises(ValueError, match="language") as caught:
        XmodForSequenceClassification(config)(input_ids=torch.ones(1, 4, dtype=torch.long))
    failure = classify_error(caught.value)
    assert isinstance(failure, UserError)
    assert failure.cause.startswith("The encoder cannot compute: Input language unknown")
    assert_clear(failure)
    with pytest.raises(ValueError, match="many") as other:
        int("many")
    assert classify_error(other.value) is other.value
