"""Whether an update can be rolled out as the settings say, and whether its alarms are fit to roll it back."""

from collections.abc import Iterator

from launcher.aws import alarms, rollout
from launcher.aws.account import Account
from launcher.aws.live_endpoint import LiveEndpoint
from launcher.checks.unused import check_unused
from launcher.findings import Finding, fail, ok, warn
from launcher.settings.inference import DeploySettings

_OF_ROLLOUTS = ("alarm", "rollout_step", "rollout_wait", "termination_wait", "rollout_timeout")
_OF_ALARMS = ("max_errors", "max_p99")


def check_rollout(account: Account, settings: DeploySettings, live: LiveEndpoint | None) -> Iterator[Finding]:
    """Refuse a roll-out that SageMaker would not do, or would roll back at once."""
    if settings.rollout == "keep":
        renews = live and live.endpoint.get("LastDeploymentConfig")
        unused = (*_OF_ROLLOUTS, *(() if renews else _OF_ALARMS))
        yield from check_unused(
            settings, dict.fromkeys(unused, "it is for ROLLOUT=all, canary, linear or rolling")
        )
        return
    if live is None:
        yield _not_here(settings, f"there is no endpoint {settings.endpoint} yet, so no traffic to take over")
        return
    if settings.is_serverless:
        yield _not_here(settings, "a serverless endpoint has no instances to take over from")
        return
    yield from _check_unused_here(settings)
    yield from _check_sizes(settings)
    yield from _check_alarms(account, settings)


def _not_here(settings: DeploySettings, reason: str) -> Finding:
    if "rollout" in settings.typed:
        return fail("rollout", f"ROLLOUT={settings.rollout} is for updates: {reason}", "Leave ROLLOUT out.")
    return warn("rollout", f"ROLLOUT={settings.rollout} is ignored: {reason}")


def _check_unused_here(settings: DeploySettings) -> Iterator[Finding]:
    unused = {"rollout_step": "ROLLOUT=all is one step"} if settings.rollout == "all" else {}
    if settings.rollout == "rolling":
        unused["termination_wait"] = "ROLLOUT=rolling ends the former instances batch by batch"
    if settings.alarm:
        unused |= dict.fromkeys(_OF_ALARMS, "ALARM names the alarms")
    yield from check_unused(settings, unused)


def _check_sizes(settings: DeploySettings) -> Iterator[Finding]:
    if settings.rollout in rollout.IN_PARTS and settings.instance_count < 2:
        yield fail(
            "rollout", f"one instance cannot be replaced in parts, as ROLLOUT={settings.rollout} does",
            "Give INSTANCE_COUNT=2, or ROLLOUT=all, whose alarms roll back, too.",
        )  # fmt: skip
    if rollout.is_too_small(settings):
        yield fail(
            "rollout", f"ROLLOUT=linear takes steps of 10 % or more, and ROLLOUT_STEP={settings.rollout_step} of "
            f"{settings.instance_count} instances is {rollout.step_of(settings)}",
            "Give ROLLOUT_STEP=10 or more, or ROLLOUT=rolling, which takes 5 %.",
        )  # fmt: skip
    waits, timeout = rollout.waits_of(settings), rollout.timeout_of(settings)
    if waits >= timeout:
        yield fail(
            "rollout", f"it waits {waits} s in all, and would be rolled back after {timeout} s",
            "Lower ROLLOUT_WAIT or TERMINATION_WAIT, or raise ROLLOUT_STEP or ROLLOUT_TIMEOUT.",
        )  # fmt: skip


def _check_alarms(account: Account, settings: DeploySettings) -> Iterator[Finding]:
    """Check alarms that are named: one that is missing or raised would end the update."""
    states = alarms.states(account, settings.alarm)
    for name in settings.alarm:
        if name not in states:
            yield fail(
                "alarm", f"there is no alarm {name} in {account.region}", "Correct ALARM, or leave it out."
            )
        elif states[name] == "ALARM":
            remedy = "Mend what it tells of, or name another ALARM; left out, the new version gets its own."
            yield fail(
                "alarm", f"{name} is in ALARM now, so SageMaker would roll the update back at once", remedy
            )
        else:
            yield ok("alarm", f"{name} is {states[name]}")
