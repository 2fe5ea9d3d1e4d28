"""Whether an endpoint can scale as the settings say."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from bert_classifier.errors import UserError
from launcher.aws import scaling
from launcher.aws.endpoint import update_command
from launcher.aws.scaling import Scaling, Wanted
from launcher.settings.instances import family_of, has_gpu
from launcher.settings.scaling import ScaleSettings

BURSTABLE = ("t2", "t3")


def refuse_unscalable(name: str, variants: Sequence[Mapping[str, Any]]) -> None:
    """Raise for an endpoint whose instances cannot scale.

    Raises:
        UserError: saying what it has instead.
    """
    if len(variants) != 1:
        names = ", ".join(variant["VariantName"] for variant in variants)
        raise UserError(
            f"The endpoint {name} has variants {names}.", "Scale it with the tool that created it."
        )
    if "ServerlessConfig" in variants[0]:
        most = variants[0]["ServerlessConfig"].get("MaxConcurrency")
        raise UserError(
            f"The serverless endpoint {name} scales by itself, up to {most} requests at a time.",
            f"To change that: {update_command(name, 'MAX_CONCURRENCY=…')}.",
        )
    if "ModelName" not in variants[0]:
        raise UserError(
            f"The endpoint {name} has inference components, which scale by copies.",
            "Scale it with the tool that created it.",
        )


def wanted_of(
    settings: ScaleSettings, now: Scaling, instance_type: str, is_async: bool, advice: str
) -> Wanted:
    """Return the autoscaling that the settings ask for, with what there is for those that are not given.

    Args:
        advice: what is known of the endpoint's capacity, for the remedy.
    Raises:
        UserError: when the endpoint cannot scale so, or a setting is missing.
    """
    former = now.wanted(instance_type)
    least, most = _limits(settings, now, is_async)
    if now.foreign:
        raise UserError(
            f"{now.endpoint} is scaled by {', '.join(now.foreign)}, which make scale has not made.",
            f"Change these with the tool that made them, or end them: make scale ENDPOINT={now.endpoint} OFF=true.",
        )
    if least == most:
        _refuse_chance(settings, now, most)
        return Wanted(least, most, "", 0.0, 0, 0)
    if family_of(instance_type) in BURSTABLE:
        raise UserError(
            f"SageMaker does not scale burstable instances ({instance_type}).",
            f"Change them first: {update_command(now.endpoint, 'INSTANCE_TYPE=ml.m5.large')}.",
        )
    metric = _metric(settings.metric, former, instance_type, is_async)
    if least == 0 and metric != "backlog":
        raise UserError(f"METRIC={metric} says nothing without instances.", "Give METRIC=backlog, or MIN=1.")
    kept = former if former and former.metric == metric else None
    target = settings.target or (kept.target if kept else scaling.default_target(metric))
    if target is None:
        raise UserError(
            f"TARGET is not set: the {scaling.UNITS[metric]} to aim at.",
            f"{advice[:1].upper()}{advice[1:]}." if advice else
            "Take 60 % of what one instance answers in a load test, or METRIC=cpu, which needs no measurement.",
        )  # fmt: skip
    _refuse_percentage(metric, target)
    cooldowns = [
        getattr(former, name) if former and name not in settings.given else getattr(settings, name)
        for name in ("scale_out_cooldown", "scale_in_cooldown")
    ]
    wanted = Wanted(least, most, metric, target, *cooldowns)
    if former is None:
        return wanted
    return dataclasses.replace(wanted, no_scale_in=former.no_scale_in, suspended=former.suspended)


def _refuse_chance(settings: ScaleSettings, now: Scaling, count: int) -> None:
    """Raise where limits are equal that nobody has typed as equal: autoscaling shall not end by chance."""
    untyped = [name for name in ("min", "max") if name not in settings.typed]
    if not untyped:
        return
    untold = "registered" if now.target else "the default"
    known = ", ".join(
        f"{name.upper()}={count} is {'in file or environment' if name in settings.given else untold}"
        for name in untyped
    )
    effect = "end the autoscaling of" if now.target else "set a number of instances, and no autoscaling, for"
    command = f"make scale ENDPOINT={now.endpoint} MIN={count} MAX="
    raise UserError(
        f"MIN and MAX would both be {count} ({known}), which would {effect} {now.endpoint}.",
        f"For autoscaling, give a MAX above MIN: {command}…; for a fixed number, give both: {command}{count}.",
    )


def _limits(settings: ScaleSettings, now: Scaling, is_async: bool) -> tuple[int, int]:
    registered = now.target or {}
    least = settings.min if settings.min is not None else registered.get("MinCapacity", 1)
    most = settings.max if settings.max is not None else registered.get("MaxCapacity")
    if most is None:
        raise UserError("MAX is not set.", "Give the most instances that you would pay for: MAX=4.")
    if least > most:
        raise UserError(f"MIN={least} is above MAX={most}.", "Correct one of them.")
    if least == 0 and not is_async:
        raise UserError(
            f"{now.endpoint} answers at once, so it cannot scale to 0 instances.",
            "Give MIN=1; an endpoint made with MODE=async or MODE=serverless costs nothing while idle.",
        )
    return int(least), int(most)


def _metric(metric: str, former: Wanted | None, instance_type: str, is_async: bool) -> str:
    if metric == "auto":
        metric = former.metric if former else "backlog" if is_async else "invocations"
    if metric == "backlog" and not is_async:
        raise UserError(
            "METRIC=backlog is for MODE=async: here no request waits in a queue.", "Give another."
        )
    if is_async and metric in ("invocations", "concurrency"):
        raise UserError(
            f"METRIC={metric} does not count the requests that wait at an asynchronous endpoint.",
            "Give METRIC=backlog, or cpu or gpu with MIN=1.",
        )
    if metric == "gpu" and not has_gpu(instance_type):
        raise UserError(f"{instance_type} has no GPU.", "Give METRIC=cpu.")
    return metric


def _refuse_percentage(metric: str, target: float) -> None:
    if metric in ("cpu", "gpu") and target > 100:
        raise UserError(f"TARGET={target:g} is more than 100 % of an instance.", "Give 40 to 80.")
