"""What `deploy` and `batch-transform` can be told."""

import dataclasses

from bert_classifier.job.settings import choice, integer
from launcher.settings.declare import number_or_unset, s3_uri, text
from launcher.settings.work import JOB_NAME, WorkSettings, instance_type

ENDPOINT_NAME = (
    r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,42}"  # model and config are named after it, with the time behind
)
DEFAULT_ENDPOINT = "bert-classifier"
LONGEST_ANSWER = 3600  # seconds that SageMaker grants one request, in async and batch
_LONGEST_START = 3600


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelSettings(WorkSettings):
    """What concerns the model, wherever it answers."""

    instance_type: str = instance_type("ml.m5.xlarge", "Machine to answer on.")
    model_data: str = s3_uri("", "The model.tar.gz that training has left; needed, or JOB.")
    job: str = text("", "the name of a training job", "The training job that left the model.", JOB_NAME)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeploySettings(ModelSettings):
    """What `deploy` can be told."""

    endpoint: str = text(
        DEFAULT_ENDPOINT, "1 to 43 letters, digits and hyphens",
        "Name of the endpoint; one that is there gets the new model, and answers all the while.", ENDPOINT_NAME,
    )  # fmt: skip
    mode: str = choice(
        "realtime", ("realtime", "serverless", "async"),
        "Own instances; instances by the second, without GPU; or requests and answers in S3.",
    )  # fmt: skip
    startup_timeout: int = integer(
        600, 60, _LONGEST_START, "Seconds within which the container must answer pings."
    )
    download_timeout: int = integer(600, 60, _LONGEST_START, "Seconds within which the model must be there.")
    inference_ami_version: str = text(
        "", "a version of SageMaker's inference AMI", "Host software; default: what the gpu image needs.",
        r"[a-z0-9.-]+", longest=63,
    )  # fmt: skip
    volume_size: int | None = integer(
        None, 1, 512, "Disk of each instance in GB; not for instances with a disk of their own."
    )
    memory_size: int = integer(4096, 1024, 6144, "Serverless: memory in MB, in steps of 1024.")
    max_concurrency: int = integer(5, 1, 200, "Serverless: most requests at the same time.")
    async_concurrency: int | None = integer(
        None, 1, 1000, "Async: most requests at the same time an instance; default: SageMaker's choice."
    )
    invocation_timeout: int = integer(
        900, 1, LONGEST_ANSWER, "Async: seconds that one request may take; the server gets as many."
    )
    hourly_price: float | None = number_or_unset(
        0, 1000, "Price of an instance hour, for the cost; default: asked of AWS' price list."
    )

    @property
    def is_serverless(self) -> bool:
        """Whether there are no instances."""
        return self.mode == "serverless"

    @property
    def wants_gpu(self) -> bool:
        """Whether the instances have NVIDIA GPUs."""
        return not self.is_serverless and super().wants_gpu


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformSettings(ModelSettings):
    """What `batch-transform` can be told."""

    input: str = text(
        "", "a file or folder, or s3://bucket/prefix", "Texts to classify; local ones are uploaded."
    )
    output: str = s3_uri("", "Where the answers go; default: a folder for the job.")
    job_name: str = text(
        "", "1 to 63 letters, digits and hyphens", "Name; default: bert-classifier and the time.", JOB_NAME
    )
    content_type: str = text("", "a media type", "Form of the texts; default: by the files' suffix.")
    accept: str = text("", "a media type", "Form of the answers; default: that of the texts.")
    strategy: str = choice(
        "MultiRecord", ("MultiRecord", "SingleRecord"), "Texts in a request: many, or one."
    )
    max_payload: int = integer(6, 1, 100, "Most MB in a request.")
    max_concurrent: int = integer(
        1, 1, 100, "Requests at the same time an instance; times MAX_PAYLOAD at most 100."
    )
    transform_ami_version: str = text(
        "", "a version of SageMaker's batch AMI", "Host software.", r"[a-z0-9.-]+", longest=63
    )
    max_minutes: int = integer(
        1440, 1, 40_320, "Minutes to wait for the end; the job itself has no such bound."
    )
    hourly_price: float | None = number_or_unset(
        0, 1000, "Price of an instance hour, for the cost; default: asked of AWS' price list."
    )
