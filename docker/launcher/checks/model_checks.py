"""What is looked at before a model answers anywhere: artifact, instance type, environment, limits of the mode."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from botocore.exceptions import ClientError

from bert_classifier.job.config import ServeConfig
from bert_classifier.job.settings import nearest, shown, specs
from bert_classifier.job.variables import near_misses
from launcher.aws.account import Account
from launcher.aws.instances import nearest_type
from launcher.aws.model import artifact_of
from launcher.aws.refusals import code_of
from launcher.aws.s3 import Location
from launcher.checks import job_checks
from launcher.checks.image_fit import Driver
from launcher.findings import Finding, examine, fail, ok, warn
from launcher.settings import idle as idle_settings
from launcher.settings.model import DeploySettings, ModelSettings, TransformSettings

GPU_AMI = "al2023-ami-sagemaker-inference-gpu-4-1"  # driver 580, which the gpu image's CUDA 13.0 needs
# Line of the NVIDIA driver of SageMaker's host software: API reference, ProductionVariant and TransformResources.
_DRIVER_LINES = {
    "al2-ami-sagemaker-inference-gpu-2": 535,
    "al2-ami-sagemaker-inference-gpu-2-1": 535,
    "al2-ami-sagemaker-inference-gpu-3-1": 550,
    GPU_AMI: 580,
    "al2-ami-sagemaker-batch-gpu-470": 470,
    "al2-ami-sagemaker-batch-gpu-535": 535,
}
_NEWEST_BATCH = 535
_STEP = 1024  # MB


def find_artifact(settings: ModelSettings, account: Account) -> tuple[str, list[Finding]]:
    """Return the URI of the model that is meant, and what is found about it; "" when none can be told."""
    found: list[str] = []

    def ask() -> Sequence[Finding]:
        found.append(artifact_of(settings, account))
        return ()

    findings = examine("model", ask, "Or name the model itself: MODEL_DATA=s3://…/model.tar.gz.")
    for uri in found:
        findings += examine("model", partial(check_artifact, account, uri))
    return (found[0] if found else ""), findings


def check_artifact(account: Account, uri: str) -> Iterator[Finding]:
    """Yield whether a model.tar.gz lies at an address."""
    if not uri.endswith(".tar.gz"):
        yield fail(
            "model", f"{uri} is no *.tar.gz", "Give the model.tar.gz of a training job, or JOB= and its name."
        )
        return
    location = Location.of(uri)
    try:
        found = account.client("s3").head_object(Bucket=location.bucket, Key=location.key)
    except ClientError as error:
        if code_of(error) in ("404", "NoSuchKey", "NoSuchBucket"):
            yield fail("model", f"nothing lies at {uri}", "Correct MODEL_DATA, or give JOB=.")
            return
        if code_of(error) == "403":
            yield warn("model", f"{uri} could not be looked at: you may not call HeadObject")
            return
        raise
    if not found["ContentLength"]:
        yield fail("model", f"{uri} is empty", "Give the model.tar.gz of a training job.")
        return
    yield ok("model", f"{uri} ({found['ContentLength'] / 1e6:.1f} MB)")


def check_instance(settings: ModelSettings, known: Sequence[str], use: str) -> Iterator[Finding]:
    """Yield whether the instance type exists and the image runs on it.

    Args:
        known: the types that this version of the API names.
        use: what for, in a sentence.
    """
    name = settings.instance_type
    if name not in known:
        close = nearest_type(name, known)
        remedy = f"Did you mean {close}?" if close else f"Give one that SageMaker has for {use}."
        yield fail("instance", f"SageMaker has no {shown(name)} for {use}", remedy)
    else:
        yield from job_checks.check_host(settings)


def check_environment(environment: Mapping[str, str], *, on_gpu: bool) -> Iterator[Finding]:
    """Yield whether the server will take its environment: the check that it begins with itself."""
    config = ServeConfig.from_environ(environment)
    for doubt in near_misses(environment, specs(ServeConfig)):
        yield warn("environment", doubt, "Correct its name, or leave it out.")
    if config.serving_precision == "int8" and on_gpu:
        yield fail(
            "environment",
            "SERVING_PRECISION=int8 is for CPUs",
            "Take it out, or give an instance without GPU.",
        )
    yield ok("environment", ", ".join(f"{k}={v}" for k, v in sorted(environment.items())) or "nothing set")


def check_common(settings: ModelSettings, environment: Mapping[str, str]) -> list[Finding]:
    """Return what is found about environment, VPC and tags."""
    return [
        *idle_settings.check_image_settings(settings),
        *examine("environment", lambda: check_environment(environment, on_gpu=settings.wants_gpu)),
        *job_checks.check_vpc(settings),
        *job_checks.check_tags(settings),
    ]


def check_serverless(settings: DeploySettings) -> Iterator[Finding]:
    """Yield what a serverless endpoint has not."""
    if settings.memory_size % _STEP:
        yield fail(
            "memory", f"MEMORY_SIZE={settings.memory_size} is no multiple of {_STEP}", "Give 1024 to 6144 MB."
        )
    absent = {
        "VPC": bool(settings.subnets),
        "network isolation": settings.network_isolation,
        "disk key": bool(settings.volume_kms_key),
        "disk size": bool(settings.volume_size),
        "inference AMI": bool(settings.inference_ami_version),
        "flavour gpu": settings.image_flavour == "gpu",
    }
    for name in (name for name, is_asked in absent.items() if is_asked):
        yield fail(
            "mode",
            f"a serverless endpoint has no {name}",
            "Leave it out, or give MODE=realtime.",
        )


def check_ami(settings: DeploySettings, known: Sequence[str]) -> Iterator[Finding]:
    """Yield whether the host software exists and fits the image."""
    name = settings.inference_ami_version
    if name and name not in known:
        close = nearest(name, known)
        remedy = f"Did you mean {close}?" if close else "Leave it out."
        yield fail("ami", f"SageMaker has no inference AMI {name}", remedy)
    elif name and not settings.wants_gpu:
        yield fail("ami", f"{name} is for instances with GPUs", "Leave INFERENCE_AMI_VERSION out.")


def endpoint_driver(settings: DeploySettings) -> Driver:
    """Return what is known of the driver of an endpoint's hosts."""
    ami = settings.inference_ami_version or ("" if settings.image_uri else GPU_AMI)
    remedy = f"Give INFERENCE_AMI_VERSION={GPU_AMI}."
    if not ami:
        told = "SageMaker's default host software may have a driver too old for the image, which then runs on CPU"
        return Driver(0, told, remedy)
    if ami not in _DRIVER_LINES:
        return Driver(0, f"{ami} may have a driver too old for the image, which then runs on CPU", remedy)
    return Driver(_DRIVER_LINES[ami], f"{ami} has driver", remedy)


def transform_driver(settings: TransformSettings) -> Driver:
    """Return what is known of the driver of a batch transform's hosts."""
    ami = settings.transform_ami_version
    remedy = "Give an instance without GPU, such as INSTANCE_TYPE=ml.m5.xlarge; for GPUs deploy an endpoint."
    if not ami:
        return Driver(_NEWEST_BATCH, "batch transform has at most driver", remedy)
    if ami not in _DRIVER_LINES:
        return Driver(0, f"{ami} may have a driver too old for the image, which then runs on CPU", remedy)
    return Driver(_DRIVER_LINES[ami], f"{ami} has driver", remedy)
