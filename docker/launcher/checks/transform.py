"""A batch transform as it will be requested, and everything that is checked before."""

import dataclasses
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from launcher.aws.account import Account
from launcher.aws.ecr import image_uri
from launcher.aws.model import Model, stamp, without_unset
from launcher.aws.s3 import Location, list_keys, prefix_of
from launcher.checks.account import Needs, check_access
from launcher.checks.answers import answer_variables, check_answers
from launcher.checks.chosen_model import choose
from launcher.checks.model import check_common, find_artifact, transform_driver
from launcher.checks.request import SOME_ROLE
from launcher.checks.unused import check_unused
from launcher.checks.whole_requests import check_requests
from launcher.checks.workload import check_instance
from launcher.findings import Finding, examine, fail, obtain, warn
from launcher.inputs.transform import TransformInput, check_input, input_of
from launcher.settings.inference import LONGEST_ANSWER, TransformSettings

_DEFAULT_BODY_MB = 25  # the server's own
_CHECKED_BEFORE = ("TransformResources.InstanceType",)


@dataclasses.dataclass(frozen=True)
class Transform:
    """A batch transform as it will be requested; the model has the job's name.

    Attributes:
        texts: None when they could not be found.
        output: folder of the predictions.
    """

    settings: TransformSettings
    model: Model
    texts: TransformInput | None
    output: Location

    def request(self) -> dict[str, Any]:
        """Return the request of the job."""
        settings, texts = self.settings, self.texts
        assert texts is not None, "nothing is requested when the checks have not found the texts"
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": texts.location.uri}}
        output = {
            "S3OutputPath": self.output.uri,
            "Accept": texts.accept(settings),
            "AssembleWith": texts.split_type,
            "KmsKeyId": settings.output_kms_key,
        }
        resources = {
            "InstanceType": settings.instance_type,
            "InstanceCount": settings.instance_count,
            "VolumeKmsKeyId": settings.volume_kms_key,
            "TransformAmiVersion": settings.transform_ami_version,
        }
        request: dict[str, Any] = {
            "TransformJobName": self.model.name,
            "ModelName": self.model.name,
            "MaxConcurrentTransforms": settings.max_concurrent,
            "MaxPayloadInMB": settings.max_payload,
            "BatchStrategy": settings.strategy if texts.split_type == "Line" else None,
            "ModelClientConfig": {"InvocationsTimeoutInSeconds": LONGEST_ANSWER, "InvocationsMaxRetries": 3},
            "TransformInput": {
                "DataSource": source, "ContentType": texts.content_type, "SplitType": texts.split_type,
            },
            "TransformOutput": without_unset(output),
            "TransformResources": without_unset(resources),
            "DataProcessing": {"JoinSource": "Input"} if settings.join else None,
            "Tags": settings.tag_list,
        }  # fmt: skip
        return without_unset(request)


def plan(settings: TransformSettings, account: Account, folder: Path) -> tuple[Transform, list[Finding]]:
    """Return the batch transform that the settings describe, and all findings about it.

    Args:
        folder: for files that are written anew; they are uploaded from there.
    """
    settings, of_choice = choose(settings, account)
    data, findings = find_artifact(settings, account)
    prefix = prefix_of(settings, account)
    name = settings.job_name or stamp("bert-classifier")
    texts, of_texts = obtain(
        "input", partial(input_of, settings, prefix, account, folder), "The job depends on its texts."
    )
    environment = environment_of(settings, texts.columns if texts else "")
    model = Model(settings, name, image_uri(settings, account), data, environment)
    given = Location.of(settings.output).as_folder() if settings.output else None
    transform = Transform(settings, model, texts, given or prefix.below("transform", "output", name))
    reads = [*([Location.of(data)] if data else []), *([texts.location] if texts else [])]
    needs = Needs("serving-role.json", reads, [transform.output])
    return transform, [
        *of_choice,
        *findings,
        *of_texts,
        *(examine("input", partial(check_input, settings, texts)) if texts else ()),
        *check_settings(transform, model.environment, account),
        *examine("output", partial(check_output, transform, account)),
        *check_access(account, model.image_uri, settings, needs, transform_driver(settings)),
        *(examine("request", partial(check_whole, transform, account)) if texts and data else ()),
    ]


def check_whole(transform: Transform, account: Account) -> Iterator[Finding]:
    """Check both requests as the API does; a name of the role is none of its own, and checked elsewhere."""
    requests = {"CreateModel": transform.model.request(SOME_ROLE), "CreateTransformJob": transform.request()}
    service = account.client("sagemaker").meta.service_model
    yield from check_requests(requests, service, _CHECKED_BEFORE)


def environment_of(settings: TransformSettings, columns: str) -> dict[str, str]:
    """Return the container's environment: it accepts bodies as large as the job sends them, and knows their columns."""
    large = settings.max_payload > _DEFAULT_BODY_MB
    own = {
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(settings.max_payload) if large else "",
        **answer_variables(settings, columns),
    }
    return {**without_unset(own), **dict(settings.environment)}


def check_settings(
    transform: Transform, environment: Mapping[str, str], account: Account
) -> Iterator[Finding]:
    """Check the settings of a batch transform without asking AWS."""
    settings, texts = transform.settings, transform.texts
    types = account.client("sagemaker").meta.service_model.shape_for("TransformInstanceType").enum
    yield from check_common(settings, environment)
    yield from check_instance(settings, types, "batch transform")
    if texts and texts.split_type == "None":
        yield from check_unused(settings, {"strategy": "a JSON document is one request"})
    yield from check_answers(settings, texts)


def check_output(transform: Transform, account: Account) -> Iterator[Finding]:
    """Check that the predictions have a folder of their own."""
    texts, output = transform.texts, transform.output
    if texts and output.bucket == texts.location.bucket and output.key.startswith(texts.location.key):
        yield fail("output", f"{output.uri} is in the folder of the texts", "Give another OUTPUT.")
    existing = len(list_keys(account, output)) if transform.settings.output else 0
    if existing:
        yield warn(
            "output", f"it already holds {existing} object(s)", "Those of the same name are overwritten."
        )
