"""Whether an image runs on an instance type: by its labels, the table of instance types and the hosts' drivers."""

import dataclasses

import pytest
from botocore.session import get_session

from bert_classifier.job.findings import Severity
from launcher.checks.image import (
    ARCHITECTURES_LABEL,
    CUDA_LABEL,
    LEAST_DRIVER_LABEL,
    Driver,
    ImageFacts,
    check_fit,
)
from launcher.checks.model import endpoint_driver, transform_driver
from launcher.checks.workload import check_host
from launcher.settings.inference import DeploySettings, TransformSettings
from launcher.settings.instances import GPU_AMI, NEWEST_BATCH_AMI, host_of
from launcher.settings.training import TrainSettings

KERNELS = "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"
OLD_KERNELS = "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90"
FOREIGN = "1.dkr.ecr.x/y:z"


def config(
    kernels: str = KERNELS, cuda: str = "13.0", flavour: str = "gpu", architecture: str = "amd64"
) -> dict:
    """Return an image's configuration as a registry holds it."""
    labels = {CUDA_LABEL: cuda, ARCHITECTURES_LABEL: kernels, "org.opencontainers.image.version": flavour}
    expected = {name: value for name, value in labels.items() if value}
    return {"os": "linux", "architecture": architecture, "config": {"Labels": expected}}


def seen(image: dict, settings, driver: Driver | None = None) -> list[str]:
    """Return level and sentence of each finding."""
    return [f"{found.label} {found.message}" for found in check_fit(ImageFacts.of(image), settings, driver)]


GPU, CPU, UNLABELLED = config(), config("", "", "cpu"), config("", "", "gpu")


@pytest.mark.parametrize(
    ("image", "settings", "expected"),
    [
        (GPU, {"instance_type": "ml.p2.xlarge"}, "FAIL the image's torch has no kernels for the Tesla K80"),
        (GPU, {"instance_type": "ml.p3.8xlarge"}, "FAIL the image's torch has no kernels for the Tesla V100"),
        (config(OLD_KERNELS, "12.6"), {"instance_type": "ml.p3.8xlarge"}, "OK Tesla V100"),
        (
            config(OLD_KERNELS, "12.6"),
            {"instance_type": "ml.p6-b200.48xlarge"},
            "FAIL the image's torch has no",
        ),
        (GPU, {"instance_type": "ml.g4dn.xlarge"}, "OK T4 (compute capability 7.5)"),
        (GPU, {"instance_type": "ml.g6.xlarge"}, "OK L4 (compute capability 8.9)"),
        (GPU, {"instance_type": "ml.p6-b300.48xlarge"}, "OK B300"),
        (
            UNLABELLED,
            {"instance_type": "ml.p3.8xlarge"},
            "FAIL torch for CUDA 13.0 has no kernels for the Tesla V100",
        ),
        ({}, {"instance_type": "ml.p2.xlarge"}, "FAIL torch for CUDA 13.0 has no kernels for the Tesla K80"),
        (UNLABELLED, {"instance_type": "ml.g5.xlarge"}, "WARN whether the image has kernels for the A10G"),
        (
            {},
            {"instance_type": "ml.p3.8xlarge", "image_uri": FOREIGN},
            "WARN whether the image has kernels for the",
        ),
        (GPU, {"instance_type": "ml.m5.xlarge"}, "WARN ml.m5.xlarge has no GPU"),
        ({}, {"instance_type": "ml.m5.xlarge", "flavour": "gpu"}, "WARN ml.m5.xlarge has no GPU"),
        (
            CPU,
            {"instance_type": "ml.g5.xlarge"},
            "WARN ml.g5.xlarge has a GPU, which stays idle because",
        ),
        (CPU, {"instance_type": "ml.m5.xlarge"}, ""),
        ({}, {"instance_type": "ml.m5.xlarge"}, ""),
        (config("", "", "cpu", "arm64"), {"instance_type": "ml.m5.xlarge"}, "FAIL it is for linux/arm64"),
        (
            CPU,
            {"instance_type": "ml.c7g.xlarge", "image_uri": FOREIGN},
            "FAIL it is for linux/amd64, but the instance is",
        ),
        (config("", "", "", "arm64"), {"instance_type": "ml.c7g.xlarge", "image_uri": FOREIGN}, ""),
        (GPU, {"instance_type": "ml.p6e-gb200.36xlarge", "image_uri": FOREIGN}, "FAIL it is for linux/amd64"),
        (GPU, {"instance_type": "ml.g99.xlarge"}, ""),
    ],
)
def test_an_image_is_compared_with_the_instances(image, settings, expected):
    """Compute capability, processor, and a GPU that is paid for and unused; what nobody says is doubtful."""
    found = seen(image, TrainSettings(**settings))
    assert any(line.startswith(expected) for line in found) if expected else found == []


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        ("ml.c7g.xlarge", "is an ARM machine"),
        ("ml.p6e-gb200.36xlarge", "is an ARM machine"),
        ("ml.dl1.24xlarge", "Gaudi"),
        ("ml.trn2.48xlarge", "Neuron"),
        ("ml.g99.xlarge", "does not know"),
        ("ml.p6-b200.48xlarge", ""),
    ],
)
def test_hosts_that_the_image_has_no_software_for_are_reported(instance, expected):
    """For training as for endpoints; a family of tomorrow is doubtful, not good."""
    (found,) = check_host(TrainSettings(instance_type=instance))
    assert expected in found.message
    assert (found.severity is Severity.OK) == (not expected)


def test_the_table_has_every_family_that_sagemaker_names():
    """Those of the installed API; a new release of it may bring one, which then belongs into the table."""
    api = get_session().get_service_model("sagemaker")
    shapes = ("TrainingInstanceType", "ProductionVariantInstanceType", "TransformInstanceType")
    types = {name for shape in shapes for name in api.shape_for(shape).enum}
    assert len(types) > 200
    assert sorted({name.split(".")[1] for name in types if host_of(name) is None}) == []
    for name in types:
        host = host_of(name)
        assert host is not None
        assert bool(host.gpu) == name.startswith(("ml.g", "ml.p")) == (host.capability > (0, 0))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ""),
        (
            {"inference_ami_version": "al2-ami-sagemaker-inference-gpu-3-1"},
            "FAIL al2-ami-sagemaker-inference-gpu-3-1",
        ),
        ({"inference_ami_version": "al9"}, "WARN al9 may have a driver too old"),
        ({"image_uri": FOREIGN}, "WARN SageMaker's default host software may have"),
        ({"image_uri": FOREIGN, "inference_ami_version": GPU_AMI}, ""),
    ],
)
def test_an_endpoints_driver_is_compared_with_the_images_cuda(settings, expected):
    """580 for CUDA 13; what launcher asks for by itself fits."""
    given = DeploySettings(instance_type="ml.g5.xlarge", **settings)
    found = [line for line in seen(GPU, given, endpoint_driver(given)) if "GPU has kernels" not in line]
    wrong = [line for line in found if not line.startswith("OK")]
    assert (wrong[0].startswith(expected) and len(wrong) == 1) if expected else wrong == []


@pytest.mark.parametrize("image", [GPU, UNLABELLED, {}])
def test_a_batch_transform_on_gpus_is_refused_for_its_driver(image):
    """With the remedy; an image for CUDA 12 fits, and so does the CPU."""
    given = TransformSettings(instance_type="ml.g5.xlarge")
    refusal = (
        "batch transform has at most driver 535, but the image's CUDA 13.0 needs 580: its GPU would stay idle"
    )
    assert f"FAIL {refusal}" in seen(image, given, transform_driver(given))
    older = config(OLD_KERNELS, "12.6")
    assert not [line for line in seen(older, given, transform_driver(given)) if line.startswith("FAIL")]
    on_cpu = dataclasses.replace(given, instance_type="ml.m5.xlarge")
    assert seen(CPU, on_cpu, transform_driver(on_cpu)) == []


def test_a_serverless_endpoint_has_no_gpu_whatever_the_type_of_other_commands():
    """A settings file may name one for all."""
    given = DeploySettings(mode="serverless", instance_type="ml.p3.2xlarge")
    assert seen(CPU, given) == []
    assert seen(GPU, given) == [
        "WARN a serverless endpoint has no GPU, so the image's build for GPUs computes on its CPU"
    ]


@pytest.mark.parametrize(
    ("line", "least", "fails"),
    [(535, "535", False), (550, "535", False), (470, "535", True), (550, "", True), (580, "", False)],
)
def test_compatibility_libraries_lower_the_driver_that_is_needed(line, least, fails):
    """CUDA 13 takes 580, and 535 with NVIDIA's libraries, which the image's label tells of."""
    image = config()
    if least:
        image["config"]["Labels"][LEAST_DRIVER_LABEL] = least
    settings = TrainSettings(instance_type="ml.g5.xlarge")
    found = seen(image, settings, Driver(line, "these hosts have driver", "Take others."))
    assert any("its GPU would stay idle" in line for line in found) is fails


def test_a_batch_transform_with_compatibility_libraries_names_its_host_software():
    """Without a choice it may have 470; with the newest host software, 535 is enough."""
    image = config()
    image["config"]["Labels"][LEAST_DRIVER_LABEL] = "535"
    settings = TransformSettings(instance_type="ml.g5.xlarge")
    assert "FAIL the host may have driver 470, but the image needs 535: its GPU would stay idle" in seen(
        image, settings, transform_driver(settings)
    )
    chosen = TransformSettings(instance_type="ml.g5.xlarge", transform_ami_version=NEWEST_BATCH_AMI)
    assert all(line.startswith("OK") for line in seen(image, chosen, transform_driver(chosen)))
