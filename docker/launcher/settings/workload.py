"""Settings that jobs and endpoints share: image, role, instances, network, encryption."""

import dataclasses
from typing import Self

from bert_classifier.job.settings import boolean, choice, integer
from launcher.settings.account import AccountSettings
from launcher.settings.fields import instance_type, kms_key, names, pairs, s3_uri, text
from launcher.settings.instances import has_gpu
from launcher.settings.own_tag import with_own


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageSettings(AccountSettings):
    """The image's repository, for all commands that need an image."""

    repository: str = text(
        "bert-classifier", "a name in lower case", "Repository in ECR.",
        r"[a-z0-9]+([._/-][a-z0-9]+)*", longest=256,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorkloadSettings(ImageSettings):
    """Settings that `train`, `train-spot`, `deploy` and `batch-transform` have in common."""

    role: str = text(
        "", "the ARN or name of an IAM role", "IAM role of the job or endpoint; required.",
        r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+|[\w+=,.@-]{1,64}",
    )  # fmt: skip
    instance_type: str = instance_type("", "Instance type; the default depends on the command.")
    instance_count: int = integer(1, 1, 100, "Number of instances.")
    s3_prefix: str = s3_uri(
        "", "S3 folder for data, checkpoints and outputs; default: s3://sagemaker-REGION-ACCOUNT/bert-classifier."
    )  # fmt: skip
    flavour: str = choice("auto", ("auto", "cpu", "gpu"), "Flavour of the image; auto: by instance type.")
    image_tag: str = text(
        "", "a tag", "Tag of the image in ECR; default: FLAVOUR and the revision of this folder.",
        r"\w[\w.-]{0,127}",
    )  # fmt: skip
    image_uri: str = text(
        "",
        "an address of at most 255 characters",
        "URI of an image, instead of REPOSITORY and IMAGE_TAG.",
        longest=255,
    )
    environment: tuple[tuple[str, str], ...] = pairs(
        "Environment variables of the container.",
        most=100,
        name=r"[a-zA-Z_][a-zA-Z0-9_]{0,511}",
        name_is="1 to 512 letters, digits and _, the first no digit",
        longest=512,
    )
    tags: tuple[tuple[str, str], ...] = pairs(
        "Tags of all resources that are created.",
        most=None,  # a check says how many there may be, beside the launcher's own
        name=r".{1,128}",
        name_is="1 to 128 characters",
        longest=256,
    )
    subnets: tuple[str, ...] = names("subnet-… of a VPC", "Subnets to run in.", r"subnet-\w+", 16)
    security_group_ids: tuple[str, ...] = names("sg-… of a VPC", "Security groups to run in.", r"sg-\w+", 5)
    volume_kms_key: str = kms_key("KMS key for the instances' disks.")
    output_kms_key: str = kms_key("KMS key for uploads and outputs.")
    network_isolation: bool = boolean(
        False, "No network inside the container; training then needs MODEL, because no hub can be reached."
    )
    wait: bool = boolean(True, "Wait until the job has ended or the endpoint serves.")

    @property
    def wants_gpu(self) -> bool:
        """Whether the instances have NVIDIA GPUs."""
        return has_gpu(self.instance_type)

    @property
    def image_flavour(self) -> str:
        """The image's flavour: cpu or gpu."""
        return self.flavour if self.flavour != "auto" else "gpu" if self.wants_gpu else "cpu"

    def on(self, instance_type: str) -> Self:
        """Return the settings for another instance type that may get the same image."""
        flavour = self.flavour if self.image_uri else self.image_flavour
        return dataclasses.replace(self, instance_type=instance_type, flavour=flavour)

    @property
    def given_tags(self) -> list[dict[str, str]]:
        """The tags that were given, as SageMaker's requests hold them."""
        return [{"Key": name, "Value": value} for name, value in self.tags]

    @property
    def tag_list(self) -> list[dict[str, str]]:
        """The tags as SageMaker's requests hold them, with the one that says who made it."""
        return with_own(self.given_tags)

    @property
    def vpc_config(self) -> dict[str, list[str]] | None:
        """The VPC as SageMaker's requests hold it; None without one."""
        if not self.subnets:
            return None
        return {"Subnets": list(self.subnets), "SecurityGroupIds": list(self.security_group_ids)}
