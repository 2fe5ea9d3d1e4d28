"""What a request asks of IAM, and whether a policy allows it: as far as the policies of docker/iam go."""

import fnmatch
import json
import re
import urllib.parse
from typing import Any

from support.aws import ACCOUNT, REGION, raw_body

# S3 by method: of a bucket, of a key in it.
_S3_BUCKET = {"GET": "s3:ListBucket", "HEAD": "s3:ListBucket"}
_S3_KEY = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "POST": "s3:PutObject"}
# Services that IAM names otherwise than the signature of their requests does.
_NAMES = {"monitoring": "cloudwatch"}
_NAMED_BY = (
    "HyperParameterTuningJobName",
    "TrainingJobName",
    "TransformJobName",
    "EndpointName",
    "EndpointConfigName",
    "ModelName",
)


def asked(sent: dict[str, Any]) -> tuple[str, str]:
    """Return action and resource of a recorded request; "*" for a resource that it does not name."""
    headers = {name.lower(): value for name, value in dict(sent["headers"]).items()}
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers.get("authorization", ""))
    service = scope[1] if scope else ""
    url = urllib.parse.urlsplit(sent["url"])
    if service == "s3":
        return _of_s3(sent["method"], urllib.parse.unquote(url.path))
    if found := re.match(r"/endpoints/([^/]+)/(async-)?invocations", url.path):
        action = "sagemaker:InvokeEndpointAsync" if found[2] else "sagemaker:InvokeEndpoint"
        return action, f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{found[1]}"
    body = raw_body(sent)
    target = headers.get("x-amz-target", "").rpartition(".")[2]
    operation = target or urllib.parse.parse_qs(body.decode()).get("Action", ["?"])[0]
    resource = _sagemaker(operation, json.loads(body)) if service == "sagemaker" else "*"
    return f"{_NAMES.get(service, service)}:{operation}", resource


def _of_s3(method: str, path: str) -> tuple[str, str]:
    bucket, _, key = path.strip("/").partition("/")
    action = (_S3_KEY if key else _S3_BUCKET).get(method, f"s3:{method}")
    return action, f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"


def _sagemaker(operation: str, body: dict[str, Any]) -> str:
    """Return the resource that a request is about: the one that its operation is named after."""
    if operation in ("ListTags", "AddTags"):
        return str(body["ResourceArn"])
    if "ModelPackage" in operation:
        return _model_package(operation, body)
    if operation.startswith("List"):
        return "*"
    name = next((n for n in _NAMED_BY if n.removesuffix("Name") in operation and n in body), "")
    if operation.endswith("EndpointConfig"):
        name = "EndpointConfigName"
    kind = re.sub(r"(?<!^)(?=[A-Z])", "-", name.removesuffix("Name")).lower()
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{body[name]}"


def _model_package(operation: str, body: dict[str, Any]) -> str:
    """Return the resource of a request about the Model Registry; its list is about none."""
    if operation == "ListModelPackages":
        return "*"
    arn = body.get("ModelPackageArn") or body.get("ModelPackageName", "")
    kind = "model-package-group" if operation.endswith("Group") else "model-package"
    return str(arn or f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{body['ModelPackageGroupName']}")


def allows(policy: dict[str, Any], action: str, resource: str) -> bool:
    """Say whether a statement allows an action; an unknown resource counts as any."""
    return any(
        statement["Effect"] == "Allow"
        and any(fnmatch.fnmatchcase(action, pattern) for pattern in as_list(statement["Action"]))
        and (resource == "*" or any(fnmatch.fnmatchcase(resource, r) for r in as_list(statement["Resource"])))
        for statement in policy["Statement"]
    )


def actions_of(policy: dict[str, Any]) -> set[str]:
    """Return every action that a policy names."""
    return {action for statement in policy["Statement"] for action in as_list(statement["Action"])}


def as_list(value: str | list[str]) -> list[str]:
    """Return one or many as many."""
    return [value] if isinstance(value, str) else value
