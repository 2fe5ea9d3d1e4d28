"""Everything that is checked before a training job costs money; `doctor` shows it, `train` refuses on failures."""

import dataclasses
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bert_classifier.job.automatic_lengths import LEAST_AUTOMATIC_LENGTH
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.encoder_folder import check_encoder, check_revision, encoder_source
from bert_classifier.job.encoder_weights import unused_weights
from bert_classifier.job.findings import Severity
from launcher.aws.account import Account
from launcher.aws.ecr import image_uri
from launcher.aws.model import stamp
from launcher.aws.s3 import prefix_of
from launcher.checks.account import Needs, check_access, check_role
from launcher.checks.job import Job
from launcher.checks.request import check_request, with_instances
from launcher.checks.unused import check_image_settings, check_unused
from launcher.checks.workload import check_instance, check_tags, check_vpc
from launcher.findings import Finding, examine, fail, obtain, ok, warn
from launcher.inputs.channels import Channel, channels_of
from launcher.inputs.table import check_tables
from launcher.settings.instances import num_gpus
from launcher.settings.training import TrainSettings

_OF_INSTANCES = ("instance_type", "instance_count")
_CHANNELS = ("train", "validation", "test", "classes", "model", "s3_data")
_LARGEST_AUTOMATIC_BATCH = 32
_LARGEST_PROPOSED_BATCH = 8 * _LARGEST_AUTOMATIC_BATCH
_BUSY_TOKENS = 4096  # per GPU and step; the job itself says more, since it knows texts and encoder
_NAME_THE_CHANNELS = "If S3_DATA cannot be listed, name the channels: TRAIN=s3://…/train/."


def plan(settings: TrainSettings, account: Account, *, spot: bool) -> tuple[Job, list[Finding]]:
    """Return the job that the settings describe, and all findings about it.

    Raises:
        ContainerError: when not even the account can be looked up.
    """
    given = settings
    settings, others = with_instances(settings, account.client("sagemaker").meta.service_model)
    prefix = prefix_of(settings, account)
    channels, findings = find_channels(settings, account)
    name = settings.job_name or stamp(settings.base_job_name)
    job = Job(settings, spot, name, image_uri(settings, account), prefix, tuple(channels))
    access = check_access(account, job.image_uri, settings, job.needs, others=others)
    unused = {name: "REQUEST names the instances" for name in _OF_INSTANCES if _differ(given, settings, name)}
    return job, [*check_unused(given, unused), *check_settings(job, account), *access, *findings]


def _differ(given: TrainSettings, settings: TrainSettings, name: str) -> bool:
    return bool(getattr(given, name) != getattr(settings, name))


def find_channels(settings: TrainSettings, account: Account) -> tuple[list[Channel], list[Finding]]:
    """Return the job's channels, and the findings about them."""
    channels, findings = obtain("data", partial(channels_of, settings, account), _NAME_THE_CHANNELS)
    for channel in channels or ():
        findings += examine(channel.name, channel.findings)
    findings += examine("data", partial(check_tables, channels or (), settings))
    return channels or [], findings


def check_settings(job: Job, account: Account) -> list[Finding]:
    """Check a job's settings without asking AWS."""
    settings = job.settings
    known = account.client("sagemaker").meta.service_model.shape_for("TrainingInstanceType").enum
    names = [channel.name for channel in job.channels]
    return [
        *check_image_settings(settings),
        *check_unused(settings, {"base_job_name": "JOB_NAME names the job"} if settings.job_name else {}),
        *_check_config(settings, names),
        *check_instance(settings, known, "training"),
        *check_count(settings),
        *check_times(settings, spot=job.spot),
        *check_network(settings, names),
        *check_tags(settings),
        *examine("request", partial(check_request, job, account.client("sagemaker").meta.service_model)),
    ]


def check_without_aws(settings: TrainSettings, account: Account, *, spot: bool) -> list[Finding]:
    """Check what needs no AWS: settings, what is missing among them, and the files of this machine."""
    in_s3: dict[str, Any] = {n: "" for n in _CHANNELS if getattr(settings, n).startswith("s3://")}
    local = dataclasses.replace(settings, **in_s3)
    is_local = local.train or not (settings.train or settings.s3_data)
    channels, findings = find_channels(local, account) if is_local else ([], [])
    names = [*(channel.name for channel in channels), *in_s3]
    return [
        *_check_config(settings, names),
        *check_count(settings),
        *check_times(settings, spot=spot),
        *check_tags(settings),
        *([] if settings.role else check_role(account, "", Needs("training-role.json", [], []))),
        *findings,
    ]


def _check_config(settings: TrainSettings, channels: Sequence[str]) -> list[Finding]:
    """Check the hyperparameters, and what the job trains with them; a mistake in them is said once."""
    found = examine("hyperparameters", partial(check_hyperparameters, settings))
    if any(one.severity is Severity.ERROR for one in found):
        return found
    return [*found, *examine("hyperparameters", partial(check_trainings, settings, channels))]


def check_hyperparameters(settings: TrainSettings) -> Iterator[Finding]:
    """Check the hyperparameters as the job itself does when it starts."""
    given = dict(settings.hp)
    if "max_run_seconds" in given:
        yield fail("hyperparameters", "max_run_seconds follows from MAX_RUN", "Give MAX_RUN instead.")
        return
    config = settings.config
    yield ok("hyperparameters", f"{len(given)} given; {_recipe(config)}")
    if settings.model and not settings.model.startswith("s3://"):
        yield from examine("model", lambda: _check_encoder(settings.model, config.max_seq_length))
    yield from check_batch(settings)


def check_trainings(settings: TrainSettings, channels: Sequence[str]) -> Iterator[Finding]:
    """Say how many models the job trains one after the other; refuse a validation channel that none would use."""
    config = settings.config
    if config.cross_validation and "validation" in channels:
        yield fail(
            "hyperparameters", "cross_validation judges the training texts, but the job has a validation channel",
            "Leave one of the two out.",
        )  # fmt: skip
    check_revision(config.revision, config.model_name, has_channel="model" in channels)
    number = config.cross_validation + 1 if config.cross_validation else config.seeds
    if number > 1:
        yield ok(
            "time",
            f"the job trains {number} models one after the other; MAX_RUN={settings.max_run} is for all of them",
        )


def check_batch(settings: TrainSettings) -> Iterator[Finding]:
    """Doubt a batch that is too small for the job's GPUs even if all its texts are as long as they may be."""
    config = settings.config
    gpus = settings.instance_count * (config.processes_per_host or num_gpus(settings.instance_type))
    if gpus < 2 or not settings.wants_gpu:
        return
    batch = config.resolve_global_batch_size(gpus) or _LARGEST_AUTOMATIC_BATCH
    windows = config.max_windows if config.truncation == "windows" else 1
    tokens = batch * windows * (config.max_seq_length or LEAST_AUTOMATIC_LENGTH) // gpus
    if tokens < _BUSY_TOKENS:
        yield warn(
            "batch", f"{gpus} GPUs that share {batch} texts per step get {tokens} tokens each, or fewer; BERT base"
            f" keeps one busy from about {_BUSY_TOKENS} on",
            _remedy_for_small_batch(config, batch),
        )  # fmt: skip


def _remedy_for_small_batch(config: TrainConfig, batch: int) -> str:
    if 2 * batch > _LARGEST_PROPOSED_BATCH:
        return "Take fewer GPUs."
    instead = " in place of per_device_batch_size" if config.per_device_batch_size else ""
    return (
        f"Take fewer GPUs; or a larger global_batch_size{instead}, up to {_LARGEST_PROPOSED_BATCH}, with a"
        " learning_rate larger by the square root of the ratio, if the run keeps 120 steps."
    )


def _check_encoder(folder: str, max_seq_length: int | None) -> Iterator[Finding]:
    """Check an encoder's folder; the channel reports what is uploaded."""
    path = str(Path(folder).expanduser())
    check_encoder(path, max_seq_length)
    if doubt := unused_weights(Path(encoder_source(path))):
        yield warn("model", doubt)


def _recipe(config: TrainConfig) -> str:
    """Describe epochs, batch and learning rate; the job chooses what is not set once it has read its data."""
    per_device = config.per_device_batch_size
    recipe = {
        "epochs": config.num_train_epochs or "by the data",
        "batch": f"{per_device} per device" if per_device else config.global_batch_size or "by the data",
        "learning rate": config.learning_rate or "by the encoder",
    }
    return ", ".join(f"{name} {value}" for name, value in recipe.items())


def check_count(settings: TrainSettings) -> Iterator[Finding]:
    """Doubt several instances without GPUs."""
    if settings.instance_count > 1 and not settings.wants_gpu:
        message = "several instances without GPUs mostly wait for each other"
        yield warn("instance", message, "Try a larger one first.")


def check_times(settings: TrainSettings, *, spot: bool) -> Iterator[Finding]:
    """Check that a spot job may wait and run as long as it may run."""
    if spot and settings.longest_wait < settings.max_run:
        yield fail(
            "time",
            f"MAX_WAIT={settings.longest_wait} is below MAX_RUN={settings.max_run}",
            "MAX_WAIT counts waiting and running together: raise it.",
        )
    elif not spot and settings.max_wait and "max_wait" in settings.typed:
        yield fail("time", "MAX_WAIT is for spot instances only", f"Leave it out, or {settings.on_spot}.")
    else:
        waits = f", {settings.longest_wait} s including the wait for spot capacity" if spot else ""
        yield ok("time", f"runs at most {settings.max_run} s{waits}")


def check_network(settings: TrainSettings, channels: Sequence[str]) -> Iterator[Finding]:
    """Check that VPC, isolation and encoder go together."""
    yield from check_vpc(settings)
    if settings.network_isolation and "model" not in channels:
        yield fail(
            "network", "an isolated job cannot download its encoder from the model hub",
            "Give MODEL=folder, or NETWORK_ISOLATION=false.",
        )  # fmt: skip
    if settings.subnets and "model" not in channels:
        yield warn(
            "network", "the encoder comes from the model hub, so the VPC needs a route to it",
            "Without one give MODEL=folder.",
        )  # fmt: skip
    if settings.encrypt_traffic and settings.instance_count == 1:
        yield warn("network", "ENCRYPT_TRAFFIC does nothing for one instance")
