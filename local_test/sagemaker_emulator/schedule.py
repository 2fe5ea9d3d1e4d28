"""The parts of the rehearsal, run side by side."""

from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from sagemaker_emulator import (
    batch_checks,
    client_checks,
    endpoint_checks,
    host_checks,
    hosting,
    image_checks,
    interruption_checks,
    training_checks,
)
from sagemaker_emulator.checks import CHECKS, TRAINING_GROUPS
from sagemaker_emulator.docker_command import GoneError
from sagemaker_emulator.rehearsal import Rehearsal


@dataclass(frozen=True)
class Part:
    """A part of the rehearsal, with containers of its own.

    Attributes:
        run: the function that rehearses it.
        checks: names of the checks it decides.
        uses_training: whether it needs the undisturbed training, or at least a model.
        uses_start: whether it needs to know how a server starts.
    """

    run: Callable[[Rehearsal], None]
    checks: tuple[str, ...]
    uses_training: bool = True
    uses_start: bool = False

    def is_wanted(self, groups: Collection[str]) -> bool:
        """Return whether any of its checks is in the groups."""
        return any(CHECKS[name].group in groups for name in self.checks)


BASE = Part(training_checks.run_base, training_checks.BASE_CHECKS)
START = Part(endpoint_checks.check_endpoint, endpoint_checks.ENDPOINT_CHECKS)
# The longest first, so that none runs alone at the end; those that need the training last.
PARTS = (
    Part(image_checks.check_image, image_checks.IMAGE_CHECKS, uses_training=False),
    Part(training_checks.check_refusals, training_checks.REFUSAL_CHECKS),
    Part(host_checks.check_two_hosts, host_checks.HOST_CHECKS),
    Part(training_checks.check_encodings, training_checks.ENCODING_CHECKS),
    Part(interruption_checks.check_stop, interruption_checks.STOP_CHECKS),
    Part(interruption_checks.check_spot, interruption_checks.SPOT_CHECKS),
    Part(client_checks.check_clients, client_checks.CLIENT_CHECKS, uses_start=True),
    Part(hosting.check_variants, hosting.VARIANT_CHECKS, uses_start=True),
    Part(batch_checks.check_batch, batch_checks.BATCH_CHECKS, uses_start=True),
    Part(hosting.check_models, hosting.MODEL_CHECKS, uses_start=True),
)


def run_parts(rehearsal: Rehearsal, groups: Collection[str], workers: int) -> None:
    """Run the wanted parts, `workers` at a time; an exception in one fails its checks and no others.

    Raises:
        GoneError: when somebody else has removed a container, so that no finding can be relied on.
    """
    wanted = [part for part in PARTS if part.is_wanted(groups)]
    # First what others wait for, since they would occupy all workers.
    if START.is_wanted(groups) or any(part.uses_start for part in wanted):
        wanted.insert(0, START)
    if any(part.uses_training for part in wanted) and not (
        rehearsal.given_model and not TRAINING_GROUPS & set(groups)
    ):
        wanted.insert(0, BASE)
    with ThreadPoolExecutor(workers, thread_name_prefix="part") as pool:
        running: dict[Part, Future[None]] = {part: pool.submit(part.run, rehearsal) for part in wanted}
        try:
            for part, future in running.items():
                error = future.exception()
                if isinstance(error, GoneError):
                    raise error
                reason = f"the check broke: {type(error).__name__}: {error}" if error else "not reached"
                rehearsal.report.close(part.checks, reason[:300])
        except BaseException:
            rehearsal.report.silence()  # what loses its container now is not at fault
            pool.shutdown(wait=False, cancel_futures=True)
            rehearsal.engine.close()
            raise
