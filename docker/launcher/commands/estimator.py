"""Training through the SageMaker SDK's generic Estimator."""

import contextlib

import sagemaker
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from sagemaker.estimator import Estimator
from sagemaker.exceptions import UnexpectedStatusException
from sagemaker.inputs import TrainingInput

from bert_classifier.errors import PlatformError
from launcher.aws.account import Account
from launcher.aws.metrics import metric_definitions
from launcher.aws.sdk import make_session, output_on_stderr
from launcher.checks.training import Job
from launcher.interrupts import Interrupts

_POLL_SECONDS = 10


def start(job: Job, role: str, account: Account, typed: Interrupts) -> None:
    """Request the job, and return once SageMaker has accepted it.

    Args:
        role: the ARN.
        typed: Ctrl-C, which the SDK would swallow.
    Raises:
        KeyboardInterrupt: when it was typed before the request was sent.
        PlatformError: when it is not known whether SageMaker has accepted the request.
    """
    inputs = {
        channel.name: TrainingInput(
            job.location_of(channel).uri,
            distribution="FullyReplicated",
            input_mode=job.settings.input_mode,
        )
        for channel in job.channels
    }
    request = _Request(account, typed)
    with output_on_stderr():
        estimator = _estimator(job, role, make_session(account))
        with contextlib.suppress(KeyboardInterrupt):  # the second one; the request's state decides below
            try:
                estimator.fit(inputs, wait=False, job_name=job.name)
            except (ReadTimeoutError, ConnectionClosedError) as error:
                if not request.is_sent:
                    raise
                raise unknown(job.name, "no answer came") from error
    if request.is_answered:
        return
    if request.is_sent:
        raise unknown(job.name, "the answer was not waited for")
    typed.stop_here()
    raise RuntimeError("the SDK has sent no request")


def unknown(name: str, cause: str) -> PlatformError:
    """Return the error for a job that may have been started."""
    return PlatformError(f"{name} may have started: {cause}.", f"Check its status: make status JOB={name}.")


class _Request:
    """The state of the one request; the SDK's function returns even when it has sent none."""

    def __init__(self, account: Account, typed: Interrupts) -> None:
        self.is_sent = self.is_answered = False
        self._typed = typed
        events = account.client("sagemaker").meta.events
        events.register("before-call.sagemaker.CreateTrainingJob", self._send)
        events.register("after-call.sagemaker.CreateTrainingJob", self._receive)

    def _send(self, **_: object) -> None:
        self._typed.stop_here()
        self.is_sent = True

    def _receive(self, **_: object) -> None:
        self.is_answered = True


def _estimator(job: Job, role: str, session: sagemaker.Session) -> Estimator:
    settings = job.settings
    waiting = {"use_spot_instances": True, "max_wait": settings.longest_wait} if job.spot else {}
    return Estimator(
        image_uri=job.image_uri,
        role=role,
        instance_count=settings.instance_count,
        instance_type=settings.instance_type,
        volume_size=settings.volume_size,
        volume_kms_key=settings.volume_kms_key or None,
        max_run=settings.max_run,
        input_mode=settings.input_mode,
        output_path=job.output.uri,
        output_kms_key=settings.output_kms_key or None,
        base_job_name=settings.base_job_name,
        sagemaker_session=session,
        hyperparameters=settings.hyperparameters,
        tags=settings.tag_list or None,
        subnets=list(settings.subnets) or None,
        security_group_ids=list(settings.security_group_ids) or None,
        metric_definitions=metric_definitions(),
        encrypt_inter_container_traffic=settings.encrypt_traffic,
        checkpoint_s3_uri=job.checkpoints.uri,
        enable_network_isolation=settings.network_isolation,
        debugger_hook_config=False,  # nothing here reads what debugger and profiler would write
        disable_profiler=True,
        environment=dict(settings.environment) or None,
        max_retry_attempts=settings.max_retry_attempts or None,
        **waiting,
    )


def follow(name: str, account: Account) -> None:
    """Show a job's log on standard error until the job ends."""
    # The caller looks up how it ended: the SDK raises for a failure, and only logs that a job was stopped.
    with contextlib.suppress(UnexpectedStatusException), output_on_stderr():
        make_session(account).logs_for_job(name, wait=True, poll=_POLL_SECONDS)
