"""What can be told about a training job without asking AWS: settings that contradict each other or the service."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bert_classifier.job.config import TrainConfig
from bert_classifier.job.encoder_folder import check_encoder
from bert_classifier.job.settings import shown
from launcher.aws.instances import AS_OF, host_of, nearest_type
from launcher.checks.image_fit import OLDEST_GPU
from launcher.findings import Finding, examine, fail, ok, warn
from launcher.settings.training import TrainSettings
from launcher.settings.work import WorkSettings


def check_hyperparameters(settings: TrainSettings) -> Iterator[Finding]:
    """Yield whether the image will take the hyperparameters: the check that the job itself begins with."""
    told = dict(settings.hp)
    if "max_run_seconds" in told:
        yield fail("hyperparameters", "max_run_seconds is what MAX_RUN sets", "Give MAX_RUN instead.")
        return
    config = TrainConfig.from_hyperparameters(settings.hyperparameters)
    yield ok("hyperparameters", f"{len(told)} given; {_recipe(config)}")
    if settings.model and not settings.model.startswith("s3://"):
        yield from examine("model", lambda: _check_encoder(settings.model, config.max_seq_length))


def _check_encoder(folder: str, max_seq_length: int) -> Sequence[Finding]:
    check_encoder(str(Path(folder).expanduser()), max_seq_length)
    return ()  # the channel itself says what is uploaded


def _recipe(config: TrainConfig) -> str:
    """Say what is set of epochs, batch and learning rate; the job chooses the rest once it has read its data."""
    per_device = config.per_device_batch_size
    told = {
        "epochs": config.num_train_epochs or "by the data",
        "batch": f"{per_device} per device" if per_device else config.global_batch_size or "by the data",
        "learning rate": config.learning_rate or "by the encoder",
    }
    return ", ".join(f"{name} {value}" for name, value in told.items())


def check_instance(settings: TrainSettings, known: Sequence[str]) -> Iterator[Finding]:
    """Yield whether the instance type exists and the image runs on it.

    Args:
        known: the types that this version of the API names.
    """
    name = settings.instance_type
    if name not in known:
        close = nearest_type(name, known)
        remedy = f"Did you mean {close}?" if close else "Give one that SageMaker trains on."
        yield fail("instance", f"SageMaker trains on no {shown(name)}", remedy)
    else:
        yield from check_host(settings)
    if settings.instance_count > 1 and not settings.wants_gpu:
        yield warn(
            "instance", "several instances without GPUs mostly wait for each other", "Try a larger one first."
        )


def check_host(settings: WorkSettings) -> Iterator[Finding]:
    """Yield whether this project's images have software for what an instance type computes with."""
    name, host = settings.instance_type, host_of(settings.instance_type)
    if host is None:
        yield warn(
            "instance", f"{name} is of a family that this program does not know (its table is of {AS_OF}), so whether"
            " the image runs on its processor and GPU was not checked",
            "See that it is an x86-64 machine, with a GPU from Turing on or none; or give one that is known.",
        )  # fmt: skip
    elif host.accelerator:
        told = f"{name} has {host.accelerator}, which this project's images have no software for"
        if settings.image_uri:
            yield warn("instance", told, "See that the image of IMAGE_URI is built for them.")
        else:
            yield fail("instance", told, "Give ml.g… with GPUs, or ml.m… or ml.c… without.")
    elif host.architecture != "amd64" and not settings.image_uri:
        remedy = "Give ml.g4dn… or ml.g5…." if host.gpu else "Give ml.m5… or ml.c5…."
        yield fail("instance", f"{name} is an ARM machine, the image is for x86-64", remedy)
    elif settings.flavour == "cpu" and host.gpu:
        too_old = host.capability < OLDEST_GPU and not settings.image_uri
        remedy = "an instance without GPU, or a newer GPU with FLAVOUR=gpu" if too_old else "FLAVOUR=gpu"
        yield fail("instance", f"{name} has GPUs, which the flavour cpu leaves idle", f"Give {remedy}.")
    else:
        yield ok("instance", f"{settings.instance_count} × {name}")


def check_times(settings: TrainSettings, *, spot: bool) -> Iterator[Finding]:
    """Yield whether the job has time to wait for spot capacity, and to save before its time is up."""
    if spot and settings.longest_wait <= settings.max_run:
        yield fail(
            "time",
            f"MAX_WAIT={settings.longest_wait} is not above MAX_RUN={settings.max_run}",
            "It counts waiting and running together: give more.",
        )
    elif not spot and settings.max_wait and "max_wait" in settings.typed:
        yield fail("time", "MAX_WAIT is for spot instances only", "Leave it out, or use train-spot.")
    else:
        waits = f", {settings.longest_wait} s with waiting for spot capacity" if spot else ""
        yield ok("time", f"at most {settings.max_run} s of running{waits}")


def check_vpc(settings: WorkSettings) -> Iterator[Finding]:
    """Yield whether subnets and security groups are given together."""
    if bool(settings.subnets) != bool(settings.security_group_ids):
        yield fail("network", "SUBNETS and SECURITY_GROUP_IDS go together", "Give both, or neither.")


def check_network(settings: TrainSettings, channels: Sequence[str]) -> Iterator[Finding]:
    """Yield whether VPC, isolation and encoder go together."""
    yield from check_vpc(settings)
    if settings.network_isolation and "model" not in channels:
        yield fail(
            "network", "an isolated job cannot fetch its encoder from the model hub",
            "Give it: MODEL=folder, or NETWORK_ISOLATION=false.",
        )  # fmt: skip
    if settings.subnets and "model" not in channels:
        yield warn(
            "network", "the encoder comes from the model hub, so the VPC needs a way to it",
            "Without one give MODEL=folder.",
        )  # fmt: skip
    if settings.encrypt_traffic and settings.instance_count == 1:
        yield warn("network", "ENCRYPT_TRAFFIC does nothing for one instance")


def check_tags(settings: WorkSettings) -> Iterator[Finding]:
    """Yield whether AWS will take the tags."""
    reserved = [name for name, _ in settings.tags if name.lower().startswith("aws:")]
    if reserved:
        yield fail("tags", f"{reserved[0]} begins with aws:, which AWS keeps to itself", "Name it otherwise.")
