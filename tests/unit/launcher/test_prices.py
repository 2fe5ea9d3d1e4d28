"""Prices, as AWS' price list tells them."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from launcher.aws.prices import hourly_price


def product(price: str, component: str = "Training", unit: str = "Hrs") -> str:
    """Return a product of the price list."""
    dimension = {"unit": unit, "pricePerUnit": {"USD": price}}
    terms = {"OnDemand": {"t": {"priceDimensions": {"d": dimension}}}}
    return json.dumps({"product": {"attributes": {"component": component}}, "terms": terms})


def account_with(*products: str, error: Exception | None = None) -> Any:
    """Return an account whose price list holds these products, or that may not be asked."""

    def get_products(**asked):
        assert {f["Field"]: f["Value"] for f in asked["Filters"]} == {
            "instanceName": "ml.m5.xlarge",
            "regionCode": "eu-west-1",
        }
        if error:
            raise error
        return {"PriceList": list(products)}

    return SimpleNamespace(
        region="eu-west-1", client=lambda service, region: SimpleNamespace(get_products=get_products)
    )


@pytest.mark.parametrize(
    ("products", "price"),
    [
        ((), None),
        ((product("0.23"),), 0.23),
        ((product("0.23"), product("0.27", "Hosting"), product("0.01", unit="GB-Mo")), 0.23),
        ((product("0"), product("0.23")), 0.23),
        ((product("0.27", "Hosting"),), None),
        (("no JSON",), None),
    ],
)
def test_the_price_is_that_of_the_use_on_demand(products, price):
    """Not another use's, not of storage, not of a reservation; unknown where the list does not say."""
    assert hourly_price(account_with(*products), "ml.m5.xlarge") == price


def test_without_permission_there_is_no_price():
    """And no error: a job needs none."""
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetProducts")
    assert hourly_price(account_with(error=denied), "ml.m5.xlarge") is None
