"""What `train`, `train-spot` and `doctor` can be told about a training job."""

import dataclasses

from bert_classifier.fields import boolean, choice, integer
from launcher.push import ImageSettings
from launcher.settings import names, number_or_unset, pairs, s3_uri, text

JOB_NAME = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
_LONGEST_RUN = 28 * 86_400  # SageMaker's own limit, in seconds
_PATH_OR_URI = "a file or folder, or s3://bucket/prefix"
_KEY = "the id, alias or ARN of a KMS key"


def _channel(help: str) -> str:
    field: str = text("", _PATH_OR_URI, help)
    return field


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainSettings(ImageSettings):
    """The settings of a training job."""

    role: str = text(
        "",
        "the ARN or name of an IAM role",
        "Role that the job takes on; needed.",
        r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+|[\w+=,.@-]{1,64}",
    )
    instance_type: str = text(
        "ml.g5.xlarge", "a SageMaker instance type", "Machine to train on.", r"ml\.\w[\w-]*\.\w+"
    )
    instance_count: int = integer(1, 1, 100, "How many of them.")
    volume_size: int = integer(
        30, 1, 16_384, "Disk of each in GB; instances with a disk of their own ignore it."
    )
    train: str = _channel("Training data, uploaded if it is local.")
    validation: str = _channel("Validation data; default: a share of the training data is held out.")
    test: str = _channel("Test data.")
    classes: str = _channel("Class names, one a line.")
    model: str = _channel("Pretrained encoder; default: `model_name`, from the model hub.")
    s3_data: str = s3_uri("", "Folder that holds train/, validation/, test/, class/ and model/ already.")
    s3_prefix: str = s3_uri(
        "", "Where data, checkpoints and results go; default: s3://sagemaker-REGION-ACCOUNT/bert-classifier."
    )
    hp: tuple[tuple[str, str], ...] = pairs("Hyperparameters of the job.", most=99)
    flavour: str = choice("auto", ("auto", "cpu", "gpu"), "Image's flavour; auto = by instance type.")
    image_tag: str = text(
        "", "a tag", "Image's tag in ECR; default: FLAVOUR-revision of this folder.", r"\w[\w.-]{0,127}"
    )
    image_uri: str = text(
        "", "an address of at most 255 characters", "Another image altogether.", longest=255
    )
    max_run: int = integer(86_400, 60, _LONGEST_RUN, "Seconds that the job may run.")
    max_wait: int | None = integer(
        None, 60, 2 * _LONGEST_RUN, "Spot: seconds that it may wait and run; default: twice MAX_RUN."
    )
    checkpoint_s3_uri: str = s3_uri(
        "", "Checkpoints; name an earlier job's to go on with it; default: a folder for the job."
    )
    job_name: str = text(
        "", "1 to 63 letters, digits and hyphens", "Name; default: BASE_JOB_NAME and the time.", JOB_NAME
    )
    base_job_name: str = text(
        "bert-classifier", "1 to 40 letters, digits and hyphens", "Beginning of the name.",
        r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,39}",
    )  # fmt: skip
    max_retry_attempts: int = integer(2, 0, 30, "Starts anew after an internal error of SageMaker.")
    input_mode: str = choice("File", ("File", "FastFile"), "How channels reach the job.")
    environment: tuple[tuple[str, str], ...] = pairs(
        "Environment variables of the job.", most=100, name=r"[a-zA-Z_][a-zA-Z0-9_]{0,511}", longest=512
    )
    tags: tuple[tuple[str, str], ...] = pairs("Tags of the job.", most=50, name=r".{1,128}", longest=256)
    subnets: tuple[str, ...] = names("subnet-… of a VPC", "Run in these subnets.", r"subnet-\w+", 16)
    security_group_ids: tuple[str, ...] = names("sg-… of a VPC", "With these security groups.", r"sg-\w+", 5)
    volume_kms_key: str = text("", _KEY, "Encrypts the instances' disks.", longest=2048)
    output_kms_key: str = text("", _KEY, "Encrypts what is uploaded and what the job leaves.", longest=2048)
    network_isolation: bool = boolean(
        False, "No network from within the job: give MODEL, since no hub is reached."
    )
    encrypt_traffic: bool = boolean(False, "Encrypts what instances send each other; slower.")
    hourly_price: float | None = number_or_unset(
        0, 1000, "Price of an instance hour, for the cost; default: asked of AWS' price list."
    )
    wait: bool = boolean(True, "Show the job's log until it ends.")

    @property
    def wants_gpu(self) -> bool:
        """Whether the instance type has NVIDIA GPUs."""
        return self.instance_type.startswith(("ml.g", "ml.p"))

    @property
    def image_flavour(self) -> str:
        """The flavour that is meant: cpu or gpu."""
        return self.flavour if self.flavour != "auto" else "gpu" if self.wants_gpu else "cpu"

    @property
    def longest_wait(self) -> int:
        """Seconds that a spot job may wait and run."""
        return self.max_wait or 2 * self.max_run

    @property
    def hyperparameters(self) -> dict[str, str]:
        """Those of the job: the given ones, and the time that it has."""
        return {**dict(self.hp), "max_run_seconds": str(self.max_run)}
