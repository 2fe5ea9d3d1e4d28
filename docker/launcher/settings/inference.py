"""Settings of `deploy` and `batch-transform`."""

import dataclasses
from typing import Any

from bert_classifier.job.serve_config import ANSWER_FIELDS
from bert_classifier.job.settings import boolean, choice, choices, count_or_all, integer
from launcher.settings.fields import hourly_price, instance_type, resource_name, s3_uri, text
from launcher.settings.package_names import model_package
from launcher.settings.reading import of_reader
from launcher.settings.rollout import RolloutSettings
from launcher.settings.workload import WorkloadSettings

LONGEST_ANSWER = 3600  # seconds that SageMaker grants one request, in async and batch
_LONGEST_START = 3600
MOST_PAYLOADS_MB = 100  # that SageMaker holds at a time: concurrent requests times their largest size
MEDIA_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/jsonlines",
    ".csv": "text/csv",
    ".txt": "text/plain",
}


def endpoint_name(help: str) -> Any:
    """Return a dataclass field for an endpoint; model and configuration get its beginning with the time appended."""
    return resource_name("bert-classifier", 63, help)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelSettings(WorkloadSettings):
    """Settings of the model, wherever it serves."""

    instance_type: str = instance_type("ml.m5.xlarge", "Instance type to serve on.")
    model_data: str = s3_uri(
        "",
        "The model.tar.gz of a training job; required, unless JOB is given.",
        "s3://bucket/prefix/model.tar.gz",
    )
    job: str = resource_name(
        "",
        63,
        "Training job whose model to serve; with TUNING_JOB: best, or a trial.",
        "the name of a training job",
    )
    tuning_job: str = resource_name(
        "", 32, "Tuning job whose best model to serve.", "the name of a tuning job"
    )
    model_package: str = model_package(
        "Version in the Model Registry to serve, with its image; a group means its newest approved version."
    )
    approved_only: str = choice(
        "auto", ("auto", "true", "false"),
        "Whether a model must be approved: true = serve nothing but approved model packages; auto = packages must be"
        " approved, JOB and MODEL_DATA need not; false = no.",
    )  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeploySettings(RolloutSettings, ModelSettings):
    """The settings of `deploy`."""

    endpoint: str = endpoint_name(
        "Name of the endpoint; an existing one is updated and keeps serving meanwhile."
    )
    mode: str = choice(
        "realtime", ("realtime", "serverless", "async"),
        "realtime: dedicated instances; serverless: billed per second, no GPU; async: requests and responses in S3.",
    )  # fmt: skip
    startup_timeout: int = integer(
        600, 60, _LONGEST_START, "Seconds within which the container must answer pings."
    )
    download_timeout: int = integer(
        600, 60, _LONGEST_START, "Seconds within which the model must be downloaded."
    )
    inference_ami_version: str = text(
        "", "a version of SageMaker's inference AMI", "Host software; default: the one that the gpu image needs.",
        r"[a-z0-9.-]+", longest=63,
    )  # fmt: skip
    volume_size: int | None = integer(
        None, 1, 512, "Disk per instance in GB; not for instances with their own disk."
    )
    memory_size: int = integer(4096, 1024, 6144, "Serverless: memory in MB, in steps of 1024.")
    max_concurrency: int = integer(5, 1, 200, "Serverless: maximum number of concurrent requests.")
    async_concurrency: int | None = integer(
        None, 1, 1000,
        "Async: maximum number of concurrent requests per instance; default: SageMaker's choice.",
    )  # fmt: skip
    invocation_timeout: int = integer(
        900, 1, LONGEST_ANSWER, "Async: seconds per request; the server gets the same limit."
    )
    request: str = text(
        "", "a file of JSON",
        "Further fields of CreateModel, CreateEndpointConfig, CreateEndpoint or UpdateEndpoint, by request; checked "
        "against the API.",
    )  # fmt: skip
    hourly_price: float | None = hourly_price()

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
    """The settings of `batch-transform`."""

    input: str = text(
        "", "a file or folder, or s3://bucket/prefix",
        "Texts to classify, in any form that training reads; local files are uploaded, converted where needed.",
    )  # fmt: skip
    output: str = s3_uri("", "Folder for the predictions; default: a folder per job.")
    job_name: str = resource_name("", 63, "Name of the job; default: bert-classifier and the time.")
    content_type: str = text(
        "", "a media type", "Media type of the texts, which are then sent as they are; default: recognised."
    )
    accept: str = text("", "a media type", "Media type of the predictions; default: that of the texts.")
    columns: str = text("", "a row of CSV", "Columns of CSV in S3, such as label,text; default: texts alone.")
    text_column: str = of_reader("text_column")
    text_pair_column: str = of_reader("text_pair_column")
    title_column: str = of_reader("title_column")
    header: str = of_reader("header")
    delimiter: str = of_reader("delimiter")
    encoding: str = of_reader("encoding")
    top_k: int | str | None = count_or_all(
        "Classes per text, most likely first; default: the best one, not in a list."
    )
    inference_output: tuple[str, ...] = choices(
        ANSWER_FIELDS, "Fields of each prediction instead of label and score."
    )
    join: bool = boolean(False, "Write each prediction beside the row or record that it belongs to.")
    strategy: str = choice("MultiRecord", ("MultiRecord", "SingleRecord"), "Texts per request: many, or one.")
    max_payload: int = integer(6, 1, MOST_PAYLOADS_MB, "Maximum size of a request in MB.")
    max_concurrent: int = integer(
        1,
        1,
        MOST_PAYLOADS_MB,
        f"Concurrent requests per instance; times MAX_PAYLOAD at most {MOST_PAYLOADS_MB}.",
    )
    transform_ami_version: str = text(
        "", "a version of SageMaker's batch AMI", "Host software.", r"[a-z0-9.-]+", longest=63
    )
    max_minutes: int = integer(
        1440, 1, 40_320, "Minutes to wait for the end; the job itself has no such limit."
    )
    hourly_price: float | None = hourly_price()
