"""A training job on two instances."""

import time
from pathlib import Path

from sagemaker_emulator.checks import names_of
from sagemaker_emulator.engine import Container
from sagemaker_emulator.instance import files_of
from sagemaker_emulator.interruption_checks import wait_until_training
from sagemaker_emulator.rehearsal import Rehearsal
from sagemaker_emulator.training_checks import describe_end

HOST_CHECKS = names_of("hosts")
_HOSTS = ("algo-2", "algo-1")  # in the order in which instance groups were seen to list them
_SETTLING = 5.0  # seconds within which a host with nothing to do ends


def check_two_hosts(rehearsal: Rehearsal) -> None:
    """Train on two hosts to the end, and once more until one of them is killed."""
    report = rehearsal.report
    instances = [rehearsal.new_instance(host, host=host, hosts=_HOSTS) for host in sorted(_HOSTS)]
    began = time.monotonic()
    with (
        rehearsal.shared_network() as network,
        rehearsal.training(instances[0], network=network) as first,
        rehearsal.training(instances[1], network=network) as second,
    ):
        codes, ends = [], []
        for container, instance in zip((first, second), instances, strict=True):
            codes.append(container.wait(max(1.0, began + rehearsal.limits.training - time.monotonic())))
            end = describe_end(container, instance, codes[-1], time.monotonic() - began)
            ends.append(f"{instance.host}: {end}")
    report.judge("hosts.both-end", codes == [0, 0], "; ".join(ends))
    if codes == [0, 0]:
        report.judge("hosts.one-artifact", *judge_merge([instance.model_dir for instance in instances]))
    else:
        report.skip("hosts.one-artifact", "the job did not complete")
    _check_lost_peer(rehearsal)


def judge_merge(model_dirs: list[Path]) -> tuple[bool, str]:
    """Judge the merged model folders of the hosts: not empty, and no file written by two of them."""
    counts = [files_of(folder) for folder in model_dirs]
    clashes = sorted(set(counts[0]).intersection(*counts[1:]))
    if clashes:
        return False, f"every host wrote {', '.join(map(str, clashes[:3]))}"
    return any(counts), " + ".join(f"{len(names)}" for names in counts) + " files"


def _check_lost_peer(rehearsal: Rehearsal) -> None:
    report, limit = rehearsal.report, rehearsal.limits.lost_peer
    settings = rehearsal.job.profile.long_hyperparameters
    survivor, lost = (
        rehearsal.new_instance(f"{host}-long", hyperparameters=settings, host=host, hosts=_HOSTS)
        for host in sorted(_HOSTS)
    )
    with (
        rehearsal.shared_network() as network,
        rehearsal.training(survivor, network=network) as remaining,
        rehearsal.training(lost, network=network) as killed,
    ):
        trains = wait_until_training(rehearsal, remaining, survivor)
        ended = killed.wait(_SETTLING)
        if not trains or ended is not None:
            report.skip("hosts.lost-peer", _nobody_lost(remaining, ended))
            return
        killed.kill()
        began, said = time.monotonic(), len(remaining.log())
        code = remaining.wait(limit)
        seen = describe_end(remaining, survivor, code, time.monotonic() - began)
        goes_on = bool(rehearsal.job.progress_in(remaining.log()[said:]))
        report.judge("hosts.lost-peer", *judge_survivor(code, seen, goes_on=goes_on))


def _nobody_lost(remaining: Container, code: int | None) -> str:
    """Return why no host could be lost, given the exit code of the one that was to be killed."""
    if code == 0:
        return "a host ended with 0 by itself, so that the others do not wait for it"
    if code is None or not remaining.is_running():
        return "a host ended before the other was killed: --long makes a job longer"
    return f"a host ended with {code} before it was killed"


def judge_survivor(code: int | None, seen: str, *, goes_on: bool) -> tuple[bool | None, str]:
    """Judge what a host did after the loss of another; None where it does not wait for others.

    Args:
        code: exit code; None when it still ran at the end of its time.
        goes_on: whether its log showed progress afterwards.
    """
    if code == 0:
        return None, f"{seen}: it does not need the other host"
    if code is None and goes_on:
        return None, f"{seen}, and trains on: it does not need the other host"
    return code is not None, seen
