"""The SageMaker SDK, quiet: nothing on standard output, no advice, no report to its makers.

Import it inside a function: that takes seconds, which a wrong setting should not wait for.
"""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import sagemaker
from sagemaker.config import load_sagemaker_config

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.aws.refusals import AWS_ERRORS


def make_session(account: Account) -> sagemaker.Session:
    """Return an SDK session of this account that reports nothing to the SDK's makers.

    Defaults of your own SDK configuration still hold, such as a VPC that your organisation demands.

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
    except AWS_ERRORS:  # it may lie in S3
        raise
    except Exception as error:  # of its YAML, of its schema, of a file that is not there
        told = str(error).partition("\n")[0].rstrip(".")
        raise UserError(
            f"Your configuration of the SageMaker SDK cannot be used: {told}.",
            "Correct config.yaml in ~/.config/sagemaker or /etc/xdg/sagemaker, or where "
            "SAGEMAKER_USER_CONFIG_OVERRIDE names it.",
        ) from error


@contextlib.contextmanager
def told_to_the_person() -> Iterator[None]:
    """Send what the SDK prints to standard error: standard output is for results."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
