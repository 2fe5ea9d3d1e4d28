"""What the API's own description says against a request: unknown or missing fields, values out of range."""

import re
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.model import Shape

_SESSION = boto3.Session(region_name="us-east-1")


def faults(service: str, operation: str, request: dict[str, Any]) -> list[str]:
    """Return everything that botocore's model of an operation says against a request."""
    model = _SESSION.client(service, aws_access_key_id="a", aws_secret_access_key="b").meta.service_model
    return list(_of(model.operation_model(operation).input_shape, request, operation))


def _of(shape: Shape, value: Any, where: str) -> Iterator[str]:
    if shape.type_name == "structure":
        yield from _of_structure(shape, value, where)
    elif shape.type_name == "list":
        yield from _range(shape, len(value), where)
        for one in value:
            yield from _of(shape.member, one, f"{where}[]")
    elif shape.type_name == "string":
        yield from _of_string(shape, value, where)
    elif shape.type_name in ("integer", "long", "double", "float"):
        yield from _range(shape, value, where)


def _of_structure(shape: Shape, value: dict[str, Any], where: str) -> Iterator[str]:
    yield from (f"{where}.{name} is missing" for name in shape.required_members if name not in value)
    for name, one in value.items():
        if name in shape.members:
            yield from _of(shape.members[name], one, f"{where}.{name}")
        else:
            yield f"{where}.{name} is unknown"


def _of_string(shape: Shape, value: str, where: str) -> Iterator[str]:
    yield from _range(shape, len(value), where)
    enumeration, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
    if enumeration and value not in enumeration:
        yield f"{where}={value} is none of {enumeration}"
    if pattern and "\\p" not in pattern and not re.fullmatch(pattern, value):
        yield f"{where}={value} does not match {pattern}"


def _range(shape: Shape, size: float, where: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if (least is not None and size < least) or (most is not None and size > most):
        yield f"{where} is {size}, not within {least} to {most}"
