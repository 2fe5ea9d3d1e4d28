"""What is checked before a model serves anywhere: artifact, environment, host software."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from botocore.exceptions import ClientError

from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.job.settings import nearest, specs
from bert_classifier.job.variables import near_misses
from launcher.aws.account import Account
from launcher.aws.errors import code_of
from launcher.aws.model import artifact_of
from launcher.aws.s3 import Location
from launcher.checks.image import Driver
from launcher.checks.unused import check_image_settings
from launcher.checks.workload import check_tags, check_vpc
from launcher.findings import Finding, examine, fail, obtain, ok, warn
from launcher.settings.inference import DeploySettings, ModelSettings, TransformSettings
from launcher.settings.instances import DRIVER_LINES, GPU_AMI, NEWEST_BATCH_DRIVER, OLDEST_BATCH_DRIVER


def find_artifact(settings: ModelSettings, account: Account) -> tuple[str, list[Finding]]:
    """Return the URI of the model, and the findings about it; "" when it cannot be found."""
    needed = "Or give the model itself: MODEL_DATA=s3://…/model.tar.gz."
    uri, findings = obtain("model", partial(artifact_of, settings, account), needed)
    if uri:
        findings += examine("model", partial(check_artifact, account, uri))
    return uri or "", findings


def check_artifact(account: Account, uri: str) -> Iterator[Finding]:
    """Check that a model.tar.gz exists at an address."""
    if not uri.endswith(".tar.gz"):
        remedy = "Give the model.tar.gz of a training job, or JOB= and its name."
        yield fail("model", f"{uri} is no *.tar.gz", remedy)
        return
    location = Location.of(uri)
    try:
        found = account.client("s3").head_object(Bucket=location.bucket, Key=location.key)
    except ClientError as error:
        if code_of(error) in ("404", "NoSuchKey", "NoSuchBucket"):
            yield fail("model", f"there is nothing at {uri}", "Correct MODEL_DATA, or give JOB=.")
        elif code_of(error) == "403":
            yield warn("model", f"{uri} could not be checked: you may not call HeadObject")
        else:
            raise
        return
    if not found["ContentLength"]:
        yield fail("model", f"{uri} is empty", "Give the model.tar.gz of a training job.")
        return
    yield ok("model", f"{uri} ({found['ContentLength'] / 1e6:.1f} MB)")


def check_common(settings: ModelSettings, environment: Mapping[str, str]) -> list[Finding]:
    """Check image, environment, VPC and tags."""
    return [
        *check_image_settings(settings),
        *examine("environment", lambda: check_environment(environment, on_gpu=settings.wants_gpu)),
        *check_vpc(settings),
        *check_tags(settings),
    ]


def check_environment(environment: Mapping[str, str], *, on_gpu: bool) -> Iterator[Finding]:
    """Check the server's environment as the server itself does when it starts."""
    config = ServeConfig.from_environ(environment)
    for doubt in near_misses(environment, specs(ServeConfig)):
        yield warn("environment", doubt, "Correct its name, or leave it out.")
    if config.serving_precision == "int8" and on_gpu:
        remedy = "Leave it out, or give an instance without GPU."
        yield fail("environment", "SERVING_PRECISION=int8 is for CPUs", remedy)
    yield ok("environment", ", ".join(f"{k}={v}" for k, v in sorted(environment.items())) or "nothing set")


def check_ami(settings: DeploySettings, known: Sequence[str]) -> Iterator[Finding]:
    """Check that the host software exists and fits the instances."""
    name = settings.inference_ami_version
    if name and name not in known:
        close = nearest(name, known)
        remedy = f"Did you mean {close}?" if close else "Leave it out."
        yield fail("ami", f"SageMaker has no inference AMI {name}", remedy)
    elif name and not settings.wants_gpu:
        yield fail("ami", f"{name} is for instances with GPUs", "Leave INFERENCE_AMI_VERSION out.")


def endpoint_driver(settings: DeploySettings) -> Driver:
    """Return the driver of an endpoint's hosts."""
    ami = settings.inference_ami_version or ("" if settings.image_uri else GPU_AMI)
    return _driver_of(ami or "SageMaker's default host software", f"Give INFERENCE_AMI_VERSION={GPU_AMI}.")


def transform_driver(settings: TransformSettings) -> Driver:
    """Return the driver of a batch transform's hosts."""
    remedy = "Give an instance without GPU, such as INSTANCE_TYPE=ml.m5.xlarge; for GPUs deploy an endpoint."
    if not settings.transform_ami_version:
        return Driver(NEWEST_BATCH_DRIVER, "batch transform has at most driver", remedy, OLDEST_BATCH_DRIVER)
    return _driver_of(settings.transform_ami_version, remedy)


def _driver_of(ami: str, remedy: str) -> Driver:
    if ami in DRIVER_LINES:
        return Driver(DRIVER_LINES[ami], f"{ami} has driver", remedy)
    return Driver(0, f"{ami} may have a driver too old for the image, which then runs on CPU", remedy)
