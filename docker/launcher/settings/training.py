"""Settings of `train`, `train-spot` and `doctor`."""

import dataclasses
import functools
from typing import Any, ClassVar

from bert_classifier.job.config import TrainConfig
from bert_classifier.job.settings import boolean, choice, integer
from launcher.settings.fields import hourly_price, instance_type, pairs, resource_name, s3_uri, text
from launcher.settings.workload import WorkloadSettings

_LONGEST_RUN = 28 * 86_400  # SageMaker's own limit, in seconds


def _channel(help: str) -> Any:
    return text("", "a file or folder, or s3://bucket/prefix", help)


def _data_channel(help: str) -> Any:
    return text("", "files or folders, or s3://bucket/prefix", help, longest=100_000)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainSettings(WorkloadSettings):
    """The settings of a training job."""

    instance_type: str = instance_type("ml.g5.xlarge", "Instance type to train on.")
    volume_size: int = integer(
        30, 1, 16_384, "Disk per instance in GB; instances with their own disk ignore it."
    )
    train: str = _data_channel("Training data; local files are uploaded.")
    validation: str = _data_channel("Validation data; default: a share of the training data is held out.")
    test: str = _data_channel("Test data.")
    classes: str = _channel("Class names, one per line.")
    model: str = _channel("Pretrained encoder; default: `model_name`, from the model hub.")
    s3_data: str = s3_uri(
        "", "Folder in S3 that already holds train/, validation/, test/, class/ and model/."
    )
    hp: tuple[tuple[str, str], ...] = pairs("Hyperparameters of the job.", most=99, longest=2500)
    max_run: int = integer(86_400, 60, _LONGEST_RUN, "Maximum run time in seconds.")
    max_wait: int | None = integer(
        None, 60, 2 * _LONGEST_RUN,
        "Spot: maximum time in seconds for waiting and running together; default: twice MAX_RUN.",
    )  # fmt: skip
    checkpoint_s3_uri: str = s3_uri(
        "", "Folder for checkpoints; to resume an earlier job, give that job's; default: a folder per job."
    )
    job_name: str = resource_name("", 63, "Name of the job; default: BASE_JOB_NAME and the time.")
    base_job_name: str = resource_name("bert-classifier", 63, "Prefix of the job's name.")
    max_retry_attempts: int = integer(2, 0, 30, "Retries after an internal error of SageMaker.")
    input_mode: str = choice("File", ("File", "FastFile"), "How SageMaker delivers the channels.")
    encrypt_traffic: bool = boolean(False, "Encrypt traffic between instances; slower.")
    request: str = text(
        "", "a file of JSON", "Further fields of CreateTrainingJob, such as TrainingPlanArn; checked against the API."
    )  # fmt: skip
    via: str = choice(
        "auto", ("auto", "estimator", "modeltrainer", "boto3"),
        "What sends the request: Estimator (SageMaker SDK 2), ModelTrainer (SDK 3) or boto3; auto: what is installed.",
    )  # fmt: skip
    hourly_price: float | None = hourly_price()

    # How a command takes spot capacity, as messages say it.
    chooses_spot: ClassVar[str] = "the command: train-spot or train"
    on_demand: ClassVar[str] = "Use make train."
    on_spot: ClassVar[str] = "use train-spot"

    @property
    def longest_wait(self) -> int:
        """Seconds that a spot job may wait and run."""
        return self.max_wait or 2 * self.max_run

    @property
    def hyperparameters(self) -> dict[str, str]:
        """The job's hyperparameters: those given, and its longest run time."""
        return {**dict(self.hp), "max_run_seconds": str(self.max_run)}

    @functools.cached_property
    def config(self) -> TrainConfig:
        """The job's hyperparameters as the job will read them.

        Raises:
            UserError: naming every mistake in them.
        """
        return TrainConfig.from_hyperparameters(self.hyperparameters)
