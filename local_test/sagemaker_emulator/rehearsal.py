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
from sagemaker_emulator.instance import Instance
from sagemaker_emulator.job import Job
from sagemaker_emulator.report import Report

_ACCOUNT = "arn:aws:sagemaker:us-east-1:111122223333"


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
    """

    instance: Instance | None
    seconds: float
    log: bytes


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
    base: "Future[BaseRun]" = dataclasses.field(default_factory=Future)

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
        self, instance: Instance, *options: str, network: str = "", are_channels_writable: bool = False
    ) -> Iterator[Container]:
        """Run `train` on an instance, on an internal network unless one is named."""
        variables = {
            "TRAINING_JOB_NAME": "rehearsal",
            "TRAINING_JOB_ARN": f"{_ACCOUNT}:training-job/rehearsal",
            "AWS_REGION": "us-east-1",
        }
        with contextlib.ExitStack() as stack:
            network = network or stack.enter_context(self.engine.network())
            own = [
                f"--network={network}",
                f"--network-alias={instance.host}",
                *instance.volumes(are_channels_writable=are_channels_writable),
                *self.environment(variables),
                *options,
            ]
            yield stack.enter_context(self.engine.running(self.image, ["train"], own))

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
