"""What every check uses: engine, image, job, limits, fresh instances, and a model to serve."""

import contextlib
import dataclasses
import itertools
import random
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

from sagemaker_emulator.engine import Container, Engine
from sagemaker_emulator.instance import Instance, files_of
from sagemaker_emulator.job import Job
from sagemaker_emulator.report import Report

_ACCOUNT = "arn:aws:sagemaker:us-east-1:111122223333"
# What is withheld from containers at first, since SageMaker does not grant it always, by the check that judges it.
READ_ONLY_CHANNELS, NO_NETWORK, SMALL_SHM = "train.read-only-channels", "train.no-network", "train.small-shm"


@dataclasses.dataclass(frozen=True)
class Limits:
    """How long the rehearsal waits, in seconds; SageMaker's own limits where it has one.

    Attributes:
        training: for a whole training job.
        refusal: for a job or a server that cannot run to end.
        start: until /ping has said 200.
        stop: between SIGTERM and SIGKILL in training.
        drain: between SIGTERM and SIGKILL at an endpoint.
        lost_peer: for a host to notice that another is gone.
    """

    training: int = 1800
    refusal: int = 60
    start: int = 480
    stop: int = 120
    drain: int = 30
    lost_peer: int = 300


@dataclasses.dataclass(frozen=True)
class BaseRun:
    """The undisturbed training that others are compared with.

    Attributes:
        instance: with its outputs; None when the training did not succeed.
        seconds: it took.
        log: what it wrote.
        granted: checks whose restriction had to be lifted for it; it is then lifted for all trainings.
    """

    instance: Instance | None
    seconds: float
    log: bytes
    granted: tuple[str, ...] = ()

    @property
    def has_model(self) -> bool:
        """Whether it has left something in /opt/ml/model."""
        return bool(self.instance and files_of(self.instance.model_dir))


@dataclasses.dataclass(frozen=True)
class Start:
    """The first start of `serve` with the whole model.

    Attributes:
        seen: how it went.
        seconds: until it was healthy.
        is_network_open: whether it had a way out, since it does not start without.
    """

    is_ready: bool
    seen: str
    seconds: float = 0.0
    is_network_open: bool = False


@dataclasses.dataclass
class Rehearsal:
    """One run of the command."""

    engine: Engine
    image: str
    job: Job
    report: Report
    limits: Limits
    work_dir: Path
    rng: random.Random
    given_model: Path | None = None
    programs: Sequence[str] = ("train", "serve")
    base: "Future[BaseRun]" = dataclasses.field(default_factory=Future)
    start: "Future[Start]" = dataclasses.field(default_factory=Future)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def new_folder(self, name: str) -> Path:
        """Return a path in the work folder that nothing else uses."""
        with self._lock:
            return self.work_dir / f"{next(self._numbers):02}-{name}"

    def new_instance(
        self,
        name: str,
        *,
        hyperparameters: Mapping[str, str] | None = None,
        without: str = "",
        empty: str = "",
        host: str = "algo-1",
        hosts: Sequence[str] = ("algo-1",),
    ) -> Instance:
        """Return a fresh instance with the job's input.

        Args:
            hyperparameters: that replace some of the job's.
            without: a channel to leave out.
            empty: a channel to give no files.
        """
        folder = self.new_folder(name)
        channels = {channel: path for channel, path in self.job.channels.items() if channel != without}
        if empty:
            channels[empty] = folder.with_name(folder.name + "-empty")
            channels[empty].mkdir()
        return Instance(
            folder, channels, {**self.job.hyperparameters, **(hyperparameters or {})}, host, hosts
        )

    @contextlib.contextmanager
    def training(
        self, instance: Instance, *options: str, network: str = "", granted: Sequence[str] | None = None
    ) -> Iterator[Container]:
        """Run `train` on an instance.

        Args:
            network: to run on, instead of one of its own.
            granted: checks whose restriction is lifted; by default those of the undisturbed training.
        """
        granted = self.base.result().granted if granted is None else granted
        variables = {
            "TRAINING_JOB_NAME": "rehearsal",
            "TRAINING_JOB_ARN": f"{_ACCOUNT}:training-job/rehearsal",
            "AWS_REGION": "us-east-1",
        }
        with contextlib.ExitStack() as stack:
            network = network or stack.enter_context(self.engine.network(is_open=NO_NETWORK in granted))
            own = [
                f"--network={network}",
                f"--network-alias={instance.host}",
                f"--shm-size={'1g' if SMALL_SHM in granted else '64m'}",
                *instance.volumes(are_channels_writable=READ_ONLY_CHANNELS in granted),
                *self.environment(variables),
                *options,
            ]
            yield stack.enter_context(self.engine.running(self.image, ["train"], own))

    @contextlib.contextmanager
    def shared_network(self) -> Iterator[str]:
        """Make the network of a job on several hosts, with a way out where the image needs one."""
        with self.engine.network(is_open=NO_NETWORK in self.base.result().granted) as network:
            yield network

    def environment(self, variables: Mapping[str, str]) -> list[str]:
        """Return the options that set variables, those of the profile included."""
        return [f"--env={n}={v}" for n, v in {**variables, **self.job.profile.environment}.items()]

    def model_dir(self) -> Path | None:
        """Return the model to serve: the one given, or that of the undisturbed training once it is there."""
        if self.given_model:
            return self.given_model
        instance = self.base.result().instance
        return instance.model_dir if instance else None

    def clean_up(self) -> None:
        """Remove everything: containers, networks, folders."""
        self.engine.close()
        try:
            shutil.rmtree(self.work_dir)
        except PermissionError:
            self._remove_as_root()

    def _remove_as_root(self) -> None:
        """Remove what containers wrote as root, in a container, since this command may run as any user."""
        cleaner = Engine()
        mount = f"--volume={self.work_dir}:/work-dir"
        words = ["-rf", *(f"/work-dir/{path.name}" for path in self.work_dir.iterdir())]
        with cleaner.running(self.image, words, ["--user=0", "--entrypoint=rm", mount]) as container:
            container.wait(60)
        shutil.rmtree(self.work_dir, ignore_errors=True)
