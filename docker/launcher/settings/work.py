"""What every job and endpoint can be told: who it is, where it runs, which image, who may see what."""

import dataclasses
from typing import Any

from bert_classifier.job.settings import boolean, choice, integer
from launcher.commands.push import ImageSettings
from launcher.settings.declare import names, pairs, s3_uri, text

JOB_NAME = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
_KEY = "the id, alias or ARN of a KMS key"


def instance_type(default: str, help: str) -> Any:
    """Return a dataclass field for an instance type; whether SageMaker has it is checked with all else."""
    return text(default, "a SageMaker instance type", help, r"ml\.\w[\w-]*\.\w+")


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorkSettings(ImageSettings):
    """What `train`, `train-spot`, `deploy` and `batch-transform` have in common."""

    role: str = text(
        "",
        "the ARN or name of an IAM role",
        "Role that job or endpoint takes on; needed.",
        r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+|[\w+=,.@-]{1,64}",
    )
    instance_type: str = instance_type("", "Machine to work on; default: see the commands.")
    instance_count: int = integer(1, 1, 100, "How many of them.")
    s3_prefix: str = s3_uri(
        "",
        "Where data, checkpoints and results go; default: s3://sagemaker-REGION-ACCOUNT/bert-classifier.",
    )
    flavour: str = choice("auto", ("auto", "cpu", "gpu"), "Image's flavour; auto = by instance type.")
    image_tag: str = text(
        "", "a tag", "Image's tag in ECR; default: FLAVOUR-revision of this folder.", r"\w[\w.-]{0,127}"
    )
    image_uri: str = text(
        "", "an address of at most 255 characters", "Another image altogether.", longest=255
    )
    environment: tuple[tuple[str, str], ...] = pairs(
        "Environment variables of the container.", most=100, name=r"[a-zA-Z_][a-zA-Z0-9_]{0,511}", longest=512
    )
    tags: tuple[tuple[str, str], ...] = pairs("Tags of what is made.", most=50, name=r".{1,128}", longest=256)
    subnets: tuple[str, ...] = names("subnet-… of a VPC", "Run in these subnets.", r"subnet-\w+", 16)
    security_group_ids: tuple[str, ...] = names("sg-… of a VPC", "With these security groups.", r"sg-\w+", 5)
    volume_kms_key: str = text("", _KEY, "Encrypts the instances' disks.", longest=2048)
    output_kms_key: str = text("", _KEY, "Encrypts what is uploaded and what comes out.", longest=2048)
    network_isolation: bool = boolean(
        False, "No network from within the container; training then needs MODEL, since no hub is reached."
    )
    wait: bool = boolean(True, "Wait for the end, or until the endpoint serves.")

    @property
    def wants_gpu(self) -> bool:
        """Whether the instance type has NVIDIA GPUs."""
        return self.instance_type.startswith(("ml.g", "ml.p"))

    @property
    def image_flavour(self) -> str:
        """The flavour that is meant: cpu or gpu."""
        return self.flavour if self.flavour != "auto" else "gpu" if self.wants_gpu else "cpu"

    @property
    def tag_list(self) -> list[dict[str, str]]:
        """The tags as SageMaker's requests hold them."""
        return [{"Key": name, "Value": value} for name, value in self.tags]

    @property
    def vpc_config(self) -> dict[str, list[str]] | None:
        """The VPC as SageMaker's requests hold it; None without one."""
        if not self.subnets:
            return None
        return {"Subnets": list(self.subnets), "SecurityGroupIds": list(self.security_group_ids)}
