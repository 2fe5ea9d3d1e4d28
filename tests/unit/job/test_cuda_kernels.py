"""Which GPUs a list of architectures covers: NVIDIA's rules for binary code and for code that the driver compiles."""

import pytest

from bert_classifier.job.cuda_kernels import has_kernels_for

# What `torch._C._cuda_getArchFlags()` says in the builds for CUDA 13.0 and for CUDA 12.6 on x86-64.
CUDA_13 = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]
CUDA_12_6 = ["sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"]


@pytest.mark.parametrize(
    ("architectures", "capability", "covered"),
    [
        (CUDA_13, (3, 7), False),  # K80
        (CUDA_13, (7, 0), False),  # V100
        (CUDA_12_6, (7, 0), True),
        (CUDA_13, (7, 5), True),
        (CUDA_13, (8, 9), True),  # L4 runs what was built for 8.0 and 8.6
        (CUDA_13, (10, 3), True),  # B300 runs what was built for 10.0
        (CUDA_12_6, (10, 0), False),
        (CUDA_12_6, (12, 0), False),
        (["sm_86"], (8, 0), False),  # no GPU runs what was built for a newer one
        (["sm_90a"], (9, 0), True),
        (["sm_100a"], (10, 3), False),
        (["sm_100f"], (10, 3), True),
        (["compute_90"], (12, 0), True),
        (["compute_90"], (8, 9), False),
        (["compute_90a"], (10, 0), False),
        ([], (9, 0), False),
        (["all", "native", "sm_x"], (9, 0), False),
    ],
)
def test_code_runs_on_gpus_that_it_was_built_for(architectures, capability, covered):
    """Binaries on the same major version from their minor one on; PTX on every GPU from its version on."""
    assert has_kernels_for(architectures, capability) is covered
