"""Facts about SageMaker's hosts: processor, GPU and driver of each instance type. A table, as of 2026-11-28.

Families: the enumerations TrainingInstanceType, ProductionVariantInstanceType and TransformInstanceType of botocore
1.44.8. GPUs: docs.aws.amazon.com/ec2 "Accelerated computing instances"; g7: AWS' announcement of 2026-06-20. Compute
capabilities: developer.nvidia.com/cuda-gpus. Processors: aws.amazon.com/ec2/graviton, and of p6e "Grace Blackwell".
"""

import dataclasses
import difflib
from collections.abc import Sequence

AS_OF = "2026-11-28"


@dataclasses.dataclass(frozen=True)
class Host:
    """The hardware of an instance type.

    Attributes:
        architecture: amd64 or arm64, as images name it.
        gpu: model of its NVIDIA GPUs; "" without any.
        capability: compute capability of these; (0, 0) without any.
        accelerator: an accelerator that is no NVIDIA GPU; the image has no software for it.
    """

    architecture: str = "amd64"
    gpu: str = ""
    capability: tuple[int, int] = (0, 0)
    accelerator: str = ""


_GPUS = {
    "p2": Host(gpu="Tesla K80", capability=(3, 7)),
    "p3": Host(gpu="Tesla V100", capability=(7, 0)),
    "p3dn": Host(gpu="Tesla V100", capability=(7, 0)),
    "p4d": Host(gpu="A100", capability=(8, 0)),
    "p4de": Host(gpu="A100", capability=(8, 0)),
    "p5": Host(gpu="H100", capability=(9, 0)),
    "p5e": Host(gpu="H200", capability=(9, 0)),
    "p5en": Host(gpu="H200", capability=(9, 0)),
    "p6-b200": Host(gpu="B200", capability=(10, 0)),
    "p6-b300": Host(gpu="B300", capability=(10, 3)),
    "p6e-gb200": Host("arm64", gpu="GB200", capability=(10, 0)),
    "g4dn": Host(gpu="T4", capability=(7, 5)),
    "g5": Host(gpu="A10G", capability=(8, 6)),
    "g5g": Host("arm64", gpu="T4G", capability=(7, 5)),
    "g6": Host(gpu="L4", capability=(8, 9)),
    "g6e": Host(gpu="L40S", capability=(8, 9)),
    "g7": Host(gpu="RTX PRO 4500 Blackwell", capability=(12, 0)),
    "g7e": Host(gpu="RTX PRO 6000 Blackwell", capability=(12, 0)),
}
# Instances with several GPUs that the image has kernels for.
_TWO = "g7e.12xlarge"
_FOUR = "g4dn.12xlarge g5.12xlarge g5.24xlarge g6.12xlarge g6.24xlarge g6e.12xlarge g6e.24xlarge g7e.24xlarge"
_EIGHT = (
    "g4dn.metal g5.48xlarge g6.48xlarge g6e.48xlarge g7e.48xlarge p4d.24xlarge"
    " p4de.24xlarge p5.48xlarge p5e.48xlarge p5en.48xlarge p6-b200.48xlarge p6-b300.48xlarge"
)
_NUM_GPUS = {
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_FOUR.split(), 4),
    **dict.fromkeys(_EIGHT.split(), 8),
}
_ACCELERATORS = {
    **dict.fromkeys(("inf1", "inf2", "trn1", "trn1n", "trn2"), Host(accelerator="Neuron cores")),
    "dl1": Host(accelerator="Gaudi accelerators"),
}
_X86 = (
    "c4 c5 c5d c5n c6i c6in c7i c7i-flex c8i c8i-flex m4 m5 m5d m6i m7i m7i-flex m8i m8i-flex"
    " r5 r5d r6i r7i r8i r8i-flex t2 t3"
)
_GRAVITON = "c6g c6gd c6gn c7g c8g m6g m6gd m8g r6g r6gd r7gd r8g"
_HOSTS = {
    **dict.fromkeys(_X86.split(), Host()),
    **dict.fromkeys(_GRAVITON.split(), Host("arm64")),
    **_ACCELERATORS,
    **_GPUS,
}

# With NVMe disks of their own: docs.aws.amazon.com/ec2 "Instance store volumes".
_NVME = (
    "c5d c6gd m5d m6gd r5d r6gd r7gd g4dn g5 g6 g6e g7 g7e p3dn p4d p4de p5 p5e p5en p6-b200 p6-b300 p6e-gb200"
    " trn1 trn1n trn2 dl1"
)


# Line of the NVIDIA driver by host software: API reference, ProductionVariant and TransformResources.
GPU_AMI = "al2023-ami-sagemaker-inference-gpu-4-1"  # the one that the gpu image's CUDA 13.0 needs
DRIVER_LINES = {
    "al2-ami-sagemaker-inference-gpu-2": 535,
    "al2-ami-sagemaker-inference-gpu-2-1": 535,
    "al2-ami-sagemaker-inference-gpu-3-1": 550,
    GPU_AMI: 580,
    "al2-ami-sagemaker-batch-gpu-470": 470,
    "al2-ami-sagemaker-batch-gpu-535": 535,
}
NEWEST_BATCH_DRIVER = 535
OLDEST_BATCH_DRIVER = 470
NEWEST_BATCH_AMI = "al2-ami-sagemaker-batch-gpu-535"


def host_of(instance_type: str) -> Host | None:
    """Return the hardware of an instance type; None for a family that is not in the table."""
    return _HOSTS.get(family_of(instance_type))


def has_gpu(instance_type: str) -> bool:
    """Whether an instance type has NVIDIA GPUs; a family that is not in the table counts by its letter."""
    host = host_of(instance_type)
    return bool(host.gpu) if host else instance_type.startswith(("ml.g", "ml.p"))


def num_gpus(instance_type: str) -> int:
    """Return the NVIDIA GPUs of an instance of this type; 1 where only their kind is known."""
    return _NUM_GPUS.get(instance_type.removeprefix("ml."), int(has_gpu(instance_type)))


def num_cpus(instance_type: str) -> int:
    """Return the virtual CPUs of an instance type, which its size tells."""
    size = instance_type.rpartition(".")[2]
    if instance_type == "ml.c4.8xlarge":
        return 36  # the only one that is not four per xlarge
    if size.endswith("xlarge"):
        return 4 * int(size.removesuffix("xlarge") or 1)
    return 96 if size == "metal" else 2


def has_own_disk(instance_type: str) -> bool:
    """Whether an instance type has its own disk, for which SageMaker takes no size."""
    return family_of(instance_type) in _NVME.split()


def family_of(instance_type: str) -> str:
    """Return the family of an instance type, such as g5 of ml.g5.xlarge."""
    return instance_type.removeprefix("ml.").partition(".")[0]


def nearest_type(name: str, known: Sequence[str]) -> str:
    """Return the known type that a misspelt one resembles; "" where it may be a real type that is not available."""
    family = [one for one in known if family_of(one) == family_of(name)]
    alike = difflib.get_close_matches(name.lower(), family or known, n=1, cutoff=0.6 if family else 0.85)
    return next(iter(alike), "")
