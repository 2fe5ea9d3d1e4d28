"""The user's configuration of the SageMaker SDK, version 2 or 3, with telemetry switched off.

The SDK is imported inside functions: that takes seconds, and boto3 alone does without it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bert_classifier.errors import UserError
from launcher.aws.errors import AWS_ERRORS

# Where the SDK looks, by the variable that names another place.
_PLACES = {
    "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": "/etc/xdg/sagemaker/config.yaml",
    "SAGEMAKER_USER_CONFIG_OVERRIDE": "~/.config/sagemaker/config.yaml",
}


def configuration() -> dict[str, Any]:
    """Return the configuration's content, without telemetry unless the user has decided about it.

    Raises:
        UserError: when it cannot be read.
    """
    config = _load() or {"SchemaVersion": "1.0"}
    modules = config.setdefault("SageMaker", {}).setdefault("PythonSDK", {}).setdefault("Modules", {})
    modules.setdefault("TelemetryOptOut", True)
    return config


def configuration_files(environ: Mapping[str, str]) -> list[str]:
    """Return the configuration files that the SDK would read."""
    home = environ.get("HOME", "~")
    defaults = [place for name, place in _PLACES.items() if name not in environ]
    found = [place for place in defaults if Path(place.replace("~", home, 1)).is_file()]
    return [environ[name] for name in _PLACES if name in environ] + found


def _load() -> dict[str, Any]:
    try:
        return dict(_loader()())
    except AWS_ERRORS:  # it may be in S3
        raise
    except Exception as error:  # in its YAML or schema, or no such file
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UserError(
            f"Your configuration of the SageMaker SDK cannot be used: {reason}.",
            "Correct config.yaml in ~/.config/sagemaker or /etc/xdg/sagemaker, or the file that "
            "SAGEMAKER_USER_CONFIG_OVERRIDE names.",
        ) from error


def _loader() -> Callable[[], Mapping[str, Any]]:
    """Return the function of the installed version that reads the configuration."""
    try:
        from sagemaker.config import load_sagemaker_config
    except ImportError:
        from sagemaker.core.config.config import load_sagemaker_config
    return load_sagemaker_config  # type: ignore[no-any-return, unused-ignore]
