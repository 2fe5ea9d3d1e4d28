"""The price of an instance per hour, from AWS' price list: a table here would soon be out of date."""

import json
from typing import Any

from launcher.aws.account import Account
from launcher.aws.errors import AWS_ERRORS

_HOME = "us-east-1"  # only a few regions serve the price list


def hourly_price(account: Account, instance_type: str, component: str = "Training") -> float | None:
    """Return on-demand dollars per instance hour; None if the price list lacks the type or may not be read.

    Args:
        component: Training, Hosting or BatchTransform.
    """
    wanted = {"instanceName": instance_type, "regionCode": account.region}
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
    try:
        client = account.client("pricing", _HOME)
        answer = client.get_products(ServiceCode="AmazonSageMaker", Filters=filters)
        products = [json.loads(product) for product in answer["PriceList"]]
    except (*AWS_ERRORS, ValueError, KeyError):
        return None
    prices = [price for product in products if _is_for(product, component) for price in _prices(product)]
    return min(prices, default=None)


def _is_for(product: dict[str, Any], component: str) -> bool:
    attributes = product.get("product", {}).get("attributes", {})
    names = ("component", "platoinstancetype")
    return component.lower() in {str(attributes.get(name, "")).lower() for name in names}


def _prices(product: dict[str, Any]) -> list[float]:
    """Return the on-demand prices of a product above 0; reservations have a price of 0."""
    terms = product.get("terms", {}).get("OnDemand", {}).values()
    rates = [rate for term in terms for rate in term.get("priceDimensions", {}).values()]
    hourly = [rate for rate in rates if rate.get("unit") in ("Hrs", "Hours")]
    prices = [float(rate.get("pricePerUnit", {}).get("USD", 0)) for rate in hourly]
    return [price for price in prices if price > 0]
