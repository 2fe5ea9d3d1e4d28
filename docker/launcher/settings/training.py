"""What `train`, `train-spot` and `doctor` can be told about a training job."""

import dataclasses

from bert_classifier.job.settings import boolean, choice, integer
from launcher.settings.declare import number_or_unset, pairs, s3_uri, text
from launcher.settings.work import JOB_NAME, WorkSettings, instance_type

_LONGEST_RUN = 28 * 86_400  # SageMaker's own limit, in seconds
_PATH_OR_URI = "a file or folder, or s3://bucket/prefix"


def _channel(help: str) -> str:
    field: str = text("", _PATH_OR_URI, help)
    return field


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainSettings(WorkSettings):
    """The settings of a training job."""

    instance_type: str = instance_type("ml.g5.xlarge", "Machine to train on.")
    volume_size: int = integer(
        30, 1, 16_384, "Disk of each in GB; instances with a disk of their own ignore it."
    )
    train: str = _channel("Training data, uploaded if it is local.")
    validation: str = _channel("Validation data; default: a share of the training data is held out.")
    test: str = _channel("Test data.")
    classes: str = _channel("Class names, one a line.")
    model: str = _channel("Pretrained encoder; default: `model_name`, from the model hub.")
    s3_data: str = s3_uri("", "Folder that holds train/, validation/, test/, class/ and model/ already.")
    hp: tuple[tuple[str, str], ...] = pairs("Hyperparameters of the job.", most=99)
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
    encrypt_traffic: bool = boolean(False, "Encrypts what instances send each other; slower.")
    hourly_price: float | None = number_or_unset(
        0, 1000, "Price of an instance hour, for the cost; default: asked of AWS' price list."
    )

    @property
    def longest_wait(self) -> int:
        """Seconds that a spot job may wait and run."""
        return self.max_wait or 2 * self.max_run

    @property
    def hyperparameters(self) -> dict[str, str]:
        """Those of the job: the given ones, and the time that it has."""
        return {**dict(self.hp), "max_run_seconds": str(self.max_run)}
