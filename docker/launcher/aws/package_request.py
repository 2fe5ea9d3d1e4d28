"""A model package as CreateModelPackage's fields: the model, what it was made of, and how good it is."""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from launcher.aws.model import without_unset
from launcher.aws.model_package import PENDING
from launcher.settings.instances import has_gpu, host_of
from launcher.settings.registry import RegisterSettings

CONTENT_TYPES = ("application/json", "application/jsonlines", "text/csv", "text/plain")
ANSWER_TYPES = ("application/json", "application/jsonlines", "text/csv", "application/x-npy")
_LONGEST_TEXT, _LONGEST_VALUE = 1024, 256
_NOT_IN_VALUES = re.compile(r"[^\w .:/=+\-@]")  # CustomerMetadataValue's pattern


@dataclasses.dataclass(frozen=True)
class Stored:
    """A file in S3.

    Attributes:
        sha256: of its content, in hexadecimal digits.
    """

    uri: str
    sha256: str


def package_request(
    settings: RegisterSettings,
    *,
    image_uri: str,
    artifact: str,
    job: Mapping[str, Any],
    facts: Mapping[str, Any],
    evaluation: Stored,
    report: Stored | None,
    types: Sequence[str],
    transform_types: Sequence[str],
) -> dict[str, Any]:
    """Return the fields of the request.

    Args:
        job: SageMaker's description of the training job.
        facts: training.json; what it does not say is left out.
        types: all instance types of endpoints; transform_types: all of batch transform.
    """
    container = {
        "Image": image_uri,
        "ModelDataUrl": artifact,
        "Environment": dict(settings.environment),
    }
    statistics = {
        "ContentType": "application/json",
        "S3Uri": evaluation.uri,
        "ContentDigest": f"sha256:{evaluation.sha256}",
    }
    is_gpu = settings.image_flavour == "gpu"  # hosts of batch transform have too old a driver for it
    specification = {
        "Containers": [without_unset(container)],
        "SupportedContentTypes": list(CONTENT_TYPES),
        "SupportedResponseMIMETypes": list(ANSWER_TYPES),
        "SupportedRealtimeInferenceInstanceTypes": _suitable(types, settings),
        "SupportedTransformInstanceTypes": [] if is_gpu else _suitable(transform_types, settings),
    }
    return without_unset(
        {
            "ModelPackageGroupName": settings.model_package_group,
            "ModelPackageDescription": (settings.note or str(facts.get("headline", "")))[:_LONGEST_TEXT],
            "InferenceSpecification": without_unset(specification),
            "ModelApprovalStatus": PENDING,
            "ModelMetrics": {"ModelQuality": {"Statistics": statistics}},
            "MetadataProperties": {"GeneratedBy": job["TrainingJobArn"]},
            "CustomerMetadataProperties": dict(_properties(job, facts, report)),
        }
    )


def _suitable(types: Sequence[str], settings: RegisterSettings) -> list[str]:
    """Return the instance types on which the flavour of the image runs, as far as they are known."""
    wants_gpu = settings.image_flavour == "gpu"
    hosts = {name: host_of(name) for name in types}
    return [
        name
        for name, host in hosts.items()
        if host and host.architecture == "amd64" and not host.accelerator and has_gpu(name) == wants_gpu
        and (not wants_gpu or host.capability >= (7, 5))
    ]  # fmt: skip


def _properties(
    job: Mapping[str, Any], facts: Mapping[str, Any], report: Stored | None
) -> Iterator[tuple[str, str]]:
    """Yield name and value of what the registry shows of a version's origin."""
    data, encoder = facts.get("data") or {}, facts.get("encoder") or {}
    known = {
        "training-job": job["TrainingJobName"],
        "training-image": job.get("AlgorithmSpecification", {}).get("TrainingImage"),
        "run-fingerprint": facts.get("run_fingerprint"),
        "program-version": (facts.get("versions") or {}).get("bert_classifier"),
        "encoder": encoder.get("name") or encoder.get("name_in_config"),
        "encoder-commit": encoder.get("commit"),
        "report": report and report.uri,
        **{
            name.replace("_", "-"): value
            for name, value in data.items()
            if name.endswith(("_sha256", "_texts"))
        },
    }
    for name, value in known.items():
        if value not in (None, ""):
            yield name, _NOT_IN_VALUES.sub("_", str(value))[:_LONGEST_VALUE]
