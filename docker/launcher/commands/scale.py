"""`scale`: show, set or end the autoscaling of an endpoint."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from bert_classifier.errors import UserError
from launcher import interrupts
from launcher.aws import capacity, endpoint, scaling
from launcher.aws.account import Account
from launcher.aws.dry_run import HeldRequests
from launcher.aws.errors import AWS_ERRORS, explain
from launcher.aws.prices import hourly_price
from launcher.aws.scaling import Scaling
from launcher.checks.scaling import refuse_unscalable, wanted_of
from launcher.checks.unused import check_unused
from launcher.command import Command, say
from launcher.findings import refuse_failures
from launcher.settings.scaling import ScaleSettings

_CHANGES = ("min", "max", "target", "metric", "scale_out_cooldown", "scale_in_cooldown", "off")
_OF_POLICIES = ("target", "metric", "scale_out_cooldown", "scale_in_cooldown")


@dataclasses.dataclass(frozen=True)
class _Fleet:
    """The instances of an endpoint."""

    variant: str
    instance_type: str
    now: int
    is_async: bool


def run(settings: ScaleSettings, account: Account) -> int:
    """Change the autoscaling as the settings say, or without any show it; return 0.

    Raises:
        UserError: when there is no such endpoint, or it cannot scale so.
    """
    held = HeldRequests(account.session) if settings.dry_run else None
    found = endpoint.find(account, settings.endpoint)
    if found is None:
        raise UserError(
            f"There is no endpoint {settings.endpoint} in {account.region}.", "Correct ENDPOINT or REGION."
        )
    fleet = _fleet(account, found)
    now = scaling.describe(account, settings.endpoint, fleet.variant)
    if settings.typed & set(_CHANGES):
        endpoint.refuse_if_busy(found)
        _change(settings, account, now, fleet)
    if held is not None:
        print(held)
        return 0
    _show(settings, account, scaling.describe(account, settings.endpoint, fleet.variant), fleet)
    return 0


def _fleet(account: Account, found: dict[str, Any]) -> _Fleet:
    config = account.client("sagemaker").describe_endpoint_config(
        EndpointConfigName=found["EndpointConfigName"]
    )
    variants = config["ProductionVariants"]
    refuse_unscalable(found["EndpointName"], variants)
    summary: dict[str, Any] = next(iter(found.get("ProductionVariants", ())), {})
    count = summary.get("CurrentInstanceCount", variants[0].get("InitialInstanceCount", 0))
    is_async = bool(config.get("AsyncInferenceConfig"))
    return _Fleet(variants[0]["VariantName"], variants[0]["InstanceType"], count, is_async)


def _change(settings: ScaleSettings, account: Account, now: Scaling, fleet: _Fleet) -> None:
    if settings.off:
        unused = dict.fromkeys(_CHANGES[:-1], "OFF=true ends autoscaling")
        refuse_failures(list(check_unused(settings, unused)))
        _end(account, now)
        return
    wanted = wanted_of(settings, now, fleet.instance_type, fleet.is_async, _advice(account, now, fleet))
    if wanted.least == wanted.most:
        reason = f"MIN and MAX are {wanted.most}, a fixed number without autoscaling"
        refuse_failures(list(check_unused(settings, dict.fromkeys(_OF_POLICIES, reason))))
    with interrupts.held() as typed:
        typed.stop_here()
        with _former_if_it_fails(account, now, fleet.instance_type):
            if wanted.least == wanted.most:
                _fix(account, now, wanted.least, fleet)
            else:
                scaling.put(account, now, wanted, fleet.instance_type)
                typed.stop_here()


@contextlib.contextmanager
def _former_if_it_fails(account: Account, former: Scaling, instance_type: str) -> Iterator[None]:
    """Restore the former autoscaling, or none, if not all requests succeed."""
    try:
        yield
    except BaseException:
        try:
            scaling.restore(account, former, instance_type)
            is_there = former.target is not None
            say("the autoscaling is as it was" if is_there else "the endpoint has no autoscaling, as before")
        except AWS_ERRORS as error:
            again = f"make scale ENDPOINT={former.endpoint}"
            say(
                f"what there is of the autoscaling may be incomplete ({explain(error) or error}): {again} shows it"
            )
        raise


def _end(account: Account, now: Scaling) -> None:
    if now.target is None:
        say(f"{now.endpoint} has no autoscaling")
        return
    if now.foreign:
        say(f"with it go {', '.join(now.foreign)}, which make scale has not made")
    scaling.remove(account, now)


def _fix(account: Account, now: Scaling, count: int, fleet: _Fleet) -> None:
    """Have a fixed number of instances."""
    if now.target is not None:
        _end(account, now)
    if fleet.now != count:
        account.client("sagemaker").update_endpoint_weights_and_capacities(
            EndpointName=now.endpoint,
            DesiredWeightsAndCapacities=[{"VariantName": fleet.variant, "DesiredInstanceCount": count}],
        )
        change = f"from {fleet.now} to {count} instances"
        if account.is_dry_run:
            say(f"{now.endpoint} would change {change}")
        else:
            say(f"{now.endpoint} changes {change}; make scale shows when it is done")


def _advice(account: Account, now: Scaling, fleet: _Fleet) -> str:
    """Return what the endpoint's own busiest minute tells; "" where it tells nothing or may not be read."""
    try:
        minute = capacity.busiest(account, now.endpoint, now.variant, fleet.instance_type)
    except AWS_ERRORS as error:
        say(f"its load could not be read: {explain(error) or error}")
        return ""
    if minute is None:
        return ""
    seen = (
        f"in its busiest minute of {capacity.DAYS} days ({minute.when:%Y-%m-%d %H:%M}), an instance answered "
        f"{minute.invocations:.0f} invocations at {minute.share:.0%} load, p99 {minute.p99:.0f} ms"
    )
    if minute.target is None:
        return f"{seen}: too little to tell a target"
    return f"{seen}: METRIC=invocations TARGET={minute.target} would aim at {capacity.AIM:.0%}"


def _show(settings: ScaleSettings, account: Account, now: Scaling, fleet: _Fleet) -> None:
    for line in lines_of(now, fleet.instance_type, fleet.now):
        print(line)
    advice = "" if fleet.is_async else _advice(account, now, fleet)
    if advice:
        print(f"  {advice}")
    price = settings.hourly_price or hourly_price(account, fleet.instance_type, "Hosting")
    if price and now.target:
        low, high = (price * now.target[name] for name in ("MinCapacity", "MaxCapacity"))
        print(f"  it costs about ${low:.2f} to ${high:.2f} per hour")


def lines_of(now: Scaling, instance_type: str, count: int) -> Iterator[str]:
    """Yield what there is, line by line."""
    if now.target is None:
        yield f"{now.endpoint}: {count} × {instance_type}, no autoscaling"
        return
    least, most = now.target["MinCapacity"], now.target["MaxCapacity"]
    yield f"{now.endpoint}: {least} to {most} × {instance_type}, now {count}"
    wanted = now.wanted(instance_type)
    if wanted:
        yield (
            f"  aims at {wanted.target:g} {scaling.UNITS[wanted.metric]} (METRIC={wanted.metric}); "
            f"adds every {wanted.scale_out_cooldown} s, removes every {wanted.scale_in_cooldown} s at most"
        )
    if now.is_from_zero:
        yield "  starts the first instance when requests wait"
    if any((now.target.get("SuspendedState") or {}).values()):
        yield "  suspended, at least in part"
    if now.foreign:
        yield f"  not made by make scale: {', '.join(now.foreign)}"


COMMANDS = (
    Command("scale", "show, set or end the autoscaling of an endpoint", ScaleSettings, run, "endpoint"),
)
