"""The instances that a job's ResourceConfig asks for, and what they cost."""

from collections.abc import Mapping
from typing import Any

from launcher.aws.account import Account
from launcher.aws.prices import hourly_price


def alternatives(resources: Mapping[str, Any]) -> list[list[tuple[str, int]]]:
    """Return what a job may run on, the preferred first: each the types that run together, and the number of each."""
    count = resources.get("InstanceCount", 1)
    if preferred := resources.get("InstancePreferences"):
        return [[(one["InstanceType"], one.get("InstanceCount", count))] for one in preferred]
    if groups := resources.get("InstanceGroups"):
        return [[(one["InstanceType"], one["InstanceCount"]) for one in groups]]
    return [[(resources.get("InstanceType", "?"), count)]]


def in_words(resources: Mapping[str, Any]) -> str:
    """Return the instances as a message shows them."""
    together = [[f"{count} × {name}" for name, count in one] for one in alternatives(resources)]
    return " or ".join(" and ".join(one) for one in together)


def hourly(account: Account, resources: Mapping[str, Any], given: float | None = None) -> float | None:
    """Return the dollars per hour of all instances, of the dearest alternative; None when a price is unknown.

    Args:
        given: dollars per instance hour, in place of those of the price list.
    """
    totals: list[float] = []
    for together in alternatives(resources):
        prices = [given or hourly_price(account, name) for name, _ in together]
        known = [price * count for price, (_, count) in zip(prices, together, strict=True) if price]
        if len(known) < len(together):
            return None
        totals.append(sum(known))
    return max(totals)
