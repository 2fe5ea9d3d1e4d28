"""What an update takes over from the container of an endpoint that is there."""

from typing import Any

from launcher.aws.endpoint_update import changes, next_container
from launcher.aws.live_endpoint import LiveEndpoint

REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
NOW: dict[str, Any] = {
    "Image": f"{REGISTRY}/bert-classifier:cpu-1",
    "Mode": "SingleModel",
    "ModelDataUrl": "s3://a-bucket/model.tar.gz",
    "ModelDataSource": {"S3DataSource": {"S3Uri": "s3://a-bucket/model.tar.gz"}},
    "Environment": {"A": "1"},
    "ContainerHostname": "bert",
    "ImageConfig": {"RepositoryAccessMode": "Platform"},
    "InferenceSpecificationName": "one",
}
LIVE = LiveEndpoint({"EndpointName": "e"}, {"ProductionVariants": [{}]}, {"PrimaryContainer": NOW}, {})


def rows(image: str) -> tuple[dict, list]:
    """Return the next container with an image, and what the table tells of it."""
    new = {"Image": image, "ModelDataUrl": NOW["ModelDataUrl"], "Environment": {}}
    container = next_container(NOW, new)
    return container, changes(LIVE, {"PrimaryContainer": container}, {"ProductionVariants": [{}]})


def test_what_no_setting_names_goes_along():
    """The environment is that of the settings; what cannot go along is in the table, and nothing else."""
    container, expected = rows(NOW["Image"])
    assert container == {
        **{name: NOW[name] for name in ("Image", "ModelDataUrl", "ContainerHostname", "ImageConfig")},
        "Environment": {},
    }
    assert expected == [("Environment.A", "1", "–"), ("InferenceSpecificationName", "one", "–")]


def test_access_to_another_registry_is_not_kept():
    """The table of changes shows it."""
    container, expected = rows("registry.example/bert-classifier:1")
    assert "ImageConfig" not in container
    assert ("ImageConfig.RepositoryAccessMode", "Platform", "–") in expected
