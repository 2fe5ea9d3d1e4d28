"""`deploy REQUEST=extra.json`: fields without a setting join the requests, and what the API lacks is refused."""

import json

import pytest

from support.hosting import WITH_MODEL, left, prepare, updating

ROUTED = {"RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"}}


def test_fields_join_the_request_that_they_name(aws, launch, served, tmp_path):
    """The variant field by field, other objects too; an update keeps them as it keeps the rest."""
    extra = {
        "CreateEndpointConfig": {"ProductionVariants": [ROUTED]},
        "CreateModel": {"PrimaryContainer": {"ImageConfig": {"RepositoryAccessMode": "Platform"}}},
    }
    file = tmp_path / "extra.json"
    file.write_text(json.dumps(extra), encoding="utf-8")
    served(f"--request={file}")
    (variant,) = aws.requests("CreateEndpointConfig")[0]["ProductionVariants"]
    assert (variant["VariantName"], variant["RoutingConfig"]) == ("AllTraffic", ROUTED["RoutingConfig"])
    container = aws.requests("CreateModel")[0]["PrimaryContainer"]
    assert (container["ImageConfig"], "Image" in container) == ({"RepositoryAccessMode": "Platform"}, True)
    file.write_text(json.dumps({"UpdateEndpoint": {"RetainDeploymentConfig": True}}), encoding="utf-8")
    with aws.answering(UpdateEndpoint=updating(aws)) as here:
        assert launch("deploy", *WITH_MODEL, f"--request={file}", here=here).code == 0
    assert aws.requests("UpdateEndpoint")[-1]["RetainDeploymentConfig"] is True


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"CreateEndpointConfig": {"ProductionVariants": [{"Instances": 2}]}}, "there is no field"),
        ({"CreateEndpointConfig": {"ProductionVariants": []}}, "must be a list of one object"),
        (
            {"CreateEndpointConfig": {"ProductionVariants": [{"InstanceType": "ml.c5.large"}]}},
            "ProductionVariants[0].InstanceType belongs to INSTANCE_TYPE.",
        ),
        (
            {"CreateModel": {"EnableNetworkIsolation": True}},
            "EnableNetworkIsolation belongs to NETWORK_ISOLATION",
        ),
        (
            {"CreateModel": {"Containers": [{"Image": "an-image"}]}},
            "Containers belongs to the launcher, whose models have one container. Leave the field out.",
        ),
        (
            {"CreateEndpointConfig": {"ProductionVariants": [{"ServerlessConfig": {"MaxConcurrency": 5}}]}},
            "ProductionVariants[0].ServerlessConfig belongs to MODE.",
        ),
        ({"UpdateEndpoint": {"RetainDeploymentConfig": True}}, "because the endpoint does not exist yet."),
        ({"CreateTrainingJob": {}}, "is not an object whose names are requests."),
    ],
)
def test_what_cannot_join_is_refused_before_anything_is_made(aws, launch, tmp_path, extra, expected):
    """With the field's path, and the setting that it belongs to."""
    prepare(aws)
    file = tmp_path / "extra.json"
    file.write_text(json.dumps(extra), encoding="utf-8")
    ended = launch("deploy", *WITH_MODEL, f"--request={file}")
    assert (ended.code, expected in ended.err) == (2, True), ended.err
    assert left(aws) == (0, 0, 0)


def test_a_serverless_endpoint_takes_further_fields_of_its_own(aws, launch, tmp_path):
    """Save those that are settings."""
    prepare(aws)
    file = tmp_path / "extra.json"
    always = (*WITH_MODEL, "--mode=serverless", f"--request={file}", "--dry-run")
    for field, code in (("ProvisionedConcurrency", 0), ("MaxConcurrency", 2)):
        variant = {"ServerlessConfig": {field: 2}}
        file.write_text(
            json.dumps({"CreateEndpointConfig": {"ProductionVariants": [variant]}}), encoding="utf-8"
        )
        ended = launch("deploy", *always)
        assert (ended.code, "ServerlessConfig.MaxConcurrency belongs to MAX_CONC" in ended.err) == (
            code, code == 2,
        ), ended.err  # fmt: skip
