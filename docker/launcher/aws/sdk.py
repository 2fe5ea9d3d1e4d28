"""The SageMaker SDK without telemetry and without output on standard output.

Import it inside a function: the import takes seconds, which a wrong setting should not wait for.
"""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import sagemaker
from sagemaker.config import load_sagemaker_config

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.aws.errors import AWS_ERRORS


def make_session(account: Account) -> sagemaker.Session:
    """Return an SDK session of this account, without telemetry.

    Defaults of the user's SDK configuration hold, such as a VPC that the organisation demands.

    Raises:
        UserError: when that configuration cannot be read.
    """
    config = _configuration() or {"SchemaVersion": "1.0"}
    modules = config.setdefault("SageMaker", {}).setdefault("PythonSDK", {}).setdefault("Modules", {})
    modules.setdefault("TelemetryOptOut", True)
    return sagemaker.Session(
        boto_session=account.session, sagemaker_client=account.client("sagemaker"), sagemaker_config=config
    )


def _configuration() -> dict[str, Any]:
    try:
        return dict(load_sagemaker_config())
    except AWS_ERRORS:  # it may be in S3
        raise
    except Exception as error:  # in its YAML or schema, or no such file
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UserError(
            f"Your configuration of the SageMaker SDK cannot be used: {reason}.",
            "Correct config.yaml in ~/.config/sagemaker or /etc/xdg/sagemaker, or the file that "
            "SAGEMAKER_USER_CONFIG_OVERRIDE names.",
        ) from error


@contextlib.contextmanager
def output_on_stderr() -> Iterator[None]:
    """Redirect the SDK's output to standard error; standard output is for results."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
