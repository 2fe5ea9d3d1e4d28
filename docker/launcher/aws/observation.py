"""What an endpoint's configuration says about observing it: data capture and metrics."""

from typing import Any

from launcher.aws.model import without_unset
from launcher.aws.s3 import Location
from launcher.settings.inference import DeploySettings

# Bodies of these types are stored as text; of any other, as base64.
_JSON = ("application/json", "application/jsonlines", "application/x-jsonlines", "application/x-ndjson")
_LINES = ("text/csv", "text/plain")
_SWITCHES = {
    "container": {"EnableDetailedObservability": True},
    "instances": {"EnableDetailedObservability": True, "EnableEnhancedMetrics": True},
    "off": {"EnableDetailedObservability": False, "EnableEnhancedMetrics": False},
}


def capture(settings: DeploySettings, folder: Location) -> dict[str, Any]:
    """Return the configuration of data capture: requests and answers, readable."""
    return without_unset(
        {
            "EnableCapture": True,
            "InitialSamplingPercentage": settings.capture,
            "DestinationS3Uri": folder.uri,
            "KmsKeyId": settings.output_kms_key,
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"JsonContentTypes": list(_JSON), "CsvContentTypes": list(_LINES)},
        }
    )


def metrics(settings: DeploySettings) -> dict[str, Any]:
    """Return the configuration of metrics; empty where SageMaker's defaults, or the endpoint's own, hold."""
    interval = {"MetricPublishFrequencyInSeconds": int(settings.metrics_interval)}
    is_set = "metrics_interval" in settings.given
    return {**_SWITCHES.get(settings.metrics, {}), **(interval if is_set else {})}
