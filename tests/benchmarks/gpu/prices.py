"""What a run costs: prices per hour as they are given, never looked up or guessed. Standard library only."""

import math
from collections.abc import Mapping

from bert_classifier.errors import UserError


def parse_prices(text: str) -> dict[str, float]:
    """Return dollars per hour by name, from "6.88" or from "NAME=6.88 NAME=2.5", such as types with their kinds.

    Raises:
        UserError: for what is no price.
    """
    prices = {}
    for word in text.split():
        name, _, value = word.rpartition("=")
        prices[name or "given"] = _price(value)
    return prices


def _price(text: str) -> float:
    try:
        value = float(text.removeprefix("$"))
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise UserError(
            f"PRICE: {text!r} is no price.",
            'Give dollars per hour: PRICE=6.88, or several with names: PRICE="ml.p5.4xlarge=6.88 spot=2.5".',
        )
    return value


def dollars_for(seconds: float, prices: Mapping[str, float]) -> dict[str, float]:
    """Return what so many seconds cost at each price."""
    return {name: seconds * price / 3600 for name, price in prices.items()}
